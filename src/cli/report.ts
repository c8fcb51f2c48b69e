// `ldlm report`: a run folder as one HTML page: curves, warnings, samples and the way to them. The path of the page goes to stdout.

import { join } from 'node:path';
import { Command } from 'commander';
import { LDLM } from '../api/ldlm.js';
import { writeFileAtomic } from '../data/atomic.js';
import { reportPage } from '../report/report_page.js';
import { readRun } from '../report/run_record.js';
import { readTexts, type RunTexts } from '../report/run_texts.js';
import { interruptible } from './interrupt.js';
import { requireFolderOf } from './output_file.js';
import { addJudgeFlags, type JudgeFlags, loadScorer, referenceTexts } from './judge_flags.js';
import { deviceOption, threadsOption, wholeNumber } from './option_types.js';
import { progressOfStages } from './stage_progress.js';

interface Flags extends JudgeFlags {
  out?: string;
  count: number;
  steps: number;
  seed: number;
  device: 'auto' | 'cpu' | 'cuda';
}

const examples = `
The page needs no network and can be sent to others. It may be made while the run is still training: it shows the newest checkpoint.

Examples:
  ldlm report runs/tiny
  ldlm report runs/tiny --reference held-out.txt --scorer lm --out tiny.html
  ldlm report runs/base --count 0                 curves only, no sampling`;

/** The command `ldlm report`. */
export function reportCommand(): Command {
  const sampling = new Command('report')
    .description('a run as one HTML page: curves, warnings, samples from noise to text, scores')
    .argument('<run>', 'a run folder')
    .option('--out <file>', 'where to write the page (default: RUN/report.html)')
    .option('--count <n>', 'samples to score; 0: no texts', wholeNumber(0), 64)
    .option('--steps <n>', 'evaluations of the denoiser', wholeNumber(1), 32)
    .option('--seed <n>', 'of the samples', wholeNumber(0), 0);
  return addJudgeFlags(sampling, 'the validation part of the data set')
    .addOption(deviceOption())
    .addOption(threadsOption())
    .addHelpText('after', examples)
    .action((run: string, flags: Flags) => interruptible('Stopping after the current step.', (signal) => report(run, flags, signal)));
}

async function report(path: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const out = flags.out ?? join(path, 'report.html');
  await requireFolderOf(flags.out);
  const run = await readRun(path);
  const texts = flags.count === 0 ? null : await textsOf(path, flags, signal);
  await writeFileAtomic(out, reportPage(run, texts));
  process.stdout.write(`${out}\n`);
}

async function textsOf(path: string, flags: Flags, signal: AbortSignal): Promise<RunTexts> {
  const { count, steps, seed, device } = flags;
  const reference = await referenceTexts(flags, count);
  await using model = await LDLM.load(path, { device });
  await using scorer = await loadScorer(flags, device, signal);
  const stages = progressOfStages();
  return await readTexts(model, { count, steps, seed, reference, scorer, signal, onProgress: stages.update }).finally(stages.stop);
}
