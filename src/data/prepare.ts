// Text to token shards: reads documents, tokenizes them in batches, packs rows and writes shards and manifest.json into a
// temporary folder that gets its name only when it is complete. Memory is flat whatever the size of the input.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { syncAndRename } from './atomic.js';
import { ioError } from './io_error.js';
import { manifestName, type Manifest } from './manifest.js';
import { PadPacker, WrapPacker, type Packer } from './packing.js';
import { batchPieces } from './pieces.js';
import { readDocuments } from './readers.js';
import { ShardWriter } from './shard_writer.js';
import type { Tokenizer } from './tokenizer.js';

export interface PrepareOptions {
  /** txt (a document a line), jsonl or parquet files, read in this order. */
  inputs: readonly string[];
  tokenizer: Tokenizer;
  /** L: tokens of a row, 1..65535. */
  length: number;
  packing: 'wrap' | 'pad';
  /** Folder to make. */
  out: string;
  /** Key or column with the text, for jsonl and parquet; default 'text'. */
  column?: string;
  /** Replaces a data set that is already in `out`; default false. */
  replace?: boolean;
  /** Rows of a shard file; default: about 256 MiB. */
  rowsPerShard?: number;
  onProgress?: (progress: PrepareProgress) => void;
  signal?: AbortSignal;
}

export interface PrepareProgress {
  /** Bytes of input done (within a file an estimate, not whole), and of all input. */
  bytes: number;
  totalBytes: number;
  documents: number;
  rows: number;
  realTokens: number;
}

/**
 * Makes the folder `out`: shards of token rows, manifest.json and a copy of tokenizer.json.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT, ERR_LDLM_IO (unreadable or unsuitable input, full disk), ERR_LDLM_ABORTED; `out` is untouched then
 * @example await prepare({ inputs: ['corpus.txt'], tokenizer: await Tokenizer.load('gpt2'), length: 128, packing: 'wrap', out: 'data/corpus' });
 */
export async function prepare(options: PrepareOptions): Promise<Manifest> {
  const { tokenizer, length, packing, signal } = options;
  if (!Number.isInteger(length) || length < 1 || length > 65535) throw invalid(`length must be a whole number in 1..65535, got ${length}`);
  if (options.inputs.length === 0) throw invalid('inputs must name at least one file, got none');
  const endId = tokenizer.endId;
  if (endId === null) throw invalid('the tokenizer must have an end token (eos_token or sep_token in tokenizer_config.json), got none');
  const padId = tokenizer.padId ?? endId;
  const sizes = await Promise.all(options.inputs.map(inputSize));
  const out = resolve(options.out);
  await requireFree(out, options.replace ?? false);

  const temporary = `${out}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true }).catch(ioError(out, 'a folder that can be made'));
  const layout = { length, packing, dtype: tokenizer.vocabularySize > 65536 ? 'uint32' : 'uint16' } as const;
  const packer = packing === 'wrap' ? new WrapPacker(length, endId) : new PadPacker(length, endId, padId);
  const writer = new ShardWriter(temporary, layout, options.rowsPerShard);
  try {
    const inputs = [];
    const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
    const progress = { bytes: 0, totalBytes, documents: 0, rows: 0, realTokens: 0 };
    options.onProgress?.({ ...progress });
    for (const [index, path] of options.inputs.entries()) {
      // Hashing goes along with tokenizing, which is much slower. A failure of the reading itself is reported first.
      const hash = sha256(path, signal);
      hash.catch(() => undefined);
      const doneBefore = progress.bytes;
      await packFile(path, options, packer, writer, progress);
      progress.bytes = doneBefore + sizes[index]!; // blank lines are bytes too
      options.onProgress?.({ ...progress });
      inputs.push({ name: basename(path), bytes: sizes[index]!, sha256: await hash });
    }
    if (writer.rows === 0) {
      throw invalid(`the input must fill at least one row of ${length} tokens, got ${packer.dropped} tokens; use a smaller length or packing 'pad'`);
    }
    const manifest: Manifest = {
      formatVersion: 1,
      rows: writer.rows,
      ...layout,
      vocabulary: tokenizer.vocabularySize,
      endId,
      padId,
      tokens: writer.rows * length,
      realTokens: writer.realTokens,
      droppedTokens: packer.dropped,
      documents: progress.documents,
      truncated: packer.truncated,
      tokenizer: { kind: tokenizer.kind, version: tokenizer.version, sha256: tokenizer.sha256 },
      inputs,
      shards: await writer.finish(),
    };
    await writeFile(join(temporary, 'tokenizer.json'), tokenizer.json).catch(ioError(out, 'a folder that can be written'));
    await writeFile(join(temporary, manifestName), `${JSON.stringify(manifest, null, 2)}\n`).catch(ioError(out, 'a folder that can be written'));
    await syncAndRename(temporary, out, { replace: options.replace ?? false });
    return manifest;
  } finally {
    await writer.close();
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Tokenizes one file into rows; counts in `progress`. */
async function packFile(path: string, options: PrepareOptions, packer: Packer, writer: ShardWriter, progress: PrepareProgress): Promise<void> {
  const documents = readDocuments(path, options.column === undefined ? {} : { column: options.column });
  for await (const pieces of batchPieces(documents)) {
    throwIfAborted(options.signal);
    const encoded = await options.tokenizer.encodeBatch(pieces.map((piece) => piece.text));
    await writer.write(pieces.flatMap((piece, i) => packer.add(encoded[i]!, piece.ends)));
    for (const piece of pieces) {
      progress.bytes += piece.bytes;
      if (piece.ends) progress.documents++;
    }
    Object.assign(progress, { rows: writer.rows, realTokens: writer.realTokens });
    options.onProgress?.({ ...progress });
  }
}

async function inputSize(path: string): Promise<number> {
  const entry = await stat(path).catch(ioError(path, 'a readable file'));
  if (entry.isFile()) return entry.size;
  throw new LdlmError('ERR_LDLM_IO', `${path} must be a file, got ${entry.isDirectory() ? 'a folder' : 'a device or pipe'}`);
}

/** Only a free name, an empty folder, or, with `replace`, a folder that is a data set may be written to. */
async function requireFree(out: string, replace: boolean): Promise<void> {
  const names = await readdir(out).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    return ioError(out, 'a new folder')(error);
  });
  if (names.length === 0) return;
  if (!replace) throw new LdlmError('ERR_LDLM_IO', `${out} must be a new or empty folder, got one with files in it; choose another or replace it (--force)`);
  if (names.includes(manifestName)) return;
  throw new LdlmError('ERR_LDLM_IO', `${out} must be a data set (a folder with ${manifestName}) to be replaced, got something else; delete it yourself or choose another`);
}

async function sha256(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, ...(signal && { signal }) })) hash.update(chunk as Buffer);
  } catch (cause) {
    throwIfAborted(signal);
    ioError(path, 'a readable file')(cause);
  }
  return hash.digest('hex');
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LdlmError('ERR_LDLM_ABORTED', 'stopped before the data set was complete; nothing was written');
}

function invalid(message: string): LdlmError {
  return new LdlmError('ERR_LDLM_INVALID_ARGUMENT', message);
}
