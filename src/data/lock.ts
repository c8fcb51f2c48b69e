// One writer a folder: a lock file that names its owner. A lock whose owner has died is taken over, so that a killed run can be
// resumed at once; one held on another machine never is, because nobody here can tell whether that owner lives.

import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { LdlmError } from '../api/errors.js';
import { ioError } from './io_error.js';

export const lockName = '.lock';

/** How long a lock may name nobody before it is a dead one's. Writing the name takes less than a millisecond. */
const patienceMs = 2500;

/** Who holds a lock. `started` tells a process from a later one that got the same number; null where the system does not say. */
const ownerSchema = z.object({ pid: z.int(), host: z.string(), started: z.string().nullable() });
type Owner = z.infer<typeof ownerSchema>;

/** A held lock; disposing it (again and again, if you like) releases it. */
export interface FolderLock extends AsyncDisposable {
  readonly file: string;
}

/**
 * Locks `dir` (made if missing) for this process.
 * @throws LdlmError ERR_LDLM_STATE if a live process holds it, ERR_LDLM_IO if the folder cannot be written
 * @example await using lock = await lockFolder('runs/tiny');
 */
export async function lockFolder(dir: string): Promise<FolderLock> {
  const file = join(dir, lockName);
  const me: Owner = { pid: process.pid, host: hostname(), started: (await processState(process.pid)).started };
  await mkdir(dir, { recursive: true }).catch(ioError(dir, 'a folder that can be written'));
  while (!(await create(file, me))) await removeStale(file, dir);
  await removeAsides(dir);
  let held = true;
  return {
    file,
    async [Symbol.asyncDispose]() {
      if (held) await rm(file, { force: true });
      held = false;
    },
  };
}

/** Creates the lock file; false if there is one. */
async function create(file: string, owner: Owner): Promise<boolean> {
  const handle = await open(file, 'wx').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined;
    return ioError(file, 'a lock file that can be written')(error);
  });
  if (!handle) return false;
  try {
    await handle.writeFile(JSON.stringify(owner)).finally(() => handle.close());
  } catch (error) {
    await rm(file, { force: true }); // an empty lock would keep others out for a while
    ioError(file, 'a lock file that can be written')(error);
  }
  return true;
}

/** Removes the lock if its owner is dead, else throws. */
async function removeStale(file: string, dir: string): Promise<void> {
  const found = await readNamed(file);
  if (!found) return;
  if (found.owner && (await isAlive(found.owner))) {
    throw new LdlmError(
      'ERR_LDLM_STATE',
      `${dir} must be used by one process at a time, got a lock of process ${found.owner.pid} on ${found.owner.host}; wait for it, use another folder, or delete ${file} if you are sure that it is dead`,
    );
  }
  // Another process may take the dead lock over at the same moment. Moving it away is atomic, and shows what was moved.
  const aside = `${file}.${process.pid}`;
  await rename(file, aside).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') ioError(file, 'a lock file that can be moved')(error);
  });
  const moved = await identityOf(aside);
  if (moved !== null && moved !== found.identity) await rename(aside, file);
  else await rm(aside, { force: true });
}

/** Removes what processes left that were killed while they took a lock over. Leftovers do no harm, so what refuses to go may stay. */
async function removeAsides(dir: string): Promise<void> {
  for (const name of await readdir(dir).catch(() => [])) {
    const pid = name.startsWith(`${lockName}.`) ? Number(name.slice(lockName.length + 1)) : NaN;
    if (Number.isInteger(pid) && !(await isAlive({ pid, host: hostname(), started: null }))) await rm(join(dir, name), { force: true }).catch(() => undefined);
  }
}

/** A lock as it was found; `owner` is undefined if it named nobody for a while: its owner was killed before it wrote its name. */
async function readNamed(file: string): Promise<{ owner: Owner | undefined; identity: string | null } | null> {
  const patienceEnds = performance.now() + patienceMs;
  for (;;) {
    const identity = await identityOf(file); // before the text: a lock that changes in between is not the one that was judged
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : ioError(file, 'a lock file that can be read')(error)));
    if (text === null) return null;
    const owner = parseOwner(text);
    if (owner || performance.now() > patienceEnds) return { owner, identity };
    await pause(20);
  }
}

/** Tells a file from a later one of the same name; null if there is none. */
async function identityOf(file: string): Promise<string | null> {
  const entry = await stat(file, { bigint: true }).catch(() => null);
  return entry && `${entry.ino} ${entry.mtimeNs}`;
}

function parseOwner(text: string): Owner | undefined {
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  if (owner.host !== hostname()) return true;
  if (owner.pid <= 0) return false; // a group of processes to kill(), not one
  const { state, started } = await processState(owner.pid);
  if (state === 'Z') return false; // it has ended, and waits for its parent to take note
  if (owner.started !== null && started !== null) return owner.started === started;
  try {
    process.kill(owner.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** State letter and start time (ticks since boot) of a process from /proc; nulls where there is none. */
async function processState(pid: number): Promise<{ state: string | null; started: string | null }> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the program's name in parentheses, and may hold anything; the third follows the last ')'.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields?.[0] ?? null, started: fields?.[19] ?? null };
}
