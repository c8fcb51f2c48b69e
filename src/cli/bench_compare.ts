// `ldlm bench train` and `ldlm bench sample`.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { columns } from '../bench/columns.js';
import { compare, type Comparison, stagesOf } from '../bench/compare.js';
import { samplingFlops, trainingFlops } from '../bench/flops.js';
import { profileTables } from '../bench/profile_tables.js';
import { appendResult, describeMachine } from '../bench/record.js';
import type { Spread } from '../bench/statistics.js';
import type { System } from '../bench/systems.js';
import { createWork, type Work, type WorkOptions, writeFiles } from '../bench/workload.js';
import { createProgress } from './progress.js';

export interface CompareFlags extends Omit<WorkOptions, 'threads'> {
  threads?: number;
  repeats: number;
  json: boolean;
  out?: string;
  against: string[];
  profile: boolean;
}

export async function compareAction(task: 'train' | 'sample', flags: Omit<CompareFlags, 'against'> & { threads: number; against: readonly System[] }, signal: AbortSignal): Promise<void> {
  const { preset, repeats: rounds, profile, against } = flags;
  const machine = describeMachine();
  const progress = createProgress({ total: stagesOf({ against, rounds }), unit: 'stages', label: `bench ${task}` });
  const folder = await mkdtemp(join(tmpdir(), 'ldlm-bench-'));
  try {
    const work = await createWork({ ...flags, count: flags.count ?? 1, steps: flags.steps ?? 2 }, folder);
    await writeFiles(work, { encoder: task === 'train', model: task === 'sample' || against.length > 0 });
    const onProgress = (done: number, what: string): void => progress.update(done, { now: what });
    const comparison = await compare({ task, work, against, rounds, profile, onProgress, signal });
    progress.stop();
    const { model, train } = work.config;
    const sizes = { preset, length: model.maxLength, width: model.dit.width, device: work.device, dtype: work.dtype, threads: work.threads };
    const amount = task === 'train' ? { batch: train.batch, accumulate: train.accumulate, muon: train.muon !== null, recompute: train.recompute } : { count: work.count, steps: work.steps };
    const result = { ...sizes, ...amount, rounds, flops: moduleFlops(task, work), ...comparison, machine };
    if (flags.out !== undefined) await appendResult(flags.out, task, result);
    process.stdout.write(flags.json ? JSON.stringify({ op: task, ...result }) + '\n' : describe(task, work, comparison, result.machine));
  } finally {
    progress.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

export function moduleFlops(task: 'train' | 'sample', { config, encoderShape: encoder, count, steps }: Work) {
  const { model, encoderLayer, selfConditioning, train } = config;
  if (task === 'sample') return samplingFlops(model, count, steps);
  return trainingFlops({ model, encoder, encoderLayer, selfConditioning, batch: train.batch });
}

const range = ({ median, min, max }: Spread): string => `${median} (${min} to ${max})`;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function describe(task: 'train' | 'sample', work: Work, comparison: Comparison, machine: ReturnType<typeof describeMachine>): string {
  const { systems, speedUp, cpuRatio, unavailable, limits, repeats, profile } = comparison;
  const { model, train } = work.config;
  const flops = moduleFlops(task, work);
  const amount = task === 'train' ? `batch ${train.batch} in ${train.accumulate} parts` : `${work.count} samples, ${work.steps} steps`;
  const sizes = `L = ${model.maxLength}, DiT ${model.dit.layers} x ${model.dit.width}, ${work.threads} threads, ${work.device} ${work.dtype}`;
  const head = ['', 'ms', 'of the limit', 'CPU ms', 'of a core', 'tokens/s', ...(task === 'sample' ? ['ms an evaluation'] : []), 'time over ours', 'CPU time over ours', 'peak MB', 'over base MB'];
  const rows = Object.entries(systems).map(([name, system]) => [
    name,
    range(system.ms),
    system.shareOfLimit === null ? '' : percent(system.shareOfLimit.median),
    `${system.cpuMs.median}`,
    system.shareOfCore === null ? '' : percent(system.shareOfCore.median),
    `${system.tokensPerSecond}`,
    ...(task === 'sample' ? [system.evaluationMs ? range(system.evaluationMs) : ''] : []),
    speedUp[name] ? range(speedUp[name]) : '1',
    cpuRatio[name] ? range(cpuRatio[name]) : '1',
    `${system.peakMB}`,
    `${system.overBaseMB}`,
  ]);
  const lines = [
    `${task}: ${amount}, ${sizes}; rounds of ${repeats}; ${machine.cpu}, load ${machine.load1} before`,
    `${(flops.total / 1e9).toFixed(1)} GFLOP; limits measured beside: ${range(limits.linear)} GFLOP/s (ours), ${range(limits.mm)} (at::mm), copy ${range(limits.bandwidth)} GB/s, ${range(limits.core)} GFLOP in a second of a core`,
    '',
    columns([head, ...rows]),
    ...Object.entries(systems).flatMap(([name, { share }]) => (share === undefined ? [] : [`${name}: ${percent(share)} of its evaluations were made, the times are those of all\n`])),
    ...Object.entries(unavailable).map(([name, reason]) => `${name} did not take part: ${reason}\n`),
  ];
  if (profile) lines.push(profileTables(profile, flops, limits.core.median));
  return lines.join('\n');
}
