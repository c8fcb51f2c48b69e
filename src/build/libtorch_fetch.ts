// Fetches libtorch: a torch wheel is a libtorch, so pip installs it into a temporary folder of the cache, which is
// renamed when complete. An interrupted fetch leaves nothing that could be taken for a libtorch.

import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { cacheFolder, cachedLibtorch, fetchedVersion, inspectLibtorch, type Libtorch, type LibtorchVariant } from './libtorch.js';
import { firstLine, runCommand } from './run_command.js';

/** Bytes on disk while fetching: the unpacked wheel and pip's own copy of the download. */
const bytesNeeded: Record<LibtorchVariant, number> = { cpu: 2e9, cuda: 9e9 };

const otherWays = [
  'use the torch of a Python: LDLM_USE_PYTORCH=1 npx ldlm build',
  'name a libtorch on this machine: LDLM_LIBTORCH=<folder with lib/ and include/> npx ldlm build',
];

function failure(message: string, solutions: string[], cause?: unknown): LdlmError {
  const lines = [...solutions, ...otherWays].map((solution, i) => `  ${i + 1}. ${solution}`);
  return new LdlmError('ERR_LDLM_IO', [message, ...lines].join('\n'), cause === undefined ? undefined : { cause });
}

/** The Python that fetches: that of the active virtual environment, else python3. */
export function pythonCommand(env: NodeJS.ProcessEnv = process.env): string {
  return env.VIRTUAL_ENV ? join(env.VIRTUAL_ENV, 'bin', 'python') : 'python3';
}

/** What a failed pip run means, from its output. */
export function pipFailure(output: string, folder: string): LdlmError {
  const tail = output.split('\n').slice(-15).join('\n');
  const table: [RegExp, string, string[]][] = [
    [/No space left on device|Errno 28/, `the disk is full while fetching libtorch into ${folder}`, ['free some space', 'put the cache on a larger disk: LDLM_CACHE=<folder>', 'give pip a larger place to unpack: TMPDIR=<folder>']],
    [/NewConnectionError|name resolution|Name or service not known|Network is unreachable|ProxyError|ConnectTimeout|ReadTimeout|Connection (?:refused|broken|reset)|SSLError|\(from versions: none\)/,
      'pip cannot reach a package index that has torch', [`connect this machine (torch ${fetchedVersion} needs CPython 3.10 to 3.14), or set the proxy that pip is to use: HTTPS_PROXY=<address>`, 'name a reachable package mirror: PIP_INDEX_URL=<address>']],
    [/Permission denied|Errno 13/, `pip may not write to ${folder}`, ['put the cache where you may write: LDLM_CACHE=<folder>']],
    [/Could not find a version|No matching distribution|is not a supported wheel/, `there is no torch ${fetchedVersion} wheel for this Python and machine (${process.platform} ${process.arch})`,
      ['use CPython 3.10 to 3.14 on 64-bit Linux, and pip 21 or later (python3 -m pip install --upgrade pip)']],
  ];
  const [, message, solutions] = table.find(([pattern]) => pattern.test(output)) ?? [/./, 'pip failed to fetch libtorch', ['read what pip said and try again: npx ldlm build']];
  return failure(`${message}. The last that pip said:\n${tail.replace(/^/gm, '    ')}`, solutions, output);
}

function checkPython(python: string): void {
  if (firstLine(python, ['--version']) === null) {
    throw failure(`fetching libtorch needs ${python}, which could not be run`, ['install Python 3 with pip (Debian: apt-get install python3 python3-pip)']);
  }
  if (firstLine(python, ['-m', 'pip', '--version']) === null) {
    throw failure(`fetching libtorch needs pip, and "${python} -m pip" does not run`, ['install pip (Debian: apt-get install python3-pip; elsewhere: python3 -m ensurepip)']);
  }
}

function checkSpace(folder: string, variant: LibtorchVariant): void {
  const { bavail, bsize } = statfsSync(folder);
  const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(1);
  if (bavail * bsize >= bytesNeeded[variant]) return;
  throw failure(`${folder} must have ${gigabytes(bytesNeeded[variant])} GB free to fetch the ${variant} libtorch, got ${gigabytes(bavail * bsize)} GB`, [
    'free some space',
    'put the cache on a larger disk: LDLM_CACHE=<folder>',
  ]);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function removeLeftovers(cache: string): void {
  for (const name of readdirSync(cache)) {
    const pid = /^\.fetch-\w+-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

// On PyPI the Linux wheel is a CUDA build whose libtorch_cpu.so itself needs libcudart and libcupti, and nothing else
// of CUDA. A wheel from a CPU-only index has no libtorch_cuda.so and needs neither.
function cpuCompanions(torch: string): string[] {
  if (!existsSync(join(torch, 'lib', 'libtorch_cuda.so'))) return [];
  const cuda = /^cuda[^=]*=\s*'(\d+\.\d+)'/m.exec(readFileSync(join(torch, 'version.py'), 'utf8'))?.[1] ?? '13.0';
  return [`nvidia-cuda-runtime==${cuda}.*`, `nvidia-cuda-cupti==${cuda}.*`];
}

/**
 * Fetches one variant of libtorch into the cache by pip (cpu: about 530 MB to download, 1.2 GB on disk; cuda:
 * several GB) and returns it.
 *
 * @param report receives a line of progress now and then.
 * @throws LdlmError ERR_LDLM_IO with numbered ways to mend it: no python3, no pip, offline, disk full, no wheel.
 */
export async function fetchLibtorch(variant: LibtorchVariant, report: (line: string) => void = () => {}): Promise<Libtorch> {
  const python = pythonCommand();
  checkPython(python);
  const cache = cacheFolder();
  const target = cachedLibtorch(variant);
  const temporary = join(cache, `.fetch-${variant}-${process.pid}`);
  try {
    mkdirSync(temporary, { recursive: true });
  } catch (cause) {
    throw failure(`the cache folder ${cache} must be writable: ${(cause as Error).message}`, ['put the cache where you may write: LDLM_CACHE=<folder>'], cause);
  }
  try {
    removeLeftovers(cache);
    checkSpace(cache, variant);
    const install = async (...what: string[]): Promise<void> => {
      const { code, output } = await runCommand(python, ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-compile', '--target', temporary, ...what]);
      if (code !== 0) throw pipFailure(output, cache);
    };
    report(`fetching torch ${fetchedVersion} (${variant === 'cpu' ? 'about 0.5 GB' : 'several GB'}) with pip into ${dirname(target)}`);
    const torch = `torch==${fetchedVersion}`;
    if (variant === 'cuda') {
      await install(torch);
    } else {
      await install('--no-deps', torch);
      const companions = cpuCompanions(join(temporary, 'torch'));
      if (companions.length > 0) await install('--no-deps', ...companions);
    }
    const checked = inspectLibtorch(temporary, 'fetched');
    if (typeof checked === 'string') throw failure(`the torch wheel that pip installed ${checked}`, ['try again: npx ldlm build']);
    moveIntoPlace(temporary, target);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  const result = inspectLibtorch(target, 'fetched');
  if (typeof result === 'string') throw failure(`the fetched libtorch ${target} ${result}`, [`delete ${target} and try again: npx ldlm build`]);
  return result;
}

function moveIntoPlace(temporary: string, target: string): void {
  // An unusable folder in the way (it was looked at before fetching) is replaced; one that a parallel fetch has just
  // completed is kept.
  if (existsSync(target) && typeof inspectLibtorch(target, 'cache') !== 'string') return;
  rmSync(target, { recursive: true, force: true });
  renameSync(temporary, target);
}
