// Random access to the rows of a data set made by prepare.ts. Small sets are held in memory, large ones are read row by row from
// their files, so a set may be far larger than memory.

import { createHash } from 'node:crypto';
import { open, readFile, stat, type FileHandle } from 'node:fs/promises';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';
import { idBytes, manifestName, readManifest, type Manifest, type ShardEntry } from './manifest.js';

export interface OpenShardsOptions {
  /** Data sets up to this size are read into memory; default 512 MiB. */
  inMemoryBytes?: number;
  /** Compares files with their SHA-256 in the manifest (sizes are always compared). Default: those that were changed after the manifest was written. */
  verify?: boolean;
}

/** Rows as the model takes them. */
export interface RowBatch {
  /** ids, row-major [B, L] */
  ids: Int32Array;
  /** Real tokens of each row, end token included [B]; all L when the packing is 'wrap'. */
  lengths: Int32Array;
}

/** An open data set. */
export interface Shards extends AsyncDisposable {
  readonly dir: string;
  readonly manifest: Manifest;
  readonly rows: number;
  /** L */
  readonly length: number;
  readonly packing: 'wrap' | 'pad';
  readonly vocabulary: number;
  /**
   * The rows with these numbers (0..rows - 1, any order, repeats allowed).
   * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT for a row that is not there, ERR_LDLM_IO, ERR_LDLM_STATE after `dispose`
   */
  read(rowIndices: Uint32Array): Promise<RowBatch>;
  dispose(): Promise<void>;
}

/**
 * Opens a folder made by `ldlm prepare`.
 * @throws LdlmError ERR_LDLM_IO if a file is missing, has the wrong size or, with `verify`, other bytes
 * @example await using data = await openShards('data/owt');
 */
export async function openShards(dir: string, options: OpenShardsOptions = {}): Promise<Shards> {
  const manifest = await readManifest(dir);
  const bytes = manifest.rows * manifest.length * idBytes(manifest);
  const inMemory = bytes <= (options.inMemoryBytes ?? 2 ** 29);
  // The manifest is written last. Files that are newer, because something changed them or because they were copied, are looked at.
  const made = (await stat(join(dir, manifestName))).mtimeMs;
  const verify = (modifiedMs: number): boolean => options.verify ?? modifiedMs >= made;
  const opened: OpenShard[] = [];
  try {
    for (const entry of manifest.shards) opened.push(await openShard(dir, entry, manifest, inMemory, verify));
  } catch (error) {
    await Promise.all(opened.map((shard) => shard.handle?.close()));
    throw error;
  }
  return new ShardFolder(dir, manifest, opened);
}

interface OpenShard {
  entry: ShardEntry;
  /** Either the file or its bytes. */
  handle: FileHandle | undefined;
  data: Buffer | undefined;
  /** Real lengths [rows]; undefined when every row is full. */
  lengths: DataView | undefined;
}

async function openShard(dir: string, entry: ShardEntry, manifest: Manifest, inMemory: boolean, verify: (modifiedMs: number) => boolean): Promise<OpenShard> {
  let lengths: DataView | undefined;
  if (manifest.packing === 'pad') {
    if (!entry.lengths) throw new LdlmError('ERR_LDLM_IO', `${dir}: ${entry.file} must come with a file of lengths when packing is 'pad', got none`);
    const path = join(dir, entry.lengths.file);
    const bytes = await readFile(path).catch(ioError(path, 'a readable file'));
    requireSize(path, bytes.length, 2 * entry.rows);
    if (verify((await stat(path)).mtimeMs)) requireHash(path, createHash('sha256').update(bytes).digest('hex'), entry.lengths.sha256);
    lengths = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  const path = join(dir, entry.file);
  const handle = await open(path, 'r').catch(ioError(path, 'a readable file'));
  try {
    const { size, mtimeMs } = await handle.stat();
    requireSize(path, size, entry.rows * manifest.length * idBytes(manifest));
    if (verify(mtimeMs)) requireHash(path, await hashOf(handle), entry.sha256);
    if (!inMemory) return { entry, handle, data: undefined, lengths };
    const data = Buffer.alloc(entry.rows * manifest.length * idBytes(manifest));
    await readFully(handle, path, data, 0, data.length, 0);
    await handle.close();
    return { entry, handle: undefined, data, lengths };
  } catch (error) {
    await handle.close().catch(() => undefined);
    throw error;
  }
}

class ShardFolder implements Shards {
  readonly rows: number;
  readonly length: number;
  readonly packing: 'wrap' | 'pad';
  readonly vocabulary: number;
  private disposed = false;

  constructor(readonly dir: string, readonly manifest: Manifest, private readonly shards: readonly OpenShard[]) {
    ({ rows: this.rows, length: this.length, packing: this.packing, vocabulary: this.vocabulary } = manifest);
  }

  async read(rowIndices: Uint32Array): Promise<RowBatch> {
    if (this.disposed) throw new LdlmError('ERR_LDLM_STATE', `${this.dir} must be open to be read, got a read after dispose()`);
    const rowBytes = this.length * idBytes(this.manifest);
    const raw = Buffer.allocUnsafeSlow(rowIndices.length * rowBytes); // of its own, so that it is aligned for ids of any width
    const lengths = new Int32Array(rowIndices.length);
    const reads: Promise<void>[] = [];
    rowIndices.forEach((row, i) => {
      const { shard, local } = this.locate(row);
      lengths[i] = shard.lengths?.getUint16(2 * local, true) ?? this.length;
      if (shard.data) shard.data.copy(raw, i * rowBytes, local * rowBytes, (local + 1) * rowBytes);
      else reads.push(readFully(shard.handle!, shard.entry.file, raw, i * rowBytes, rowBytes, local * rowBytes));
    });
    await Promise.all(reads);
    return { ids: this.unpack(raw), lengths: this.checkLengths(lengths) };
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    await Promise.all(this.shards.map((shard) => shard.handle?.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private locate(row: number): { shard: OpenShard; local: number } {
    let local = row;
    for (const shard of this.shards) {
      if (local < shard.entry.rows) return { shard, local };
      local -= shard.entry.rows;
    }
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `a row must be in 0..${this.rows - 1}, got ${row}`);
  }

  /** Bytes to ids; an id outside the vocabulary would read outside the embedding table. */
  private unpack(raw: Buffer): Int32Array {
    const width = idBytes(this.manifest);
    if (endianness() === 'BE') raw[width === 2 ? 'swap16' : 'swap32']();
    const stored = new (width === 2 ? Uint16Array : Uint32Array)(raw.buffer as ArrayBuffer, raw.byteOffset, raw.length / width);
    const ids = new Int32Array(stored.length);
    let largest = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = stored[i]!;
      if (id > largest) largest = id;
      ids[i] = id;
    }
    if (largest >= this.vocabulary) throw damaged(this.dir, `every id must be below the vocabulary of ${this.vocabulary}, got ${largest}`);
    return ids;
  }

  private checkLengths(lengths: Int32Array): Int32Array {
    const wrong = lengths.find((length) => length < 1 || length > this.length);
    if (wrong !== undefined) throw damaged(this.dir, `every length must be in 1..${this.length}, got ${wrong}`);
    return lengths;
  }
}

async function readFully(handle: FileHandle, name: string, target: Buffer, offset: number, bytes: number, position: number): Promise<void> {
  for (let done = 0; done < bytes; ) {
    const { bytesRead } = await handle.read(target, offset + done, bytes - done, position + done).catch(ioError(name, 'a readable file'));
    if (bytesRead === 0) throw damaged(name, `it must have ${position + bytes} bytes, got only ${position + done}`);
    done += bytesRead;
  }
}

async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of handle.createReadStream({ start: 0, autoClose: false })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function requireSize(path: string, size: number, expected: number): void {
  if (size !== expected) throw damaged(path, `it must have ${expected} bytes, as its manifest says, got ${size}`);
}

function requireHash(path: string, hash: string, expected: string): void {
  if (hash !== expected) throw damaged(path, `its SHA-256 must be ${expected}, got ${hash}`);
}

function damaged(path: string, text: string): LdlmError {
  return new LdlmError('ERR_LDLM_IO', `${path} is damaged: ${text}; run \`ldlm prepare --force\` again`);
}
