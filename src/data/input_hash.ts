// SHA-256 of an input file, read once more on its own: parquet readers skip most of a file.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { ioError } from './io_error.js';

/** In hex. `onBytes` is told of every part that was read. */
export async function sha256OfFile(path: string, onBytes?: (bytes: number) => void, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, ...(signal && { signal }) }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      onBytes?.(chunk.length);
    }
  } catch (cause) {
    ioError(path, 'a readable file')(cause);
  }
  return hash.digest('hex');
}
