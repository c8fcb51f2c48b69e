// The non-empty lines of standard input.

import { createInterface } from 'node:readline';
import { LdlmError } from '../api/errors.js';

/** @throws LdlmError ERR_LDLM_INVALID_ARGUMENT if there is none */
export async function stdinLines(): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: process.stdin })) if (line.trim() !== '') lines.push(line);
  if (lines.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'standard input must hold text, one a line, got nothing');
  return lines;
}
