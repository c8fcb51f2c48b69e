// The documents of shards, in order, a piece at a time: memory is that of a piece and of one shard's document starts.

import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError } from './io_error.js';
import { idBytes, type Manifest, type ShardEntry } from './manifest.js';
import type { Tokens } from './shard_writer.js';

/** A shard, also one that is still being written. */
export interface StoredShard {
  file: string;
  sideFile: string;
  tokens: number;
  documents: number;
}

/** A piece of a document. With packing 'pad' it is a whole row, padding included. */
export interface StoredPiece {
  ids: Tokens;
  /** The document begins here: its real tokens (pad), or 0. Undefined in the middle of one. */
  begins: number | undefined;
}

const pieceTokens = 2 ** 18;

export function storedShard({ file, rows, lengths, documents }: ShardEntry, { length }: Pick<Manifest, 'length'>): StoredShard {
  return { file, sideFile: (lengths ?? documents)!.file, tokens: rows * length, documents: documents?.count ?? rows };
}

/** The pieces of `shards` from document `from` of the first shard on. */
export async function* readStoredDocuments(
  dir: string,
  layout: Pick<Manifest, 'length' | 'packing' | 'dtype'>,
  shards: readonly StoredShard[],
  from = 0,
): AsyncGenerator<StoredPiece> {
  for (const [index, shard] of shards.entries()) {
    await using file = await open(join(dir, shard.file), 'r').catch(ioError(join(dir, shard.file), 'a readable file'));
    const read = (start: number, end: number) => readTokens(file, layout, start, end);
    const first = index === 0 ? from : 0;
    if (layout.packing === 'pad') yield* readRows(read, await readLengths(dir, shard), layout.length, first);
    else yield* readStretches(read, await readStarts(dir, shard), shard.tokens, index === 0 ? first : undefined);
  }
}

/** Where the documents of a wrapped shard begin. */
export async function readStarts(dir: string, { sideFile, documents }: StoredShard): Promise<Uint32Array> {
  const view = await readView(join(dir, sideFile));
  return Uint32Array.from({ length: documents }, (_, i) => view.getUint32(4 * i, true));
}

async function readLengths(dir: string, { sideFile, documents }: StoredShard): Promise<Uint16Array> {
  const view = await readView(join(dir, sideFile));
  return Uint16Array.from({ length: documents }, (_, i) => view.getUint16(2 * i, true));
}

async function readView(path: string): Promise<DataView> {
  const bytes = await readFile(path).catch(ioError(path, 'a readable file'));
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

type Read = (start: number, end: number) => Promise<Tokens>;

async function* readRows(read: Read, lengths: Uint16Array, rowLength: number, first: number): AsyncGenerator<StoredPiece> {
  const step = Math.max(1, Math.floor(pieceTokens / rowLength));
  for (let row = first; row < lengths.length; row += step) {
    const rows = Math.min(step, lengths.length - row);
    const ids = await read(row * rowLength, (row + rows) * rowLength);
    for (let i = 0; i < rows; i++) yield { ids: ids.subarray(i * rowLength, (i + 1) * rowLength), begins: lengths[row + i]! };
  }
}

/** With `first` from that document on, else from the first token of the shard, which may be in the middle of a document. */
async function* readStretches(read: Read, starts: Uint32Array, tokens: number, first: number | undefined): AsyncGenerator<StoredPiece> {
  let document = first ?? 0;
  let at = first === undefined ? 0 : (starts[first] ?? tokens);
  while (at < tokens) {
    const ids = await read(at, Math.min(tokens, at + pieceTokens));
    const end = at + ids.length;
    for (let from = at; from < end; ) {
      const begins = starts[document] === from ? 0 : undefined;
      if (begins === 0) document++;
      const to = Math.min(end, starts[document] ?? end);
      yield { ids: ids.subarray(from - at, to - at), begins };
      from = to;
    }
    at = end;
  }
}

async function readTokens(file: FileHandle, layout: Pick<Manifest, 'dtype'>, start: number, end: number): Promise<Tokens> {
  const width = idBytes(layout);
  const bytes = Buffer.alloc((end - start) * width);
  await file.read(bytes, 0, bytes.length, start * width);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const ids = width === 2 ? new Uint16Array(end - start) : new Uint32Array(end - start);
  for (let i = 0; i < ids.length; i++) ids[i] = width === 2 ? view.getUint16(2 * i, true) : view.getUint32(4 * i, true);
  return ids;
}
