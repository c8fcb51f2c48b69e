// `ldlm info`: what a model or preset is: configuration, parameters per module, schedule, warmup and timestep warp.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { loadNative } from '../api/native.js';
import type { ParameterCounts } from '../api/native_types.js';
import { type CheckpointState, openCheckpoint } from '../api/run_folder.js';
import { resolveEncoder } from '../config/encoders.js';
import { type PresetName, presetNames, presets } from '../config/presets.js';
import { gammaAt, scheduleTime, signalAt } from '../config/schedules.js';
import type { LdlmConfig } from '../config/types.js';
import { hashFiles } from '../data/hash_files.js';

interface Info {
  config: LdlmConfig;
  encoder: { hiddenWidth: number; vocabulary: number };
  parameters: ParameterCounts;
  state?: Pick<CheckpointState, 'step' | 'timesteps'>;
  sha256?: Record<string, string>;
}

const examples = `
Examples:
  ldlm info --preset base
  ldlm info --model runs/tiny --json`;

/** The command `ldlm info`. */
export function infoCommand(): Command {
  return new Command('info')
    .description('configuration, parameters per module, noise schedule, warmup and timestep warp')
    .addOption(new Option('--model <run>', 'a run, checkpoint or export folder').conflicts('preset'))
    .addOption(new Option('--preset <name>', 'a preset').choices(presetNames))
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', examples)
    .action(run);
}

async function run(flags: { model?: string; preset?: PresetName; json: boolean }, command: Command): Promise<void> {
  if (!flags.model && !flags.preset) command.error('error: one of --model RUN and --preset NAME must be given');
  const info = flags.model ? await modelInfo(flags.model) : await presetInfo(flags.preset!);
  process.stdout.write(flags.json ? JSON.stringify(info, null, 2) + '\n' : describe(info));
}

async function presetInfo(name: PresetName): Promise<Info> {
  const config = presets[name]();
  const { hiddenWidth, vocabulary } = await resolveEncoder(config.encoder.source);
  return withParameters({ config, encoder: { hiddenWidth, vocabulary } });
}

async function modelInfo(path: string): Promise<Info> {
  const { folder, config, state } = await openCheckpoint(path);
  const files = (await readdir(folder)).filter((name) => name.endsWith('.safetensors')).sort();
  const sha256 = Object.fromEntries(await Promise.all(files.map(async (name) => [name, await hashFiles([join(folder, name)])] as const)));
  return { ...withParameters({ config, encoder: state.encoder }), state: { step: state.step, timesteps: state.timesteps }, sha256 };
}

function withParameters(info: Pick<Info, 'config' | 'encoder'>): Info {
  return { ...info, parameters: loadNative().countParameters({ ...info.config.model, ...info.encoder }) };
}

function describe({ config, encoder, parameters, state, sha256 }: Info): string {
  const lines = ['parameters'];
  for (const [name, count] of Object.entries(parameters)) lines.push(`  ${name.padEnd(14)} ${millions(count)}`);
  lines.push(`encoder ${config.encoder.source}, layer ${config.encoder.layer}, H = ${encoder.hiddenWidth}, V = ${encoder.vocabulary}`);
  if (state) lines.push(`step ${state.step} of ${config.train.steps}`);
  lines.push('', ...tables(config, state), '', 'configuration', JSON.stringify(config, null, 2));
  if (sha256) lines.push('', ...Object.entries(sha256).map(([name, hash]) => `${name} sha256 ${hash}`));
  return lines.join('\n') + '\n';
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(count < 1e7 ? 3 : 1)} M`;
}

const BAR_WIDTH = 40;

/** Tables with bars: signal a(u), learned warp u(t), and gamma over the steps. */
function tables(config: LdlmConfig, state: Info['state']): string[] {
  const bar = (share: number): string => '#'.repeat(Math.round(Math.min(1, share) * BAR_WIDTH));
  const row = (x: number, y: number, share: number): string => `  ${x.toFixed(2).padStart(8)} ${y.toFixed(3).padStart(7)}  ${bar(share)}`;
  const tenths = Array.from({ length: 11 }, (_, i) => i / 10);
  const signal = (u: number): number => signalAt(u, config.diffusion.scheduleD);
  const lines = ['noise schedule: u, signal a(u)', ...tenths.map((u) => row(u, signal(u), signal(u)))];
  const cumulative = state?.timesteps.cumulative;
  if (cumulative && config.recipe.adaptiveTimesteps) {
    lines.push('timestep warp: t, u = F^-1(t)', ...tenths.map((t) => row(t, scheduleTime(cumulative, t), scheduleTime(cumulative, t))));
  }
  const warmup = config.recipe.encoderWarmup;
  if (warmup) {
    const gamma = (x: number): number => gammaAt(x, warmup);
    lines.push(`encoder warmup: share of ${warmup.steps} steps, gamma`, ...tenths.map((x) => row(x, gamma(x), gamma(x) / warmup.max)));
  }
  return lines;
}
