// `ldlm baseline train|sample`: what an LDLM is compared with, trained by the same loop on the same batches.

import { Command, Option } from 'commander';
import { openCheckpoint } from '../api/run_folder.js';
import {
  type BaselineConfig, baselineFor, type BaselineKind, baselineKinds, setBaseline, type SizeToMatch, sizesToMatch,
} from '../baselines/config.js';
import { BaselineModel } from '../baselines/model.js';
import { BaselineTrainer } from '../baselines/trainer.js';
import { resolveEncoder } from '../config/encoders.js';
import { type PresetName, presetNames, presets } from '../config/presets.js';
import { openShards } from '../data/shards.js';
import { interruptible } from './interrupt.js';
import { checkUsage, gather, realNumber, threadsOption, wholeNumber } from './option_types.js';
import { createProgress, type Progress } from './progress.js';
import { requireFolderOf } from './output_file.js';
import { formatOption, type SampleFormat, writeSamples } from './sample_output.js';

interface TrainFlags {
  kind: BaselineKind;
  preset?: PresetName;
  like?: string;
  encoder?: string;
  match: SizeToMatch;
  parameters?: number;
  data?: string;
  out: string;
  resume: 'auto' | 'never' | 'must';
  minutes?: number;
  cpuMinutes?: number;
  set: string[];
}

interface SampleFlags {
  model: string;
  count: number;
  steps: number;
  seed: number;
  batch: number;
  raw: boolean;
  format: SampleFormat;
  out?: string;
}

const trainExamples = `
The sizes follow from the LDLM's: as deep as its denoiser, and as wide as gives its number of parameters; --set model.width=... overrides.
With --minutes or --cpu-minutes the training ends by time, and the cooldown is the last share of that time. Ctrl-C finishes the step and
saves, the same command continues.

Examples:
  ldlm baseline train --kind mdlm --like runs/tiny --out runs/tiny-mdlm --cpu-minutes 20
  ldlm baseline train --kind ar --preset tiny --encoder lm --data data/stories --out runs/tiny-ar
  ldlm baseline train --kind mdlm --preset tiny --encoder lm --data data/stories --match dit --set train.lr=1e-3 --out runs/small-mdlm`;

const sampleExamples = `
Examples:
  ldlm baseline sample --model runs/tiny-mdlm --count 8 --steps 64
  ldlm baseline sample --model runs/tiny-ar --count 256 --seed 7 --format jsonl --out samples.jsonl`;

/** The command `ldlm baseline`. */
export function baselineCommand(): Command {
  const train = new Command('train')
    .description('train a masked diffusion model (mdlm) or an autoregressive transformer (ar)')
    .addOption(new Option('--kind <name>', 'what to train').choices([...baselineKinds]).makeOptionMandatory())
    .addOption(new Option('--preset <name>', 'the settings and size of this LDLM').choices(presetNames).conflicts('like'))
    .option('--like <run>', 'the settings and size of the LDLM in this run folder')
    .addOption(new Option('--encoder <source>', "the LDLM's frozen LM, of which the size depends (default: the preset's)").conflicts('like'))
    .addOption(new Option('--match <part>', 'parameters of the whole LDLM, or of its denoiser').choices([...sizesToMatch]).default('whole'))
    .option('--parameters <n>', 'this number of parameters instead', wholeNumber(1))
    .option('--data <dir>', 'prepared data (default: data.path of the settings)')
    .requiredOption('--out <run>', 'the run folder')
    .addOption(new Option('--resume <how>', 'auto: continue a run found in --out').choices(['auto', 'never', 'must']).default('auto'))
    .option('--minutes <x>', 'train this long by the clock, instead of train.steps', realNumber)
    .addOption(new Option('--cpu-minutes <x>', 'train for this CPU time, instead of train.steps').argParser(realNumber).conflicts('minutes'))
    .option('--set <key=value>', 'change one value, e.g. train.lr=3e-4; may be repeated', gather, [])
    .addOption(threadsOption())
    .addHelpText('after', trainExamples)
    .action(runTraining);
  const sample = new Command('sample')
    .description('sample texts from a trained baseline')
    .requiredOption('--model <run>', 'a run or checkpoint folder')
    .option('--count <n>', 'texts', wholeNumber(1), 8)
    .option('--steps <n>', 'steps of the reverse process (mdlm; ar takes one a token)', wholeNumber(1), 128)
    .option('--seed <n>', 'seed of all random numbers', wholeNumber(0), 0)
    .option('--batch <n>', 'texts at once', wholeNumber(1), 32)
    .option('--raw', 'the weights of the last step instead of their average', false)
    .addOption(formatOption())
    .option('--out <file>', 'write there instead of stdout')
    .addOption(threadsOption())
    .addHelpText('after', sampleExamples)
    .action(runSampling);
  return new Command('baseline').description('masked diffusion and autoregressive models to compare with').addCommand(train).addCommand(sample);
}

async function runTraining(flags: TrainFlags, command: Command): Promise<void> {
  if (!flags.preset && !flags.like) command.error('error: one of --preset NAME and --like RUN must be given');
  for (const [name, value] of [['--minutes', flags.minutes], ['--cpu-minutes', flags.cpuMinutes]] as const) {
    if (value !== undefined && value <= 0) command.error(`error: ${name} must be > 0, got ${value}`);
  }
  const config = await resolveConfig(flags, command);
  process.stderr.write(`configuration: ${JSON.stringify(config)}\n`);
  await using data = await openShards(config.data.path);
  await using trainer = await BaselineTrainer.create(config, { out: flags.out, resume: flags.resume, data });
  process.stderr.write(`${config.kind}: ${trainer.parameters} parameters\n`);
  await interruptible('Finishing the step and saving.', (signal) => trainWithProgress(trainer, flags, signal));
  process.stdout.write(`${flags.out}\n`);
}

async function resolveConfig(flags: TrainFlags, command: Command): Promise<BaselineConfig> {
  const like = flags.like === undefined ? null : await openCheckpoint(flags.like);
  const ldlm = like?.config ?? presets[flags.preset!]();
  const encoder = like?.state.encoder ?? (await resolveEncoder(flags.encoder ?? ldlm.encoder.source));
  const { match, parameters } = flags;
  const config = baselineFor(flags.kind, ldlm, { encoder, match, ...(parameters === undefined ? {} : { parameters }) });
  if (flags.data) config.data.path = flags.data;
  return checkUsage(command, () => setBaseline(config, ...flags.set));
}

async function trainWithProgress(trainer: BaselineTrainer, { minutes, cpuMinutes }: TrainFlags, signal: AbortSignal): Promise<void> {
  if (trainer.step > 0) process.stderr.write(`resuming at step ${trainer.step}\n`);
  const limit = { ...(minutes === undefined ? {} : { minutes }), ...(cpuMinutes === undefined ? {} : { cpuMinutes }) };
  let progress: Progress | undefined;
  try {
    for await (const { step, loss, done: { done, total, unit } } of trainer.run({ ...limit, signal })) {
      progress ??= createProgress({ total: Math.ceil(total), unit, label: 'training', start: done });
      progress.update(Math.round(done), { ...(unit === 'steps' ? {} : { step }), loss: loss.total.toFixed(3) });
    }
  } finally {
    progress?.stop();
  }
}

async function runSampling({ model: path, count, steps, seed, batch, raw, format, out }: SampleFlags): Promise<void> {
  await requireFolderOf(out);
  await interruptible('Stopping after the current evaluation.', async (signal) => {
    await using model = await BaselineModel.load(path, { weights: raw ? 'raw' : 'ema' });
    const { evaluations, seconds } = await writeSamples(model.sampleBatches({ count, steps, seed, batch, signal }), { count, format, out });
    process.stderr.write(
      `${count} texts, ${evaluations.toFixed(1)} evaluations each (${model.config.kind}), ${seconds.toFixed(2)} s from noise to text, ` +
        `${Math.round((count * model.config.model.maxLength) / seconds)} tokens/s, seed ${seed}\n`,
    );
  });
}
