// Writes rows into flat shard files, hashing as it goes. Only a buffer of rows is held.

import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError } from './io_error.js';
import { idBytes, type Manifest, type ShardEntry } from './manifest.js';
import type { Row } from './packing.js';

/** Append-only file that knows its hash. */
class HashedFile {
  private readonly hash: Hash = createHash('sha256');

  private constructor(private readonly path: string, private readonly handle: FileHandle) {}

  static async create(path: string): Promise<HashedFile> {
    return new HashedFile(path, await open(path, 'wx').catch(ioError(path, 'a file that can be written')));
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.hash.update(bytes);
    await this.handle.writeFile(bytes).catch(ioError(this.path, 'a file that can be written'));
  }

  /** Closes the file and gives its SHA-256 in hex. */
  async close(): Promise<string> {
    await this.handle.close();
    return this.hash.digest('hex');
  }
}

interface OpenShard {
  file: string;
  rows: number;
  ids: HashedFile;
  lengths: { file: string; data: HashedFile } | null;
}

/** Rows go in with `write`; `finish` gives the entries of the manifest. `close` is for a run that failed. */
export class ShardWriter {
  rows = 0;
  realTokens = 0;
  private shard: OpenShard | undefined;
  private readonly entries: ShardEntry[] = [];

  /** @param rowsPerShard rows of a full shard; by default a shard has about 256 MiB */
  constructor(
    private readonly dir: string,
    private readonly layout: Pick<Manifest, 'length' | 'packing' | 'dtype'>,
    private readonly rowsPerShard = Math.ceil(2 ** 28 / (layout.length * idBytes(layout))),
  ) {}

  async write(rows: readonly Row[]): Promise<void> {
    for (let start = 0; start < rows.length; ) {
      const shard = (this.shard ??= await this.openShard());
      const part = rows.slice(start, start + this.rowsPerShard - shard.rows);
      await shard.ids.append(this.pack(part));
      await shard.lengths?.data.append(lengthsOf(part));
      shard.rows += part.length;
      this.rows += part.length;
      for (const { length } of part) this.realTokens += length;
      start += part.length;
      if (shard.rows === this.rowsPerShard) await this.closeShard();
    }
  }

  async finish(): Promise<ShardEntry[]> {
    await this.closeShard();
    return this.entries;
  }

  /** Lets go of open files; what was written stays. */
  async close(): Promise<void> {
    await this.closeShard();
  }

  /** ids [rows, length] as bytes, little-endian whatever the machine. */
  private pack(rows: readonly Row[]): Uint8Array {
    const width = idBytes(this.layout);
    const view = new DataView(new ArrayBuffer(rows.length * this.layout.length * width));
    let at = 0;
    for (const { ids } of rows) {
      for (const id of ids) {
        if (width === 2) view.setUint16(at, id, true);
        else view.setUint32(at, id, true);
        at += width;
      }
    }
    return new Uint8Array(view.buffer);
  }

  private async openShard(): Promise<OpenShard> {
    const name = `shard-${String(this.entries.length).padStart(5, '0')}`;
    const ids = await HashedFile.create(join(this.dir, `${name}.bin`));
    const file = `${name}.lengths.bin`;
    const lengths = this.layout.packing === 'pad' ? { file, data: await HashedFile.create(join(this.dir, file)) } : null;
    return { file: `${name}.bin`, rows: 0, ids, lengths };
  }

  private async closeShard(): Promise<void> {
    const shard = this.shard;
    this.shard = undefined;
    if (!shard) return;
    const { file, rows, ids, lengths } = shard;
    const sha256 = await ids.close();
    this.entries.push({ file, rows, sha256, lengths: lengths && { file: lengths.file, sha256: await lengths.data.close() } });
  }
}

function lengthsOf(rows: readonly Row[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(rows.length * 2));
  rows.forEach(({ length }, i) => view.setUint16(2 * i, length, true));
  return new Uint8Array(view.buffer);
}
