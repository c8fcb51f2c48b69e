// Configures and compiles the addon: libtorch (found or fetched) + toolchain -> CMake -> build/native/ldlm.node.
// What is compiled and how is CMakeLists.txt's business; what is up to date is ninja's.

import { createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { LdlmError } from '../api/errors.js';
import { nativeBuildFolder } from '../api/package_root.js';
import { ioError } from '../data/io_error.js';
import { buildFailure } from './build_failure.js';
import { buildEnvironment, configure, defaultJobs } from './cmake.js';
import { findLibtorch, type Libtorch, type LibtorchVariant } from './libtorch.js';
import { fetchLibtorch } from './libtorch_fetch.js';
import { runCommand } from './run_command.js';
import { findToolchain, toolRemedies, type Toolchain } from './toolchain.js';

export interface NativeBuildOptions {
  /** "auto" builds the CUDA variant where libtorch has CUDA and nvcc is there. */
  variant: LibtorchVariant | 'auto';
  /** Builds the GoogleTest program too. */
  withTests: boolean;
  debug: boolean;
  /** Compiler processes at once; default: what cores and memory allow. */
  jobs?: number;
  /** A line about a new stage. */
  report: (line: string) => void;
  /** Compiled files so far; `total` is only known with ninja or make's per cent (then out of 100). */
  progress: (done: number, total: number) => void;
}

export interface NativeBuildResult {
  /** Absolute path of ldlm.node. */
  addon: string;
  libtorch: Libtorch;
  variant: LibtorchVariant;
}

function requireTools(tools: Toolchain, variant: LibtorchVariant): void {
  const needed = ['cmake', 'compiler', ...(variant === 'cuda' ? ['nvcc'] : [])] as ('cmake' | 'compiler' | 'nvcc')[];
  const missing = needed.filter((name) => tools[name] === null);
  if (missing.length === 0) return;
  const lines = missing.map((name, i) => `  ${i + 1}. ${toolRemedies[name]}`);
  throw new LdlmError('ERR_LDLM_NATIVE', [`building the ${variant} addon needs ${missing.join(', ')}, not found on this machine`, ...lines].join('\n'));
}

const hasNvidiaDriver = (): boolean => existsSync('/proc/driver/nvidia/version');

async function obtainLibtorch(options: NativeBuildOptions): Promise<Libtorch> {
  const { found } = findLibtorch(options.variant);
  if (found !== null) return found;
  // The CUDA libtorch is several GB: it is fetched unasked only where it can be compiled against and used.
  const tools = await findToolchain();
  requireTools(tools, options.variant === 'cuda' ? 'cuda' : 'cpu'); // before half a GB, or several, are fetched for nothing
  const { nvcc } = tools;
  const auto = nvcc !== null && hasNvidiaDriver() ? 'cuda' : 'cpu';
  return fetchLibtorch(options.variant === 'auto' ? auto : options.variant, options.report);
}

/**
 * Builds the addon; when nothing has changed it takes well under 2 s.
 *
 * @throws LdlmError ERR_LDLM_NATIVE (missing tool, failed build: the compiler's first errors and the log's path) or
 *   ERR_LDLM_IO (libtorch could not be fetched).
 */
export async function buildNative(options: NativeBuildOptions): Promise<NativeBuildResult> {
  if (process.platform !== 'linux') {
    throw new LdlmError('ERR_LDLM_NATIVE', `the native addon can be built on linux only, got ${process.platform}`);
  }
  const libtorch = await obtainLibtorch(options);
  const tools = await findToolchain(libtorch.root);
  const variant = options.variant === 'auto' ? (libtorch.cuda && tools.nvcc !== null ? 'cuda' : 'cpu') : options.variant;
  requireTools(tools, variant);
  options.report(`libtorch ${libtorch.version} (${libtorch.source}), ${variant} variant`);

  const folder = nativeBuildFolder();
  const logPath = join(folder, 'build.log');
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new LdlmError('ERR_LDLM_IO', `the build folder ${folder} must be writable: ${(cause as Error).message}`, { cause });
  }
  const log = createWriteStream(logPath);
  const written = finished(log);
  written.catch(() => undefined); // told when the build is over
  try {
    const configured = await configure({ libtorch, tools, variant, withTests: options.withTests, debug: options.debug, log, report: options.report });
    if (configured.code !== 0) throw buildFailure('configuring', configured, logPath);
    const target = options.withTests ? [] : ['--target', 'ldlm_node'];
    const jobs = String(options.jobs ?? defaultJobs());
    const onLine = (line: string): void => {
      const step = /^\[\s*(\d+)(?:\/(\d+)|%)\]/.exec(line);
      if (step) options.progress(Number(step[1]), Number(step[2] ?? 100));
    };
    const built = await runCommand('cmake', ['--build', folder, '--parallel', jobs, ...target], { log, onLine, env: buildEnvironment(tools.nvcc) });
    if (built.code !== 0) throw buildFailure('compiling', built, logPath);
  } finally {
    log.end();
    await written.catch(() => undefined); // the first failure is the one to tell
  }
  await written.catch(ioError(logPath, 'a file that can be written'));
  return { addon: join(folder, 'ldlm.node'), libtorch, variant };
}
