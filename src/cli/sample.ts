// `ldlm sample`: texts from noise. stdout (or --out) is data, stderr progress and statistics.

import { Command, Option } from 'commander';
import { LDLM, type Sample } from '../api/ldlm.js';
import { writeFileAtomic } from '../data/atomic.js';
import { interruptible } from './interrupt.js';
import { createProgress } from './progress.js';
import { addSampleFlags, type SampleFlags, sampleOptionsOf } from './sample_flags.js';

interface Flags extends SampleFlags {
  format: 'text' | 'jsonl';
  out?: string;
}

const examples = `
The same seed gives the same texts on a CPU, whatever --batch is.

Examples:
  ldlm sample --model runs/tiny --count 8
  ldlm sample --model runs/tiny --count 1000 --steps 64 --seed 7 --format jsonl --out samples.jsonl
  ldlm sample --model runs/tiny --count 4 --sampler ddim --eta 0.5`;

/** The command `ldlm sample`. */
export function sampleCommand(): Command {
  return addSampleFlags(new Command('sample'), 8)
    .description('sample texts from a trained model')
    .addOption(new Option('--format <name>', 'text: one a line; jsonl: {"index","seed","text","ids"}').choices(['text', 'jsonl']).default('text'))
    .option('--out <file>', 'write there instead of stdout')
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: Flags, command: Command): Promise<void> {
  const options = sampleOptionsOf(flags, command);
  const { count, sampler, seed, device, dtype } = flags;
  await interruptible('Stopping after the current evaluation.', async (signal) => {
    await using model = await LDLM.load(flags.model, { device, dtype, weights: flags.raw ? 'raw' : 'ema' });
    const progress = createProgress({ total: count, unit: 'texts', label: 'sampling' });
    const onProgress = (done: number): void => progress.update(done);
    const { samples, stats } = await model.sample({ ...options, signal, onProgress }).finally(() => progress.stop());
    const lines = samples.map((sample) => formatSample(sample, flags.format) + '\n').join('');
    if (flags.out) await writeFileAtomic(flags.out, lines);
    else process.stdout.write(lines);
    const { evaluations, seconds, tokensPerSecond } = stats;
    process.stderr.write(
      `${count} texts, ${evaluations} evaluations each (${sampler}), ${seconds.toFixed(2)} s from noise to text, ` +
        `${Math.round(tokensPerSecond)} tokens/s, seed ${seed}\n`,
    );
  });
}

/** A sample as a line of the output. */
export function formatSample({ index, seed, text, ids }: Sample, as: 'text' | 'jsonl'): string {
  return as === 'jsonl' ? JSON.stringify({ index, seed, text, ids }) : text.replaceAll('\n', ' ');
}
