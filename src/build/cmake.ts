// The CMake configure step: which definitions the native build gets, and whether it must be configured again.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { nativeBuildFolder, packageRoot } from '../api/package_root.js';
import type { Libtorch, LibtorchVariant } from './libtorch.js';
import { runCommand, type CommandResult } from './run_command.js';
import type { Toolchain } from './toolchain.js';

/** GPU generations that are compiled for unless LDLM_CUDA_ARCHITECTURES says otherwise: Ampere and Hopper. */
const defaultArchitectures = '80-real;90a-real';
/** A C++ file that includes libtorch's headers takes this much memory to compile. */
const bytesPerJob = 2e9;

export interface ConfigureOptions {
  libtorch: Libtorch;
  tools: Toolchain;
  variant: LibtorchVariant;
  withTests: boolean;
  debug: boolean;
  log: Writable;
  report: (line: string) => void;
}

/** Compiler processes to run at once: one a core, as far as memory reaches. */
export function defaultJobs(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / bytesPerJob)));
}

// node-api-headers is a dependency of cmake-js, so it is resolved from there.
function napiIncludes(cmakeJs: string): string {
  const headers = dirname(createRequire(cmakeJs).resolve('node-api-headers/package.json'));
  const wrapper = dirname(createRequire(import.meta.url).resolve('node-addon-api/package.json'));
  return `${join(headers, 'include')};${wrapper}`;
}

function definitions(options: ConfigureOptions, cmakeJs: string, tests: boolean): Record<string, string> {
  const { libtorch, tools, variant } = options;
  const nvcc = variant === 'cuda' ? tools.nvcc : null;
  return {
    LDLM_TORCH_ROOT: libtorch.root,
    LDLM_NAPI_INCLUDES: napiIncludes(cmakeJs),
    LDLM_TESTS: tests ? 'ON' : 'OFF',
    LDLM_CUDA: nvcc ? 'ON' : 'OFF',
    ...(nvcc && {
      CMAKE_CUDA_COMPILER: nvcc.command,
      CUDAToolkit_ROOT: dirname(dirname(nvcc.command)),
      CMAKE_CUDA_ARCHITECTURES: process.env.LDLM_CUDA_ARCHITECTURES || defaultArchitectures,
    }),
  };
}

/**
 * Environment of configure and build. pip's CUDA compiler has its libraries in lib/, but tells the linker to look in
 * lib64/; LIBRARY_PATH mends that.
 */
export function buildEnvironment(nvcc: Toolchain['nvcc']): NodeJS.ProcessEnv {
  if (nvcc === null) return process.env;
  const toolkit = dirname(dirname(nvcc.command));
  if (!existsSync(join(toolkit, 'lib', 'libcudart_static.a')) || existsSync(join(toolkit, 'lib64'))) return process.env;
  const folders = [join(toolkit, 'lib'), process.env.LIBRARY_PATH].filter(Boolean);
  return { ...process.env, LIBRARY_PATH: folders.join(':') };
}

/**
 * Configures build/native when its settings differ from those of the last time; otherwise returns at once. A change
 * of CMakeLists.txt itself is noticed by the build.
 */
export async function configure(options: ConfigureOptions): Promise<CommandResult> {
  const root = packageRoot();
  const folder = nativeBuildFolder();
  const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
  const stamp = join(folder, 'configured.json');
  const previous = existsSync(stamp) && existsSync(join(folder, 'CMakeCache.txt')) ? readFileSync(stamp, 'utf8') : '';

  const settings = (tests: boolean): string =>
    JSON.stringify({ root, debug: options.debug, ninja: options.tools.ninja !== null, compiler: options.tools.compiler, ...definitions(options, cmakeJs, tests) }, null, 1);
  // A folder once configured with tests stays so: otherwise `npm test` and `ldlm build` in turn would configure again each time.
  if (previous === settings(true) || (!options.withTests && previous === settings(false))) return { code: 0, output: '' };

  options.report('configuring');
  // The old cache may name another generator, compiler or source folder; objects that still fit are kept.
  for (const name of [stamp, join(folder, 'CMakeCache.txt')]) rmSync(name, { force: true });
  const defined = Object.entries(definitions(options, cmakeJs, options.withTests)).map(([key, value]) => `--CD${key}=${value}`);
  // cmake-js knows the generator and Node's settings; with binary.napi_versions in package.json it downloads nothing.
  const args = [cmakeJs, 'configure', '--directory', root, '--out', folder, ...(options.debug ? ['--debug'] : []), ...defined];
  const result = await runCommand(process.execPath, args, { cwd: root, log: options.log, env: buildEnvironment(options.tools.nvcc) });
  if (result.code === 0) writeFileSync(stamp, settings(options.withTests));
  return result;
}
