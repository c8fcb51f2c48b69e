// A file that is written when all the work is done: that it cannot be is better known before.

import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LdlmError } from '../api/errors.js';

/** @throws LdlmError ERR_LDLM_IO if the folder that `file` is to be written into is not there */
export async function requireFolderOf(file: string | undefined): Promise<void> {
  if (file === undefined) return;
  const folder = dirname(file);
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory()) return;
  throw new LdlmError('ERR_LDLM_IO', `${file} must be in a folder that exists, got none named ${folder}. Make it first`);
}
