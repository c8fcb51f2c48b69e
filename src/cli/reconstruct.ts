// `ldlm reconstruct`: text on stdin, one a line, to latents and back.

import { Command, Option } from 'commander';
import { LDLM } from '../api/ldlm.js';
import { deviceOption, realNumber, threadsOption, wholeNumber } from './option_types.js';
import { stdinLines } from './stdin_lines.js';

interface ReconstructFlags {
  model: string;
  format: 'text' | 'jsonl';
  noise: number;
  seed: number;
  device: 'auto' | 'cpu' | 'cuda';
}

const examples = `
Examples:
  echo "Anna went to the park." | ldlm reconstruct --model runs/tiny
  ldlm reconstruct --model runs/tiny --noise 1 --format jsonl < texts.txt`;

/** The command `ldlm reconstruct`. */
export function reconstructCommand(): Command {
  return new Command('reconstruct')
    .description('text to latents and back; text on stdin, one a line')
    .requiredOption('--model <run>', 'a run or checkpoint folder')
    .addOption(new Option('--format <name>', 'jsonl: {"text","reconstructed","accuracy"}').choices(['text', 'jsonl']).default('text'))
    .option('--noise <sigma>', 'deviation of noise added to the latents', realNumber, 0)
    .option('--seed <n>', 'seed of that noise', wholeNumber(0), 0)
    .addOption(deviceOption())
    .addOption(threadsOption())
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: ReconstructFlags): Promise<void> {
  const texts = await stdinLines();
  await using model = await LDLM.load(flags.model, { device: flags.device });
  const results = await model.reconstruct(texts, { noise: flags.noise, seed: flags.seed });
  for (const result of results) {
    process.stdout.write((flags.format === 'jsonl' ? JSON.stringify(result) : result.reconstructed.replaceAll('\n', ' ')) + '\n');
  }
  const mean = results.reduce((sum, { accuracy }) => sum + accuracy, 0) / results.length;
  process.stderr.write(`${results.length} texts, token accuracy ${(100 * mean).toFixed(1)} %\n`);
}
