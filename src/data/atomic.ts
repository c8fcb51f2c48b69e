// Files and folders that are either complete or not there. What is written lands under a temporary name, is forced to the
// disk, and only then renamed: a crash or a power cut at any moment leaves the old state or the new one.

import { open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ioError } from './io_error.js';

/**
 * Writes `data` to `path`, replacing what was there in one step.
 * @throws LdlmError ERR_LDLM_IO; the old file is untouched then
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await using file = await open(temporary, 'w');
    await file.writeFile(data);
    await file.sync();
    await rename(temporary, path);
    await sync(dirname(path));
  } catch (cause) {
    await rm(temporary, { force: true });
    ioError(path, 'a file that can be written')(cause);
  }
}

/**
 * Forces every file of `temporary` (a folder without subfolders, next to `target`) to the disk and renames it to `target`.
 * An existing target is refused unless `replace`: then it is moved aside first and deleted last.
 * @throws LdlmError ERR_LDLM_IO; an existing target is back in place then
 */
export async function syncAndRename(temporary: string, target: string, options: { replace?: boolean } = {}): Promise<void> {
  const aside = `${target}.${process.pid}.old`;
  let moved = false;
  try {
    for (const name of await readdir(temporary)) await sync(join(temporary, name));
    await sync(temporary);
    if (options.replace) moved = await rename(target, aside).then(() => true, ignoreMissing);
    // Renaming onto a folder with files in it fails, so nothing is overwritten that was not asked for.
    await rename(temporary, target);
    await sync(dirname(target));
  } catch (cause) {
    if (moved) await rename(aside, target).catch(() => undefined);
    ioError(target, 'a new folder')(cause);
  }
  await rm(aside, { recursive: true, force: true });
}

/** Forces a file, or the list of names in a folder, to the disk. Windows cannot open folders and keeps their names safe itself. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (process.platform === 'win32') return undefined;
    throw error;
  });
  try {
    await handle?.sync();
  } finally {
    await handle?.close();
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): false {
  if (error.code === 'ENOENT') return false;
  throw error;
}
