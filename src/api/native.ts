// The only loader of the native addon. It runs on the first call that needs C++, never at import: libtorch takes
// 0.4 to 1.3 s to load, and types, `--help` and data tools must work without it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { addonMissing, addonRefused } from './native_errors.js';
import type { NativeAddon } from './native_types.js';
import { nativeBuildFolder } from './package_root.js';

export { wrapNativeError } from './native_errors.js';
export type { NativeAddon } from './native_types.js';

let loaded: NativeAddon | undefined;

/** The addon file that `loadNative` opens: LDLM_ADDON, else build/native/ldlm.node of this package. */
export function addonPath(): string {
  return process.env.LDLM_ADDON || join(nativeBuildFolder(), 'ldlm.node');
}

/**
 * Loads the addon (and with it libtorch) once, and returns it.
 *
 * @throws LdlmError ERR_LDLM_NATIVE that says what is wrong and lists numbered ways to mend it.
 */
export function loadNative(): NativeAddon {
  loaded ??= open(addonPath());
  return loaded;
}

/**
 * Ends the process without waiting for native work: process.exit() would wait for the job in flight, which may be a long step. What is on
 * disk stays valid, since files and checkpoints are renamed when complete.
 */
export function exitNow(code: number): never {
  if (loaded) loaded.exitNow(code);
  process.exit(code);
}

function open(path: string): NativeAddon {
  if (!existsSync(path)) throw addonMissing(path, Boolean(process.env.LDLM_ADDON));
  // Idle OpenMP threads must sleep, not spin: with two threads on a machine whose second core was busy, spinning made
  // training 5 to 7 times slower. libgomp reads both when it is loaded, so they are set before. (In a worker thread
  // process.env is a copy and this has no effect unless the main thread has loaded the addon.)
  process.env.OMP_WAIT_POLICY ??= 'passive';
  process.env.GOMP_SPINCOUNT ??= '0';
  const holder = { exports: {} as NativeAddon };
  try {
    process.dlopen(holder, path);
  } catch (error) {
    throw addonRefused(path, error);
  }
  const addon = holder.exports;
  // process.exit() and an uncaught throw run no Node-API cleanup hook, but do run libtorch's static destructors:
  // the executor must have stopped by then.
  process.on('exit', () => addon.shutdown());
  return addon;
}
