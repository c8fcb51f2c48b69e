// One text column of a parquet file, a row group at a time: memory is that of the largest row group's column.

import { stat } from 'node:fs/promises';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';
import type { Document } from './readers.js';

/**
 * The texts of `column`, in the order of the rows.
 * @throws LdlmError ERR_LDLM_IO if the file is no parquet, the column is missing (the columns there are named) or holds no text
 */
export async function* readParquet(path: string, column: string): AsyncGenerator<Document> {
  const { size } = await stat(path).catch(ioError(path, 'a readable file'));
  const file = await asyncBufferFromFile(path).catch(ioError(path, 'a readable file'));
  const metadata = await parquetMetadataAsync(file).catch(ioError(path, 'a parquet file'));
  const columns = parquetSchema(metadata).children.map((child) => child.element.name);
  if (!columns.includes(column)) {
    throw new LdlmError('ERR_LDLM_IO', `${path} must have the column '${column}', got the columns ${columns.join(', ')}; pick one with --column`);
  }
  const bytesPerRow = size / Math.max(1, Number(metadata.num_rows));
  let row = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = row + Number(group.num_rows);
    const rows = await parquetReadObjects({ file, metadata, columns: [column], rowStart: row, rowEnd, compressors }).catch(
      ioError(path, `a whole parquet file (rows ${row} to ${rowEnd})`),
    );
    for (const record of rows) {
      row++;
      const text: unknown = record[column];
      if (typeof text !== 'string') {
        throw new LdlmError('ERR_LDLM_IO', `${path}: row ${row} must hold text in the column '${column}', got ${text === null ? 'null' : typeof text}`);
      }
      yield { text, bytes: bytesPerRow };
    }
  }
}
