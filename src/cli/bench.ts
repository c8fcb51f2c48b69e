// `ldlm bench`: how fast training, sampling and the single ops are, beside what the machine can do and what others would take.

import { Command, Option } from 'commander';
import { loadNative } from '../api/native.js';
import { presetNames } from '../config/presets.js';
import { opponents } from '../bench/systems.js';
import { compareAction, type CompareFlags } from './bench_compare.js';
import { opsAction, type OpsFlags } from './bench_ops.js';
import { scaleAction, type ScaleFlags } from './bench_scale.js';
import { interruptible } from './interrupt.js';
import { checkUsage, threadsOption, wholeNumber } from './option_types.js';

const examples = `
Every system runs in a process of its own, in turns with the others, with random weights: neither weights nor tokens change the time.
A sampler of --against can be NAME@STEPS/STRIDE: of its evaluations every STRIDE-th is made, and the time is that of all.
"of the limit" is the arithmetic of the work (docs/performance.md) over the rate of large matrix products, measured in the same rounds.
On a machine that does other work, only ratios and shares count. --out DIR appends the result to DIR/train.jsonl, sample.jsonl, ...

Examples:
  ldlm bench train --preset tiny
  ldlm bench train --preset base --batch 8 --against pytorch --out bench/results
  ldlm bench sample --preset base --count 8 --steps 32 --profile
  ldlm bench sample --preset base --length 1024 --count 1 --against mdlm@1000/80 mdlm@256 duo ar --repeats 3
  ldlm bench ops --preset base
  ldlm bench scale --task sample --over length --values 128 256 512 1024 --svg length.svg`;

/** The command `ldlm bench`. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('measure training, sampling and single ops against the limits of the machine, and against PyTorch')
    .addCommand(comparison('train'))
    .addCommand(comparison('sample'))
    .addCommand(ops())
    .addCommand(scale())
    .addHelpText('after', examples);
}

/** Options that all of them have. */
function withSizes(command: Command): Command {
  return command
    .addOption(new Option('--preset <name>', 'sizes of the networks').choices(presetNames).default('tiny'))
    .option('--batch <n>', 'rows of a training step (default: on a CPU at most 2048 tokens, else the preset)', wholeNumber(1))
    .option('--accumulate <n>', 'parts of a training step; on a CPU they run at once (default: the preset)', wholeNumber(1))
    .option('--length <n>', 'tokens and latents of a sequence (default: the preset)', wholeNumber(1, 65535))
    .option('--width <n>', 'width of the DiT, heads of 64 (default: the preset)', wholeNumber(64))
    .addOption(new Option('--device <name>', 'where to compute').choices(['cpu', 'cuda']).default('cpu'))
    .addOption(new Option('--dtype <name>', 'what products are computed in').choices(['float32', 'bfloat16']).default('float32'))
    .addOption(threadsOption())
    .option('--repeats <n>', 'rounds that are timed', wholeNumber(1), 7)
    .option('--json', 'print one JSON object instead of tables', false)
    .option('--out <dir>', 'append the result to a file in this folder');
}

function withSampling(command: Command, count: number): Command {
  return command
    .option('--count <n>', 'samples at once', wholeNumber(1), count)
    .option('--steps <n>', 'evaluations of the denoiser', wholeNumber(2), 32);
}

function withRecompute(command: Command): Command {
  return command.option('--recompute', 'compute activations again in the backward pass (not counted as work)', false);
}

function comparison(task: 'train' | 'sample'): Command {
  const what = task === 'train' ? 'an optimiser step of joint training, from token ids' : 'sampling, from noise to token ids';
  const command = withSizes(new Command(task).description(what));
  if (task === 'sample') withSampling(command, 8);
  else withRecompute(command).option('--muon', "the preset's Muon instead of AdamW alone (its products are not counted as work)", false);
  return command
    .addOption(new Option('--against <names...>', `systems to compare with: pytorch${task === 'sample' ? ', pytorch-ar, mdlm, mdlm-stepwise, duo, sedd, ar' : ''}`).default([], 'none'))
    .option('--profile', 'show where our time goes, by module and op', false)
    .action((flags: CompareFlags) => {
      const against = checkUsage(command, () => flags.against.flatMap((name) => opponents(task, name)));
      return interruptible('Stopping after this round.', (signal) => compareAction(task, { ...withThreads(flags), against }, signal));
    });
}

function ops(): Command {
  return withSizes(new Command('ops').description('every op of native/ops against its reference, forward and backward')).action((flags: OpsFlags) =>
    opsAction(withThreads(flags)),
  );
}

function scale(): Command {
  const command = withSizes(new Command('scale').description('cost and memory against length, batch, width or threads'))
    .addOption(new Option('--task <name>', 'what to do').choices(['train', 'sample']).default('sample'))
    .addOption(new Option('--over <name>', 'what to vary').choices(['length', 'batch', 'width', 'threads']).makeOptionMandatory())
    .addOption(new Option('--values <n...>', 'its values').argParser(values).makeOptionMandatory())
    .option('--svg <file>', 'draw the curve');
  return withSampling(withRecompute(command), 1).action((flags: ScaleFlags) =>
    interruptible('Stopping after this value.', (signal) => scaleAction(withThreads(flags), signal)),
  );
}

function values(text: string, gathered: number[] = []): number[] {
  return [...gathered, wholeNumber(1)(text)];
}

/** Systems get the same number of threads, so the default is settled here: that of libtorch, the physical cores. */
function withThreads<Flags extends { threads?: number }>(flags: Flags): Flags & { threads: number } {
  return { ...flags, threads: flags.threads ?? loadNative().threads() };
}
