// One text column of a parquet file, a page at a time: memory is that of a page (about 1 MB), also where a single row group holds the
// whole file, as pandas writes it. hyparquet decodes; only the walk over the pages is ours, since its own reads whole row groups.

import { isUtf8 } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import { parquetMetadataAsync, parquetSchema, type ColumnMetaData, type DecodedArray, type FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parquetHeader, readPage } from 'hyparquet/src/column.js';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { getTreePath } from 'hyparquet/src/schema.js';
import { LdlmError } from '../api/errors.js';
import { repairText, type InvalidText } from './invalid_text.js';
import { ioError } from './io_error.js';
import type { Document } from './readers.js';

type PageDecoder = Parameters<typeof readPage>[2];

/** Headers have a few dozen bytes, and more where they hold statistics of long texts. */
const headerBytes = 2 ** 16;

/**
 * The texts of `column`, in the order of the rows, without the first `skip`.
 * @throws LdlmError ERR_LDLM_IO if the file is no parquet, the column is missing (the columns there are named) or holds no text
 */
export async function* readParquet(path: string, column: string, invalid: InvalidText, skip = 0): AsyncGenerator<Document> {
  await using handle = await open(path, 'r').catch(ioError(path, 'a readable file'));
  const { size } = await handle.stat();
  const metadata = await readMetadata(handle, path, size);
  const decoder = findColumn(metadata, column, path);
  const bytesPerRow = size / Math.max(1, Number(metadata.num_rows));
  let row = 0;
  for (const group of metadata.row_groups) {
    const groupEnd = row + Number(group.num_rows);
    if (groupEnd <= skip) {
      row = groupEnd;
      continue;
    }
    const chunk = group.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === column)?.meta_data;
    if (!chunk) throw damaged(path, `row group at row ${row + 1} has no column '${column}'`);
    for await (const page of readPages(handle, path, chunk, { ...decoder, ...chunk }, row)) {
      for (const value of page as unknown[]) {
        row++;
        if (row <= skip) continue;
        const place = `${path}: row ${row}`;
        if (!(value instanceof Uint8Array)) {
          throw new LdlmError('ERR_LDLM_IO', `${place} must hold text in the column '${column}', got ${value === undefined || value === null ? 'null' : typeof value}`);
        }
        const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
        yield { ...repairText(bytes.toString('utf8'), isUtf8(bytes), place, invalid), bytes: bytesPerRow, next: { record: row, offset: 0 } };
      }
    }
    if (row !== groupEnd) throw damaged(path, `its row group must end with row ${groupEnd}, got ${row}`);
  }
}

async function readMetadata(handle: FileHandle, path: string, size: number): Promise<FileMetaData> {
  const file = { byteLength: size, slice: (start: number, end = size) => readRange(handle, path, start, end).then(arrayBufferOf) };
  try {
    return await parquetMetadataAsync(file);
  } catch (cause) {
    throw damaged(path, `its footer (the last bytes of ${size}) cannot be read: ${(cause as Error).message}`, cause);
  }
}

/** What hyparquet needs to know to decode `column`, which must be a plain one. Texts stay bytes, so that we see invalid ones. */
function findColumn(metadata: FileMetaData, column: string, path: string): Omit<PageDecoder, keyof ColumnMetaData> & { pathInSchema: string[] } {
  const schema = parquetSchema(metadata);
  const child = schema.children.find(({ element }) => element.name === column);
  if (!child) {
    const names = schema.children.map(({ element }) => element.name).join(', ');
    throw new LdlmError('ERR_LDLM_IO', `${path} must have the column '${column}', got the columns ${names}; pick one (--column, where the command has it; in programs column)`);
  }
  if (child.children.length > 0 || child.element.repetition_type === 'REPEATED') {
    throw new LdlmError('ERR_LDLM_IO', `${path} must have one text a row in the column '${column}', got lists or records; pick another (--column, where the command has it; in programs column)`);
  }
  const parsers = { ...DEFAULT_PARSERS, stringFromBytes: (bytes: Uint8Array) => bytes, jsonFromBytes: (bytes: Uint8Array) => bytes };
  return { pathInSchema: [column], element: child.element, schemaPath: getTreePath(schema, [column]), parsers, compressors };
}

/** The values of each data page of one column chunk. */
async function* readPages(handle: FileHandle, path: string, chunk: ColumnMetaData, decoder: PageDecoder, firstRow: number): AsyncGenerator<DecodedArray> {
  let at = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
  const end = at + Number(chunk.total_compressed_size);
  let left = Number(chunk.num_values);
  let dictionary: DecodedArray | undefined;
  while (left > 0) {
    if (at >= end) throw damaged(path, `the pages from row ${firstRow + 1} on end ${left} values early, at byte ${at}`);
    let values: DecodedArray | undefined;
    try {
      const { header, start } = await readHeader(handle, path, at, end);
      const bytes = await readRange(handle, path, start, start + header.compressed_page_size);
      const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
      const result = readPage(reader, header, decoder, dictionary, undefined, 0);
      values = result.skipped ? undefined : result.data;
      if (header.type === 'DICTIONARY_PAGE') [dictionary, values] = [values && convert(values, decoder), undefined];
      at = start + header.compressed_page_size;
    } catch (cause) {
      throw damaged(path, `the page at byte ${at} (${left} values before the end of the row group of row ${firstRow + 1}) cannot be read: ${(cause as Error).message}`, cause);
    }
    left -= values?.length ?? 0;
    if (values) yield values;
  }
}

async function readHeader(handle: FileHandle, path: string, at: number, end: number): Promise<{ header: ReturnType<typeof parquetHeader>; start: number }> {
  for (let length = headerBytes; ; length *= 16) {
    const bytes = await readRange(handle, path, at, Math.min(end, at + length));
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
    try {
      const header = parquetHeader(reader);
      const start = at + reader.offset;
      if (!(header.compressed_page_size >= 0 && start + header.compressed_page_size <= end)) throw new Error(`a page of ${header.compressed_page_size} bytes does not fit its column`);
      return { header, start };
    } catch (error) {
      if (at + length >= end || length > 2 ** 24) throw error;
    }
  }
}

async function readRange(handle: FileHandle, path: string, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(0, end - start));
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, start).catch(ioError(path, 'a readable file'));
  if (bytesRead < buffer.length) throw new Error(`the file ends at byte ${start + bytesRead}, before byte ${end}`);
  return buffer;
}

function arrayBufferOf(buffer: Buffer): ArrayBuffer {
  return buffer.buffer as ArrayBuffer; // allocUnsafeSlow: not a part of a pool
}

function damaged(path: string, text: string, cause?: unknown): LdlmError {
  if (cause instanceof LdlmError) return cause;
  return new LdlmError('ERR_LDLM_IO', `${path} must be a whole parquet file, got: ${text}; it is cut off or damaged: fetch it again`, { cause });
}
