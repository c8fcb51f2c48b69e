// How many CPU cores tensor work may use. libtorch keeps the number per process, so this is a function and not an option of a model.

import { LdlmError } from './errors.js';
import { loadNative } from './native.js';

/** OpenMP ends the process when it cannot start a thread, so absurd numbers must not reach it. */
export const MOST_THREADS = 1024;

/**
 * Sets the number of CPU cores that tensor work of this process may use, from the next call on. Without it, libtorch takes
 * `OMP_NUM_THREADS` or the physical cores. Loads the addon.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT unless `count` is a whole number in 1..1024
 * @example setThreads(1); // leave the other cores to other work
 */
export function setThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > MOST_THREADS) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `threads must be a whole number in 1..${MOST_THREADS}, got ${count}`);
  }
  loadNative().setThreads(count);
}
