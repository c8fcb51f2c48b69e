// The non-empty lines of standard input.

import { LdlmError } from '../api/errors.js';
import { plainChunks } from '../data/byte_stream.js';
import { splitLines } from '../data/lines.js';

/** @throws LdlmError ERR_LDLM_INVALID_ARGUMENT if there is none, ERR_LDLM_IO if it is not text or a line is too long */
export async function stdinLines(): Promise<string[]> {
  const lines: string[] = [];
  for await (const { text } of splitLines(plainChunks(process.stdin), 'standard input')) if (text.trim() !== '') lines.push(text);
  if (lines.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'standard input must hold text, one a line, got nothing');
  return lines;
}
