// `ldlm ablate`: trains the full recipe and variants of it, samples and judges them alike. A table on stdout; OUT/ablation.json and
// OUT/ablation.svg grow with every run. Stopped, the same command continues.

import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { LdlmConfig } from '../config/types.js';
import { writeFileAtomic } from '../data/atomic.js';
import { applicableProtocols, corpusOf } from '../eval/applicable.js';
import { checkRequest } from '../eval/protocols.js';
import { ablate, type AblationProgress, type AblationRun } from '../study/ablation.js';
import { ablationPicture } from '../study/ablation_picture.js';
import { type AblationRow, ablationTable, summarise } from '../study/ablation_summary.js';
import { configOf, idleBecause, type VariantName, variantNames, variants } from '../study/variants.js';
import { interruptible } from './interrupt.js';
import { addJudgeFlags, type JudgeFlags, loadScorer, referenceTexts } from './judge_flags.js';
import { checkUsage, threadsOption, wholeNumber } from './option_types.js';
import { createProgress, type Progress } from './progress.js';
import { addConfigFlags, type ConfigFlags, resolveConfig } from './train.js';

interface Flags extends ConfigFlags, JudgeFlags {
  out: string;
  steps?: number;
  seeds: number;
  only?: VariantName[];
  count: number;
  evaluations: number;
  seed: number;
  json: boolean;
}

const examples = `
Variants:
${variantNames.map((name) => `  ${name.padEnd(22)} ${variants[name].what}`).join('\n')}

Story data are judged by their grammar; other data by what applies: entropy, diversity, reconstruction, and with --scorer gen-PPL and MAUVE.
Held-out texts are --reference, DATA/validation, or new stories. Every run is an ordinary run folder, OUT/VARIANT/seed-N.

Examples:
  ldlm ablate --preset tiny --data data/stories --encoder lm --out ablation --steps 1000 --seeds 2
  ldlm ablate --preset tiny --data data/stories --encoder lm --out ablation --steps 1000 --seeds 2 --only full naive no-decoder-noise
  ldlm ablate --config my.json --out ablation --scorer openai-community/gpt2-large --reference held-out.txt --count 500`;

/** The command `ldlm ablate`. */
export function ablateCommand(): Command {
  return addJudgeFlags(addConfigFlags(new Command('ablate')), 'DATA/validation, or new stories')
    .description('train the recipe without each of its parts, and compare')
    .requiredOption('--out <dir>', 'folder of all runs')
    .option('--steps <n>', 'training steps of every run (default: train.steps)', wholeNumber(1))
    .option('--seeds <n>', 'runs of every variant', wholeNumber(1), 2)
    .addOption(new Option('--only <names...>', 'variants to compare (default: all that differ from full)').choices(variantNames))
    .option('--count <n>', 'texts sampled from every run', wholeNumber(1), 256)
    .option('--evaluations <n>', 'evaluations of the denoiser per text', wholeNumber(1), 32)
    .option('--seed <n>', 'seed of sampling', wholeNumber(0), 7)
    .option('--json', 'print the rows of the table as JSON', false)
    .addOption(threadsOption())
    .addHelpText('after', examples)
    .action((flags: Flags, command: Command) => interruptible('Finishing the step and saving.', (signal) => run(flags, command, signal)));
}

async function run(flags: Flags, command: Command, signal: AbortSignal): Promise<void> {
  const config = await fullConfig(flags, command);
  const { count } = flags;
  const idle = flags.only ? [] : variantNames.filter((name) => idleBecause(name, config) !== null);
  const names = [...new Set(flags.only ?? variantNames)].filter((name) => !idle.includes(name));
  checkUsage(command, () => names.map((name) => configOf(name, config)));
  const corpus = await corpusOf(config.data.path, count);
  const reference = (await referenceTexts(flags, count)) ?? corpus.heldOut;
  const protocols = applicableProtocols({ stories: corpus.stories, references: reference.length, scorer: flags.scorer !== undefined, count });
  checkUsage(command, () => checkRequest({ protocols, count, scorer: flags.scorer !== undefined, references: reference.length }));
  process.stderr.write(`protocols: ${protocols.join(', ')}; held-out texts: ${flags.reference ?? corpus.heldOutFrom}\n${paceNotes(config)}`);
  for (const name of idle) process.stderr.write(`left out: ${name}, since ${idleBecause(name, config)}\n`);
  await using scorer = await loadScorer(flags, config.train.device, signal);
  const progress = progressOfRuns();
  const runs = await ablate({
    config,
    out: flags.out,
    variants: names,
    seeds: flags.seeds,
    sampling: { count, steps: flags.evaluations, seed: flags.seed },
    protocols,
    ...(scorer ? { scorer } : {}),
    reference,
    signal,
    onProgress: progress.update,
    onRun: (done) => writePicture(flags, config, done),
  }).finally(progress.stop);
  const rows = summarise(runs);
  process.stdout.write(flags.json ? JSON.stringify(rows, null, 2) + '\n' : ablationTable(rows));
  process.stderr.write(`written: ${join(flags.out, 'ablation.json')}${runs.length > 0 ? `, ${join(flags.out, 'ablation.svg')}` : ''}\n`);
  if (signal.aborted) process.stderr.write('stopped before the end; continue with the same command\n');
}

async function fullConfig(flags: Flags, command: Command): Promise<LdlmConfig> {
  return resolveConfig(flags.steps === undefined ? flags : { ...flags, set: [...flags.set, `train.steps=${flags.steps}`] }, command);
}

function writePicture({ out }: Flags, { train, data }: LdlmConfig, runs: readonly AblationRun[]): Promise<void> {
  const rows: AblationRow[] = summarise(runs);
  return writeFileAtomic(join(out, 'ablation.svg'), ablationPicture(rows, `Ablation on ${data.path}, ${train.steps} steps`));
}

/** A short run with the schedule of a long one tests something else (docs/recipe.md, Traps). */
function paceNotes({ recipe, train: { steps } }: LdlmConfig): string {
  const notes: string[] = [];
  const note = (field: string, value: number, most: number, advice: number): void => {
    if (value > most * steps) notes.push(`note: ${field} is ${value} of ${steps} steps, which is long for so short a run: --set ${field}=${Math.max(1, Math.round(advice * steps))} would be usual\n`);
  };
  if (recipe.encoderWarmup) note('recipe.encoderWarmup.steps', recipe.encoderWarmup.steps, 0.1, 0.07);
  if (recipe.adaptiveTimesteps) note('recipe.adaptiveTimesteps.every', recipe.adaptiveTimesteps.every, 0.02, 0.015);
  return notes.join('');
}

function progressOfRuns(): { update: (progress: AblationProgress) => void; stop: () => void } {
  let shown: Progress | undefined;
  return {
    update({ variant, seed, run, runs, stage, stepsDone, steps }) {
      shown ??= createProgress({ total: steps, unit: 'steps', label: 'ablation', start: stepsDone, speedOverSeconds: Infinity });
      shown.update(stepsDone, { run: `${run}/${runs}`, variant, seed, now: stage });
    },
    stop: () => shown?.stop(),
  };
}
