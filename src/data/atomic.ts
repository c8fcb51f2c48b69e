// Files and folders that are either complete or not there. What is written lands under a temporary name, is forced to the
// disk, and only then renamed: a crash or a power cut at any moment leaves the old state or the new one.

import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';

/** How many characters of small pieces are gathered before a write. */
const CHUNK_CHARACTERS = 1 << 16;

/**
 * Writes `data` (text, bytes, or pieces of text in order) to `path`, replacing what was there in one step. Of several who write it at once
 * the last one's stays.
 * @throws LdlmError ERR_LDLM_IO if the system refuses; what the pieces throw passes through. The old file is untouched then, and no
 *   temporary file stays
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array | Iterable<string>): Promise<void> {
  await refuseSpecialFile(path);
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`; // of this call alone: another may write the same file meanwhile
  const chunks = typeof data === 'string' || data instanceof Uint8Array ? [data] : gather(data);
  const write = async (): Promise<void> => {
    await using file = await open(temporary, 'wx');
    for (const chunk of chunks) await file.writeFile(chunk);
    await file.sync();
  };
  try {
    await write(); // closed before the rename: some file systems report a full disk only then
    await rename(temporary, path);
    await sync(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined); // the first failure is the one to tell
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    ioError(path, 'a file that can be written')(error);
  }
}

/** A rename would put a plain file in the place of a device or a pipe. */
async function refuseSpecialFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isFile()) return;
  throw new LdlmError('ERR_LDLM_IO', `${path} must be a new name or a plain file, got a folder, device or pipe. Choose another name`);
}

function* gather(pieces: Iterable<string>): Generator<string> {
  let chunk = '';
  for (const piece of pieces) {
    chunk += piece;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
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
    // A process of the same number may have been killed before it deleted its own.
    await rm(aside, { recursive: true, force: true });
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
