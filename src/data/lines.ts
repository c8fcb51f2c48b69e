// The lines of a UTF-8 text file as a stream, with strict limits: a file that is not text, or a line that would not fit in
// memory, is refused with its line number instead of turning into garbage tokens.

import { open } from 'node:fs/promises';
import { TextDecoder } from 'node:util';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';

/** Longest line that is accepted, in bytes. */
export const maxLineBytes = 64 * 2 ** 20;

const chunkBytes = 2 ** 20;
const newline = 0x0a;

export interface Line {
  /** Without its line end (\n or \r\n). */
  text: string;
  /** Counted from 1. */
  number: number;
  /** Length in the file, line end included. */
  bytes: number;
}

/**
 * The lines of `path`, in order; a last line needs no line end.
 * @throws LdlmError ERR_LDLM_IO naming file and line: unreadable, not UTF-8, a NUL byte, a line of more than `limit` bytes
 */
export function readLines(path: string, limit = maxLineBytes): AsyncGenerator<Line> {
  return splitLines(chunksOf(path), path, limit);
}

/**
 * The lines of a stream of bytes such as `process.stdin`; `path` is its name in messages.
 * @throws LdlmError as `readLines` does
 */
export async function* splitLines(chunks: AsyncIterable<Buffer>, path: string, limit = maxLineBytes): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 0;
  let parts: Buffer[] = []; // the pieces of the line so far: it may span chunks
  let partBytes = 0;

  const take = (piece: Buffer): void => {
    parts.push(piece);
    partBytes += piece.length;
    if (partBytes <= limit) return;
    throw new LdlmError('ERR_LDLM_IO', `${path}:${number + 1} must be a line of at most ${limit} bytes, got more; split the document into lines`);
  };
  const line = (lineEndBytes: number): Line => {
    number++;
    const bytes = partBytes + lineEndBytes;
    const raw = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    parts = [];
    partBytes = 0;
    return { text: decode(raw, decoder, path, number), number, bytes };
  };

  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      take(chunk.subarray(start, end));
      yield line(1);
      start = end + 1;
    }
    if (start < chunk.length) take(chunk.subarray(start));
  }
  if (partBytes > 0) yield line(0);
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  await using file = await open(path, 'r').catch(ioError(path, 'a readable file'));
  for (;;) {
    // A new buffer for each chunk: pieces of unfinished lines keep pointing into it.
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(chunkBytes)).catch(ioError(path, 'a readable file'));
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

function decode(raw: Buffer, decoder: TextDecoder, path: string, number: number): string {
  if (raw.includes(0)) throw new LdlmError('ERR_LDLM_IO', `${path}:${number} must be text, got a NUL byte: is this a binary or UTF-16 file?`);
  try {
    const text = decoder.decode(raw);
    return text.endsWith('\r') ? text.slice(0, -1) : text;
  } catch (cause) {
    throw new LdlmError('ERR_LDLM_IO', `${path}:${number} must be UTF-8 text, got other bytes; convert the file first (iconv)`, { cause });
  }
}
