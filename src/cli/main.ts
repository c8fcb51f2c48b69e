#!/usr/bin/env node
// The `ldlm` program: picks the command, and turns what it throws into a message and an exit code
// (0 success, 1 failure, 2 wrong usage). What the commands do is in their own files.

import { Command, CommanderError } from 'commander';
import { LdlmError } from '../api/errors.js';
import { packageVersion } from '../api/package_root.js';
import { setThreads } from '../api/threads.js';
import { INTERRUPTED } from './interrupt.js';

// Loaded on demand: only the command that is asked for, all of them for --help.
const commands: Record<string, () => Promise<Command>> = {
  demo: async () => (await import('./demo.js')).demoCommand(),
  stories: async () => (await import('./stories.js')).storiesCommand(),
  pretrain: async () => (await import('./pretrain.js')).pretrainCommand(),
  prepare: async () => (await import('./prepare.js')).prepareCommand(),
  data: async () => (await import('./data.js')).dataCommand(),
  train: async () => (await import('./train.js')).trainCommand(),
  sample: async () => (await import('./sample.js')).sampleCommand(),
  eval: async () => (await import('./eval.js')).evalCommand(),
  baseline: async () => (await import('./baseline.js')).baselineCommand(),
  frontier: async () => (await import('./frontier.js')).frontierCommand(),
  ablate: async () => (await import('./ablate.js')).ablateCommand(),
  report: async () => (await import('./report.js')).reportCommand(),
  reconstruct: async () => (await import('./reconstruct.js')).reconstructCommand(),
  export: async () => (await import('./export.js')).exportCommand(),
  hidden: async () => (await import('./hidden.js')).hiddenCommand(),
  info: async () => (await import('./info.js')).infoCommand(),
  bench: async () => (await import('./bench.js')).benchCommand(),
  build: async () => (await import('./build.js')).buildCommand(),
  doctor: async () => (await import('./doctor.js')).doctorCommand(),
};

const examples = `
Examples:
  ldlm doctor                                              what is here and what is missing
  ldlm build                                               find or fetch libtorch, compile the addon
  ldlm stories --count 20000 --seed 1 --out stories.txt    a small corpus to start with
  ldlm pretrain --input stories.txt --words --packing pad --length 48 --out lm
  ldlm prepare --input stories.txt --tokenizer lm --length 48 --packing pad --out data/stories
  ldlm train --preset tiny --data data/stories --encoder lm --out runs/tiny
  ldlm sample --model runs/tiny --count 8
  ldlm report runs/tiny                                    a page with curves, warnings and samples

Results go to stdout, progress and logs to stderr. LDLM_DEBUG=1 shows the stack of an unexpected error.`;

function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwInsteadOfExit);
}

async function createProgram(asked: string | undefined): Promise<Command> {
  const program = new Command('ldlm')
    .description('Train and sample latent diffusion language models')
    .version(packageVersion())
    .addHelpText('after', examples);
  const one = asked !== undefined && Object.hasOwn(commands, asked) ? commands[asked] : undefined;
  for (const load of one ? [one] : Object.values(commands)) program.addCommand(await load());
  throwInsteadOfExit(program);
  program.hook('preAction', (_, command) => {
    const { threads } = command.opts<{ threads?: number }>();
    if (threads !== undefined) setThreads(threads);
  });
  return program;
}

function report(error: unknown): number {
  if (error instanceof LdlmError && error.code === 'ERR_LDLM_ABORTED') {
    process.stderr.write(`${error.message}\n`);
    return INTERRUPTED;
  }
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has printed it
  // What the operating system refuses explains itself: "EACCES: permission denied, mkdir 'x'".
  const known = error instanceof LdlmError || (error as NodeJS.ErrnoException | null)?.syscall !== undefined;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`error: ${message}\n`);
  if (process.env.LDLM_DEBUG === '1') console.error(error);
  else if (!known) process.stderr.write('This was not expected; LDLM_DEBUG=1 shows the stack.\n');
  return 1;
}

// `ldlm stories | head -1` closes our stdout early: that is the reader's right, not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
// Nobody reads the progress any more: the work goes on. Unhandled, every further line would raise the error again.
process.stderr.on('error', () => {});

try {
  await (await createProgram(process.argv[2])).parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
