// Whether a folder may be written to without losing what somebody keeps in it.

import { readdir } from 'node:fs/promises';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';

/** The names in `folder`; none if it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    return ioError(folder, 'a new folder')(error);
  });
}

/** @throws LdlmError ERR_LDLM_IO if there is anything in `folder` */
export async function requireEmpty(folder: string, remedy: string): Promise<void> {
  const names = await namesIn(folder);
  if (names.length === 0) return;
  throw new LdlmError('ERR_LDLM_IO', `${folder} must be a new or empty folder, got one with files in it (${names[0]}); choose another, or ${remedy}`);
}
