// Writes a text file from pieces so that its name only ever stands for a complete file: a temporary neighbour, fsync, rename.

import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LdlmError } from '../api/errors.js';

/** How many characters are gathered before a write. */
const CHUNK_CHARACTERS = 1 << 16;

async function syncFolder(path: string): Promise<void> {
  // The rename survives a power cut only once the folder is synced. Windows cannot open folders, and needs no sync.
  if (process.platform === 'win32') return;
  await using folder = await open(path, 'r');
  await folder.sync();
}

/** A rename would put a plain file in the place of a device or a pipe. */
async function refuseSpecialFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && !found.isFile()) {
    throw new LdlmError('ERR_LDLM_IO', `${path} must be a new name or a plain file, got a folder, device or pipe. Choose another name`);
  }
}

/**
 * Writes `pieces` to `path`, in order, as UTF-8. An existing file stays whole until the new one is complete.
 * Throws `ERR_LDLM_IO` if the system refuses; what `pieces` throws passes through. Either way no temporary file stays.
 */
export async function writeFileAtomically(path: string, pieces: Iterable<string>): Promise<void> {
  await refuseSpecialFile(path);
  const temporary = `${path}.${process.pid}.tmp`;
  const write = async (): Promise<void> => {
    await using file = await open(temporary, 'w');
    let chunk = '';
    for (const piece of pieces) {
      chunk += piece;
      if (chunk.length < CHUNK_CHARACTERS) continue;
      await file.writeFile(chunk);
      chunk = '';
    }
    await file.writeFile(chunk);
    await file.sync();
  };
  try {
    await write();
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined || error instanceof LdlmError) throw error;
    throw new LdlmError('ERR_LDLM_IO', `${path} must be writable, got: ${message}. Choose another name or make room`, { cause: error });
  }
}
