// `ldlm build`: finds or fetches libtorch and compiles the native addon. Progress goes to stderr.

import { Command, InvalidArgumentError, Option } from 'commander';
import { buildNative, type NativeBuildOptions } from '../build/native_build.js';

interface BuildFlags {
  variant: NativeBuildOptions['variant'];
  withTests: boolean;
  debug: boolean;
  jobs?: number;
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError(`must be a positive whole number, got ${text}`);
  return Number(text);
}

function progressLine(): { show: (done: number, total: number) => void; end: () => void } {
  const start = Date.now();
  let nextTenth = 1;
  const text = (done: number, total: number): string =>
    `compiling ${done} of ${total} (${((Date.now() - start) / 1000).toFixed(0)} s)`;
  const show = (done: number, total: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text(done, total)}`);
    else if (done * 10 >= nextTenth * total) {
      process.stderr.write(text(done, total) + '\n');
      nextTenth = Math.floor((done * 10) / total) + 1;
    }
  };
  return { show, end: () => void (process.stderr.isTTY && process.stderr.write('\r\x1b[K')) };
}

async function build(flags: BuildFlags): Promise<void> {
  const start = Date.now();
  const line = progressLine();
  const report = (text: string): void => {
    line.end();
    process.stderr.write(text + '\n');
  };
  try {
    const { addon } = await buildNative({ ...flags, report, progress: line.show });
    report(`built ${addon} in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  } finally {
    line.end();
  }
}

/** The `build` command. */
export function buildCommand(): Command {
  return new Command('build')
    .description('find or fetch libtorch and compile the native addon')
    .addOption(new Option('--variant <name>', 'cuda needs nvcc; auto takes it where it can').choices(['auto', 'cpu', 'cuda']).default('auto'))
    .option('--with-tests', 'compile the native tests too (needs GoogleTest)', false)
    .option('--debug', 'compile without optimisation, with assertions', false)
    .option('--jobs <n>', 'compiler processes at once (default: what cores and memory allow)', positiveInteger)
    .addHelpText('after', `
Environment:
  LDLM_LIBTORCH=<folder>       the libtorch to use (LIBTORCH is read too)
  LDLM_USE_PYTORCH=1           use the torch of python3
  LDLM_CACHE=<folder>          where a fetched libtorch is kept (default ~/.cache/ldlm)
  LDLM_ANY_LIBTORCH=1          take any version of libtorch
  LDLM_CUDA_ARCHITECTURES=...  GPU generations to compile for, e.g. "80-real;90a-real"`)
    .action(build);
}
