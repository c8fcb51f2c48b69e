// The set of documents seen so far, and its entries in a file, so that a killed run knows them again.

import { readFile, rm } from 'node:fs/promises';
import { ExactSet } from './exact_set.js';
import { HashedFile } from './hashed_file.js';
import { ioError } from './io_error.js';

export class DigestLog {
  readonly seen = new ExactSet();

  private constructor(private readonly file: HashedFile) {}

  /** The log at `path` with its first `count` entries, or a new one. */
  static async open(path: string, count: number): Promise<DigestLog> {
    if (count === 0) {
      await rm(path, { force: true });
      return new DigestLog(await HashedFile.create(path));
    }
    const log = new DigestLog(await HashedFile.resume(path, 8 * count));
    const bytes = await readFile(path).catch(ioError(path, 'a readable file'));
    for (let at = 0; at < bytes.length; at += 8) log.seen.add(bytes.readBigUInt64LE(at));
    return log;
  }

  /** Writes entries down that are in `seen` already. */
  async append(digests: readonly bigint[]): Promise<void> {
    const bytes = Buffer.alloc(8 * digests.length);
    digests.forEach((digest, index) => bytes.writeBigUInt64LE(digest, 8 * index));
    if (bytes.length > 0) await this.file.append(bytes);
  }

  /** Forces the file to the disk, and gives the number of its entries. */
  async sync(): Promise<number> {
    await this.file.sync();
    return this.file.bytes / 8;
  }

  close(): Promise<void> {
    return this.file.close();
  }
}
