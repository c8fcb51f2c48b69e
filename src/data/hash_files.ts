// SHA-256 of files of any size, read as a stream.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { ioError } from './io_error.js';

/** One hash, in hex, over the bytes of `paths` in their order. */
export async function hashFiles(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    try {
      for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    } catch (error) {
      ioError(path, 'a readable file')(error);
    }
  }
  return hash.digest('hex');
}
