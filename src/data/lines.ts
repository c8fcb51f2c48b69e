// The lines of a UTF-8 text file (also compressed) as a stream, with strict limits: a line that would not fit in memory is refused with
// its number, and bytes that are no text are refused or replaced, but never turned into garbage tokens unnoticed.

import { isUtf8 } from 'node:buffer';
import { LdlmError } from '../api/errors.js';
import { readBytes, type Chunk } from './byte_stream.js';
import { repairText, type InvalidText } from './invalid_text.js';

/** Longest line that is accepted, in bytes. */
export const maxLineBytes = 64 * 2 ** 20;

const newline = 0x0a;

export interface Line {
  /** Without its line end (\n or \r\n). */
  text: string;
  /** Counted from 1. */
  number: number;
  /** Bytes of the file that it stands for, line end included; a share of the compressed bytes is not whole. */
  bytes: number;
  /** Where it ends in the decompressed text, in bytes. */
  end: number;
  /** Something that is no text was replaced. */
  repaired: boolean;
}

export interface ReadLinesOptions {
  /** Longest line in bytes; default `maxLineBytes`. */
  limit?: number;
  invalid?: InvalidText;
  /** Continues behind the line that had this number and end; default: from the beginning. */
  after?: { number: number; end: number };
}

/**
 * The lines of `path`, in order; a last line needs no line end.
 * @throws LdlmError ERR_LDLM_IO naming file and line: unreadable, damaged, not UTF-8, a NUL byte, a line over the limit
 */
export function readLines(path: string, options: ReadLinesOptions = {}): AsyncGenerator<Line> {
  return splitLines(readBytes(path, options.after?.end ?? 0), path, options);
}

/**
 * The lines of a stream of bytes; `path` is its name in messages.
 * @throws LdlmError as `readLines` does
 */
export async function* splitLines(pieces: AsyncIterable<Chunk>, path: string, options: ReadLinesOptions = {}): AsyncGenerator<Line> {
  const { limit = maxLineBytes, invalid = 'stop', after = { number: 0, end: 0 } } = options;
  let { number, end } = after;
  let parts: Buffer[] = []; // the pieces of the line so far: it may span chunks
  let length = 0;
  let bytes = 0;

  const take = (piece: Buffer, fileBytes: number): void => {
    parts.push(piece);
    length += piece.length;
    bytes += fileBytes;
    if (length <= limit) return;
    throw new LdlmError('ERR_LDLM_IO', `${path}:${number + 1} must be a line of at most ${limit} bytes, got more; split the document into lines`);
  };
  const line = (lineEnd: number): Line => {
    number++;
    end += length + lineEnd;
    const { text, repaired } = decode(parts.length === 1 ? parts[0]! : Buffer.concat(parts), `${path}:${number}`, number === 1, invalid);
    const result = { text, number, bytes, end, repaired };
    [parts, length, bytes] = [[], 0, 0];
    return result;
  };

  for await (const { data, fileBytes } of pieces) {
    const share = fileBytes / data.length;
    let start = 0;
    for (let at = data.indexOf(newline); at >= 0; at = data.indexOf(newline, start)) {
      take(data.subarray(start, at), (at - start + 1) * share);
      yield line(1);
      start = at + 1;
    }
    if (start < data.length) take(data.subarray(start), (data.length - start) * share);
  }
  if (length > 0) yield line(0);
}

function decode(raw: Buffer, place: string, first: boolean, invalid: InvalidText): { text: string; repaired: boolean } {
  let text = raw.toString('utf8'); // puts U+FFFD where the bytes are no UTF-8
  if (first && text.startsWith('\ufeff')) text = text.slice(1); // a byte order mark is no text
  if (text.endsWith('\r')) text = text.slice(0, -1);
  return repairText(text, isUtf8(raw), place, invalid);
}
