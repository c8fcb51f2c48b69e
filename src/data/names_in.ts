// What is in a folder that may not be there yet.

import { readdir } from 'node:fs/promises';
import { ioError } from './io_error.js';

/** The names in `folder`, in order; none if it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    return ioError(folder, 'a new folder')(error);
  });
  return names.sort();
}
