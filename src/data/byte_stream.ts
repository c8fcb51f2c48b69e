// The bytes of a file as a stream, decompressed if its name ends in .gz or .zst. Memory is that of a few chunks (for .zst also of the
// window that the file asks for).

import { createReadStream, type ReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';

const chunkBytes = 2 ** 20;

export interface Chunk {
  data: Buffer;
  /** Bytes of the file that it stands for: its own length, or its share of the compressed bytes. */
  fileBytes: number;
}

/**
 * The (decompressed) bytes of `path` from byte `start` on.
 * @throws LdlmError ERR_LDLM_IO naming the file and where: unreadable, cut off or damaged
 */
export async function* readBytes(path: string, start = 0): AsyncGenerator<Chunk> {
  const name = path.toLowerCase();
  if (name.endsWith('.gz')) yield* from(start, readGzip(path));
  else if (name.endsWith('.zst')) yield* from(start, readZstd(path));
  else yield* readPlain(path, start);
}

/** Bytes that are read as they are, such as `process.stdin`. */
export async function* plainChunks(stream: AsyncIterable<Buffer>): AsyncGenerator<Chunk> {
  for await (const data of stream) yield { data, fileBytes: data.length };
}

/** The name without the ending of the compression. */
export function withoutCompression(path: string): string {
  return path.replace(/\.(gz|zst)$/i, '');
}

function openFile(path: string, start = 0): ReadStream {
  return createReadStream(path, { start, highWaterMark: chunkBytes });
}

async function* readPlain(path: string, start: number): AsyncGenerator<Chunk> {
  try {
    yield* plainChunks(openFile(path, start) as AsyncIterable<Buffer>);
  } catch (cause) {
    ioError(path, 'a readable file')(cause);
  }
}

async function* readGzip(path: string): AsyncGenerator<Chunk> {
  const file = openFile(path);
  const gunzip = createGunzip({ chunkSize: chunkBytes });
  // Errors of both come out of `gunzip`; leaving the loop closes both.
  pipeline(file, gunzip, () => undefined);
  const position = new Position(path);
  try {
    for await (const data of gunzip as AsyncIterable<Buffer>) yield position.chunk(data, file.bytesRead);
  } catch (cause) {
    position.fail('.gz', cause, file.bytesRead);
  }
}

async function* readZstd(path: string): AsyncGenerator<Chunk> {
  const file = openFile(path);
  const position = new Position(path);
  let blocks: Uint8Array[] = [];
  const zstd = new Decompress((block) => blocks.push(block));
  const take = function* (): Generator<Chunk> {
    for (const block of blocks) if (block.length > 0) yield position.chunk(Buffer.from(block.buffer, block.byteOffset, block.length), file.bytesRead);
    blocks = [];
  };
  try {
    for await (const data of file as AsyncIterable<Buffer>) {
      // In small parts: one of highly compressible text is far larger when unpacked.
      for (let at = 0; at < data.length; at += 2 ** 16) {
        zstd.push(data.subarray(at, at + 2 ** 16));
        yield* take();
      }
    }
    zstd.push(new Uint8Array(0), true);
    yield* take();
  } catch (cause) {
    position.fail('.zst', cause, file.bytesRead);
  } finally {
    file.destroy();
  }
}

/** Leaves out the first `start` bytes of a stream that cannot seek; what they stand for in the file is left out too. */
async function* from(start: number, chunks: AsyncGenerator<Chunk>): AsyncGenerator<Chunk> {
  let skip = start;
  for await (const { data, fileBytes } of chunks) {
    const left = Math.min(skip, data.length);
    skip -= left;
    if (left < data.length) yield { data: data.subarray(left), fileBytes: fileBytes * (1 - left / data.length) };
  }
}

/** Where a decompressor stands: counts for progress and for messages. */
class Position {
  private compressed = 0;
  private unpacked = 0;

  constructor(private readonly path: string) {}

  chunk(data: Buffer, compressed: number): Chunk {
    const fileBytes = compressed - this.compressed;
    this.compressed = compressed;
    this.unpacked += data.length;
    return { data, fileBytes };
  }

  fail(ending: string, cause: unknown, compressed: number): never {
    if (typeof (cause as NodeJS.ErrnoException).syscall === 'string') ioError(this.path, 'a readable file')(cause);
    const reason = (cause as Error).message || String(cause);
    throw new LdlmError(
      'ERR_LDLM_IO',
      `${this.path} must be a whole ${ending} file, got: ${reason} at byte ${compressed} (after ${this.unpacked} bytes of text); it is cut off or damaged: fetch it again`,
      { cause },
    );
  }
}
