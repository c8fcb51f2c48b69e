// Finds a prebuilt libtorch: environment -> the torch of a Python, if LDLM_USE_PYTORCH=1 asks for it -> cache filled by `ldlm build` -> the
// torch of an active virtual environment. The first hit wins and everything tried is remembered for the message. Looks only; libtorch_fetch.ts downloads.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { firstLine } from './run_command.js';

export type LibtorchVariant = 'cpu' | 'cuda';

/** The version that `ldlm build` fetches when none is found. */
export const fetchedVersion = '2.13.0';
const oldestMinor = 11;
const newestMinor = 14;

export interface Libtorch {
  /** Folder that holds lib/ and include/. */
  root: string;
  /** Such as "2.13.0". */
  version: string;
  /** True when the CUDA libraries and what they depend on are there, so that a CUDA addon can be linked and loaded. */
  cuda: boolean;
  /** Which step of the ladder found it, e.g. "LDLM_LIBTORCH". */
  source: string;
}

export interface LibtorchSearch {
  found: Libtorch | null;
  /** One line for each place looked at before (and without) success. */
  tried: string[];
}

type Environment = Record<string, string | undefined>;

/** LDLM_CACHE, else XDG_CACHE_HOME/ldlm, else ~/.cache/ldlm. */
export function cacheFolder(env: Environment = process.env): string {
  if (env.LDLM_CACHE) return resolve(env.LDLM_CACHE);
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ldlm');
}

/** Where the fetched libtorch of one variant lies; its root is the folder torch/ inside. */
export function cachedLibtorch(variant: LibtorchVariant, env: Environment = process.env): string {
  return join(cacheFolder(env), `libtorch-${fetchedVersion}-${variant}`);
}

function readVersion(root: string): string | null {
  // 2.13 moved the numbers to torch/headeronly; version.py is there in a wheel only.
  const headers = ['include/torch/headeronly/version.h', 'include/torch/csrc/api/include/torch/version.h'];
  for (const header of headers) {
    const path = join(root, header);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`#define TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1]);
    if (parts.every((part) => part !== undefined)) return parts.join('.');
  }
  const script = join(root, 'version.py');
  if (!existsSync(script)) return null;
  return /__version__\s*=\s*'(\d+\.\d+\.\d+)/.exec(readFileSync(script, 'utf8'))?.[1] ?? null;
}

// A CUDA wheel holds libtorch_cuda.so even when it was installed without the nvidia packages (that is our CPU
// variant); then libcublas is missing beside it and nothing linked to libtorch_cuda.so would load.
function hasCuda(root: string): boolean {
  if (!existsSync(join(root, 'lib', 'libtorch_cuda.so'))) return false;
  const nvidia = join(dirname(root), 'nvidia');
  if (!existsSync(nvidia)) return true; // not a wheel: the CUDA libraries are in lib/ or on the system
  const folders = readdirSync(nvidia).map((name) => join(nvidia, name, 'lib'));
  return folders.some((lib) => existsSync(lib) && readdirSync(lib).some((name) => name.startsWith('libcublas.so')));
}

/**
 * Reads what kind of libtorch a folder holds: the folder with lib/ and include/, or the one that holds it as torch/.
 *
 * @returns the libtorch, or a phrase that says why the folder is not usable.
 */
export function inspectLibtorch(folder: string, source: string, env: Environment = process.env): Libtorch | string {
  const root = [resolve(folder), resolve(folder, 'torch')].find((path) => existsSync(join(path, 'include', 'ATen', 'ATen.h')));
  if (root === undefined) return existsSync(folder) ? 'holds no include/ATen/ATen.h' : 'does not exist';
  for (const library of ['libtorch_cpu.so', 'libc10.so']) {
    if (!existsSync(join(root, 'lib', library))) return `holds no lib/${library}`;
  }
  const version = readVersion(root);
  if (version === null) return 'does not tell its version (include/torch/csrc/api/include/torch/version.h or version.py)';
  const [major, minor] = version.split('.').map(Number) as [number, number];
  if ((major !== 2 || minor < oldestMinor || minor > newestMinor) && env.LDLM_ANY_LIBTORCH !== '1') {
    return `is version ${version}; it must be 2.${oldestMinor} to 2.${newestMinor} (LDLM_ANY_LIBTORCH=1 takes any)`;
  }
  return { root, version, cuda: hasCuda(root), source };
}

interface Rung {
  source: string;
  folder: string;
  /** Named by the user for this package: a wrong folder is an error, not a reason to look elsewhere. */
  strict?: boolean;
}

const asksForPython = (env: Environment): boolean => env.LDLM_USE_PYTORCH === '1';

function pythonRung(env: Environment, tried: string[]): Rung[] {
  if (!asksForPython(env) && !env.VIRTUAL_ENV) {
    tried.push('Python: not asked for (LDLM_USE_PYTORCH is not 1 and no virtual environment is active)');
    return [];
  }
  const python = env.VIRTUAL_ENV ? join(env.VIRTUAL_ENV, 'bin', 'python') : 'python3';
  // find_spec does not import torch, which would take seconds.
  const script = "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')";
  const folder = firstLine(python, ['-c', script]);
  if (folder) return [{ source: `torch of ${python}`, folder, strict: asksForPython(env) }];
  const reason = `${python} ${folder === null ? 'could not be run' : 'has no torch'}`;
  if (asksForPython(env)) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `LDLM_USE_PYTORCH=1 must find the torch of a Python, but ${reason}`);
  tried.push(`Python: ${reason}`);
  return [];
}

/**
 * Walks the ladder.
 *
 * @param variant what is wanted: "cuda" skips a libtorch without CUDA; "auto" takes any, CUDA first in the cache.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT when what LDLM_LIBTORCH or LDLM_USE_PYTORCH asks for is not usable.
 */
export function findLibtorch(variant: LibtorchVariant | 'auto' = 'auto', env: Environment = process.env): LibtorchSearch {
  const tried: string[] = [];
  const cached: LibtorchVariant[] = variant === 'auto' ? ['cuda', 'cpu'] : variant === 'cuda' ? ['cuda'] : ['cpu', 'cuda'];
  const named: Rung[] = [
    ...(env.LDLM_LIBTORCH ? [{ source: 'LDLM_LIBTORCH', folder: env.LDLM_LIBTORCH, strict: true }] : []),
    ...(env.LIBTORCH ? [{ source: 'LIBTORCH', folder: env.LIBTORCH }] : []),
  ];
  const fetched: Rung[] = [
    ...cached.map((kind) => ({ source: `cache (${kind})`, folder: cachedLibtorch(kind, env) })),
  ];
  if (!env.LDLM_LIBTORCH && !env.LIBTORCH) tried.push('LDLM_LIBTORCH, LIBTORCH: not set');
  const climb = (rungs: Rung[]): Libtorch | null => {
    for (const { source, folder, strict } of rungs) {
      const result = inspectLibtorch(folder, source, env);
      const reason = typeof result === 'string' ? result : variant === 'cuda' && !result.cuda ? 'has no CUDA libraries' : null;
      if (reason === null) return result as Libtorch;
      if (strict) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `${source} must be a usable libtorch folder, got ${folder}, which ${reason}`);
      tried.push(`${source}: ${folder} ${reason}`);
    }
    return null;
  };
  // The Python rung starts a process, so it is prepared only when it is asked for or the others have failed.
  const python = (): Libtorch | null => climb(pythonRung(env, tried));
  const found = climb(named) ?? (asksForPython(env) ? python() : (climb(fetched) ?? python()));
  return { found, tried };
}

/** The message for a libtorch that was not found: everything tried and the three ways to mend it. */
export function libtorchMissingMessage(tried: string[]): string {
  return [
    'no usable libtorch was found. Tried:',
    ...tried.map((line) => `  - ${line}`),
    'Ways to mend it:',
    `  1. fetch libtorch ${fetchedVersion} into the cache (needs python3 with pip): npx ldlm build`,
    '  2. use the torch of a Python: activate its virtual environment, or LDLM_USE_PYTORCH=1 npx ldlm build',
    '  3. name a libtorch on this machine: LDLM_LIBTORCH=<folder with lib/ and include/> npx ldlm build',
  ].join('\n');
}
