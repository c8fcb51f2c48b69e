// `ldlm train`: joint training into a run folder. Progress on stderr; the folder of the last checkpoint on stdout.

import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { LdlmError } from '../api/errors.js';
import type { TrainMetrics } from '../api/train_metrics.js';
import { JointTrainer } from '../api/trainer.js';
import { applySet, parseConfig } from '../config/parse.js';
import { type PresetName, presetNames, presets } from '../config/presets.js';
import type { LdlmConfig } from '../config/types.js';
import { openShards } from '../data/shards.js';
import { describeWarning } from '../watch/collapse_alarm.js';
import { showingDownload } from './download_progress.js';
import { interruptible } from './interrupt.js';
import { checkUsage, gather, threadsOption, wholeNumber } from './option_types.js';
import { createProgress } from './progress.js';

/** Where a configuration comes from, and what is changed in it. */
export interface ConfigFlags {
  config?: string;
  preset?: PresetName;
  data?: string;
  encoder?: string;
  set: string[];
}

interface TrainFlags extends ConfigFlags {
  out: string;
  resume: 'auto' | 'never' | 'must';
  tensorboard: boolean;
  samples: number;
}

const examples = `
Writes RUN/metrics.jsonl and RUN/checkpoints/step-N/; Ctrl-C finishes the step and saves, the same command continues.
Watch it with "tensorboard --logdir RUN" or "ldlm report RUN"; a run that is collapsing says so.

Examples:
  ldlm train --preset tiny --data data/stories --encoder lm --out runs/tiny
  ldlm train --preset base --data data/text --encoder gpt2 --out runs/base --set train.lr=1e-4 --set train.batch=64
  ldlm train --config my.json --out runs/mine --resume must
  ldlm train --preset tiny --data data/stories --encoder lm --out runs/tiny --samples 4
  ldlm info --preset tiny --json > my.json      a complete configuration to edit`;

/** The command `ldlm train`. */
export function trainCommand(): Command {
  return addConfigFlags(new Command('train'))
    .description('train encoder, diffusion model and decoder jointly')
    .requiredOption('--out <run>', 'the run folder')
    .addOption(new Option('--resume <how>', 'auto: continue a run found in --out').choices(['auto', 'never', 'must']).default('auto'))
    .option('--samples <n>', 'texts to sample at every checkpoint, for TensorBoard and the report', wholeNumber(0), 0)
    .option('--no-tensorboard', 'write no event file for TensorBoard')
    .addOption(threadsOption())
    .addHelpText('after', examples)
    .action(run);
}

/** Adds the flags of `ConfigFlags`. */
export function addConfigFlags(command: Command): Command {
  return command
    .addOption(new Option('--config <file>', 'a complete configuration as JSON').conflicts('preset'))
    .addOption(new Option('--preset <name>', 'start from a preset').choices(presetNames))
    .option('--data <dir>', 'prepared data (default: data.path of the configuration)')
    .option('--encoder <source>', 'frozen LM: a Hugging Face folder, or an id of the hub (default: encoder.source)')
    .option('--set <key=value>', 'change one value, e.g. train.lr=3e-4; may be repeated', gather, []);
}

async function run(flags: TrainFlags, command: Command): Promise<void> {
  const config = await resolveConfig(flags, command);
  process.stderr.write(`configuration: ${JSON.stringify(config)}\n`);
  await using data = await openShards(config.data.path);
  await using trainer = await showingDownload(config.encoder.source, (onDownload) =>
    JointTrainer.create(config, { out: flags.out, resume: flags.resume, tensorboard: flags.tensorboard, samples: flags.samples, onDownload }),
  );
  await interruptible('Finishing the step and saving.', (signal) => trainWithProgress(trainer, data, signal));
  process.stdout.write(`${flags.out}\n`);
}

/** The configuration that the flags ask for. */
export async function resolveConfig(flags: ConfigFlags, command: Command): Promise<LdlmConfig> {
  if (!flags.config && !flags.preset) command.error('error: one of --config FILE and --preset NAME must be given');
  const given = flags.preset ? presets[flags.preset]() : parseConfig(await readConfig(flags.config!));
  const config = checkUsage(command, () => applySet(given, ...flags.set));
  if (flags.data) config.data.path = flags.data;
  if (flags.encoder) config.encoder.source = flags.encoder;
  return config;
}

async function readConfig(file: string): Promise<unknown> {
  try {
    const json = JSON.parse(await readFile(file, 'utf8')) as { config?: unknown; parameters?: unknown } | null;
    // What `ldlm info --json` prints is taken as it is.
    return json?.config !== undefined && json.parameters !== undefined ? json.config : json;
  } catch (cause) {
    throw new LdlmError('ERR_LDLM_CONFIG', `--config must be a readable JSON file, got ${file}: ${String(cause)}`, { cause });
  }
}

/** The loop of `ldlm train` and of the demo. Returns the last metrics, or null if there was nothing left to do. */
export async function trainWithProgress(
  trainer: JointTrainer,
  data: Awaited<ReturnType<typeof openShards>>,
  signal: AbortSignal,
): Promise<TrainMetrics | null> {
  const total = trainer.config.train.steps;
  if (trainer.step > 0) process.stderr.write(`resuming at step ${trainer.step} of ${total}\n`);
  const progress = createProgress({ total, unit: 'steps', label: 'training', start: trainer.step });
  let last: TrainMetrics | null = null;
  try {
    for await (const metrics of trainer.run(data, { signal })) {
      last = metrics;
      const { diffusion, hidden, token } = metrics.loss;
      progress.update(metrics.step, {
        diffusion: diffusion.toFixed(3),
        hidden: hidden.toFixed(3),
        token: token.toFixed(3),
        gamma: metrics.gamma.toFixed(3),
        'latent sd': metrics.latent.std.toFixed(2),
      });
      for (const warning of metrics.warnings ?? []) progress.note(`warning: ${describeWarning(warning)}`);
    }
  } finally {
    progress.stop();
  }
  return last;
}
