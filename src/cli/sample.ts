// `ldlm sample`: texts from noise. stdout (or --out) is data, stderr progress and statistics.

import { Command } from 'commander';
import { LDLM } from '../api/ldlm.js';
import { interruptible } from './interrupt.js';
import { requireFolderOf } from './output_file.js';
import { addSampleFlags, type SampleFlags, sampleOptionsOf } from './sample_flags.js';
import { formatOption, type SampleFormat, writeSamples } from './sample_output.js';

interface Flags extends SampleFlags {
  format: SampleFormat;
  out?: string;
}

const examples = `
The same seed gives the same texts on a CPU, whatever --batch is. Stopped with Ctrl-C, the texts that are done are printed, or in
FILE.partial.

Examples:
  ldlm sample --model runs/tiny --count 8
  ldlm sample --model runs/tiny --count 1000 --steps 64 --seed 7 --format jsonl --out samples.jsonl
  ldlm sample --model runs/tiny --count 4 --sampler ddim --eta 0.5`;

/** The command `ldlm sample`. */
export function sampleCommand(): Command {
  return addSampleFlags(new Command('sample'), 8)
    .description('sample texts from a trained model')
    .addOption(formatOption())
    .option('--out <file>', 'write there instead of stdout')
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: Flags, command: Command): Promise<void> {
  const options = sampleOptionsOf(flags, command);
  const { count, sampler, seed, device, dtype, format, out } = flags;
  await requireFolderOf(out);
  await interruptible('Stopping after the current evaluation.', async (signal) => {
    await using model = await LDLM.load(flags.model, { device, dtype, weights: flags.raw ? 'raw' : 'ema' });
    const { evaluations, seconds } = await writeSamples(model.sampleBatches({ ...options, signal }), { count, format, out });
    process.stderr.write(
      `${count} texts, ${evaluations} evaluations each (${sampler}), ${seconds.toFixed(2)} s from noise to text, ` +
        `${Math.round((count * model.config.model.maxLength) / seconds)} tokens/s, seed ${seed}\n`,
    );
  });
}
