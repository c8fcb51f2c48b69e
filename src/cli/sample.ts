// `ldlm sample`: texts from noise. stdout (or --out) is data, stderr progress and statistics.

import { Command, Option } from 'commander';
import { LDLM, type Sample } from '../api/ldlm.js';
import { samplers, type SamplerName } from '../api/sample_options.js';
import { writeFileAtomic } from '../data/atomic.js';
import { interruptible } from './interrupt.js';
import { deviceOption, realNumber, threadsOption, wholeNumber } from './option_types.js';
import { createProgress } from './progress.js';

interface SampleFlags {
  model: string;
  count: number;
  steps: number;
  sampler: SamplerName;
  eta?: number;
  seed: number;
  batch: number;
  format: 'text' | 'jsonl';
  out?: string;
  device: 'auto' | 'cpu' | 'cuda';
  raw: boolean;
}

const examples = `
The same seed gives the same texts on a CPU, whatever --batch is.

Examples:
  ldlm sample --model runs/tiny --count 8
  ldlm sample --model runs/tiny --count 1000 --steps 64 --seed 7 --format jsonl --out samples.jsonl
  ldlm sample --model runs/tiny --count 4 --sampler ddim --eta 0.5`;

/** The command `ldlm sample`. */
export function sampleCommand(): Command {
  return new Command('sample')
    .description('sample texts from a trained model')
    .requiredOption('--model <run>', 'a run, checkpoint or export folder')
    .option('--count <n>', 'texts', wholeNumber(1), 8)
    .option('--steps <n>', 'evaluations of the denoiser', wholeNumber(1), 32)
    .addOption(new Option('--sampler <name>', 'integrator').choices([...samplers]).default('ddpm'))
    .option('--eta <x>', 'share of fresh noise, 0..1 (default: 0 for ddim, 1 for ddpm)', realNumber)
    .option('--seed <n>', 'seed of all noise', wholeNumber(0), 0)
    .option('--batch <n>', 'texts at once; changes speed, not texts', wholeNumber(1), 32)
    .addOption(new Option('--format <name>', 'text: one a line; jsonl: {"index","seed","text","ids"}').choices(['text', 'jsonl']).default('text'))
    .option('--out <file>', 'write there instead of stdout')
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option('--raw', 'the weights of the last step instead of their average', false)
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: SampleFlags): Promise<void> {
  const { count, steps, sampler, eta, seed, batch, device } = flags;
  await interruptible('Stopping after the current evaluation.', async (signal) => {
    await using model = await LDLM.load(flags.model, { device, weights: flags.raw ? 'raw' : 'ema' });
    const progress = createProgress({ total: count, unit: 'texts', label: 'sampling' });
    const onProgress = (done: number): void => progress.update(done);
    const options = { count, steps, sampler, seed, batch, signal, onProgress, ...(eta === undefined ? {} : { eta }) };
    const { samples, stats } = await model.sample(options).finally(() => progress.stop());
    const lines = samples.map((sample) => format(sample, flags.format) + '\n').join('');
    if (flags.out) await writeFileAtomic(flags.out, lines);
    else process.stdout.write(lines);
    const { evaluations, seconds, tokensPerSecond } = stats;
    process.stderr.write(
      `${count} texts, ${evaluations} evaluations each (${sampler}), ${seconds.toFixed(2)} s from noise to text, ` +
        `${Math.round(tokensPerSecond)} tokens/s, seed ${seed}\n`,
    );
  });
}

function format({ index, seed, text, ids }: Sample, as: 'text' | 'jsonl'): string {
  return as === 'jsonl' ? JSON.stringify({ index, seed, text, ids }) : text.replaceAll('\n', ' ');
}
