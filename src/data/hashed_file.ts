// An append-only file that knows its SHA-256, gathers small writes, and can be continued after a crash from a length that was synced.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';

const bufferBytes = 2 ** 20;

export class HashedFile {
  private readonly hash = createHash('sha256');
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;

  private constructor(private readonly path: string, private readonly handle: FileHandle, private length: number) {}

  static async create(path: string): Promise<HashedFile> {
    return new HashedFile(path, await open(path, 'wx').catch(ioError(path, 'a new file that can be written')), 0);
  }

  /** Opens a file of at least `bytes` bytes and cuts it there. */
  static async resume(path: string, bytes: number): Promise<HashedFile> {
    const handle = await open(path, 'r+').catch(ioError(path, 'a file that can be written'));
    const { size } = await handle.stat();
    if (size < bytes) {
      await handle.close();
      throw new LdlmError('ERR_LDLM_IO', `${path} must have at least the ${bytes} bytes of its last checkpoint, got ${size}; delete its folder and run again`);
    }
    await handle.truncate(bytes).catch(ioError(path, 'a file that can be written'));
    const file = new HashedFile(path, handle, bytes);
    if (bytes > 0) for await (const chunk of createReadStream(path, { end: bytes - 1 })) file.hash.update(chunk as Buffer);
    return file;
  }

  /** Bytes so far, those not written yet included. */
  get bytes(): number {
    return this.length;
  }

  /** `bytes` must stay as they are until they are written. */
  async append(bytes: Uint8Array): Promise<void> {
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    this.length += bytes.length;
    if (this.pendingBytes >= bufferBytes) await this.flush();
  }

  /** Forces what was appended to the disk. */
  async sync(): Promise<void> {
    await this.flush();
    await this.handle.sync().catch(ioError(this.path, 'a file that can be written'));
  }

  /** Forces it to the disk, closes it and gives its SHA-256 in hex. */
  async finish(): Promise<string> {
    await this.sync();
    await this.close();
    return this.hash.digest('hex');
  }

  /** Lets go of it without writing what is pending. */
  async close(): Promise<void> {
    await this.handle.close();
  }

  private async flush(): Promise<void> {
    if (this.pendingBytes === 0) return;
    const bytes = Buffer.concat(this.pending);
    [this.pending, this.pendingBytes] = [[], 0];
    this.hash.update(bytes);
    // A disk that fills up takes a part of a write, and says why only at the next.
    for (let done = 0; done < bytes.length; ) {
      const position = this.length - bytes.length + done;
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, position).catch(ioError(this.path, 'a file that can be written'));
      done += bytesWritten;
    }
  }
}
