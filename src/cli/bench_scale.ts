// `ldlm bench scale`: what a step or a sample costs as one size grows, with the line that the arithmetic alone would give.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { columns } from '../bench/columns.js';
import { compare } from '../bench/compare.js';
import { appendResult, describeMachine } from '../bench/record.js';
import { type Curve, scalingPlot } from '../bench/scaling_plot.js';
import type { Spread } from '../bench/statistics.js';
import { createWork, type WorkOptions, writeFiles } from '../bench/workload.js';
import { writeFileAtomic } from '../data/atomic.js';
import { moduleFlops } from './bench_compare.js';
import { requireFolderOf } from './output_file.js';
import { createProgress } from './progress.js';

export interface ScaleFlags extends Omit<WorkOptions, 'threads'> {
  threads?: number;
  task: 'train' | 'sample';
  over: 'length' | 'batch' | 'width' | 'threads';
  values: number[];
  repeats: number;
  json: boolean;
  out?: string;
  svg?: string;
}

interface Point {
  value: number;
  ms: Spread;
  /** Operations over the matrix rate of this run. */
  theoryMs: number;
  shareOfLimit: Spread;
  peakMB: number;
  overBaseMB: number;
}

export async function scaleAction(flags: ScaleFlags & { threads: number }, signal: AbortSignal): Promise<void> {
  const { task, over, values, repeats, preset } = flags;
  if (over === 'width' && values.some((value) => value % 64 !== 0)) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `widths must be multiples of 64, got ${values.join(', ')}`);
  }
  await requireFolderOf(flags.svg);
  await requirePossible(flags);
  const machine = describeMachine();
  const progress = createProgress({ total: values.length, unit: 'values', label: `bench scale ${over}` });
  const points: Point[] = [];
  let failure: unknown;
  try {
    for (const [i, value] of values.entries()) {
      progress.update(i, { now: `${over} ${value}` });
      points.push(await measure(flags, value, signal));
    }
  } catch (error) {
    if (points.length === 0) throw error;
    failure = error; // what was measured is not lost; a picture of it would take that of a whole curve's place
  } finally {
    progress.stop();
  }
  const { threads, device, dtype, count, steps } = flags;
  const result = { task, preset, over, threads, device, dtype, count, steps, repeats, complete: failure === undefined, points, machine };
  if (flags.out !== undefined) await appendResult(flags.out, 'scale', result);
  if (flags.svg !== undefined && failure === undefined) await writeFileAtomic(flags.svg, plot(task, over, points, preset));
  process.stdout.write(flags.json ? JSON.stringify({ op: 'scale', ...result }) + '\n' : describe(over, points));
  if (failure !== undefined) throw failure;
}

/** A value that cannot be is refused before the others are measured. */
async function requirePossible(flags: ScaleFlags & { threads: number }): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ldlm-bench-'));
  try {
    for (const value of flags.values) await createWork(optionsAt(flags, value), folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** "batch" is rows of a training step, or samples at once. */
function optionsAt(flags: ScaleFlags & { threads: number }, value: number): WorkOptions {
  const name = flags.over === 'batch' && flags.task === 'sample' ? 'count' : flags.over;
  // Without this, a CPU's default batch would shrink as the length grows.
  return { ...flags, batch: flags.batch ?? 1, [name]: value };
}

async function measure(flags: ScaleFlags & { threads: number }, value: number, signal: AbortSignal): Promise<Point> {
  const { task, repeats: rounds } = flags;
  const folder = await mkdtemp(join(tmpdir(), 'ldlm-bench-'));
  try {
    const work = await createWork(optionsAt(flags, value), folder);
    await writeFiles(work, { encoder: task === 'train', model: task === 'sample' });
    const { systems, limits } = await compare({ task, work, against: [], rounds, profile: false, signal });
    const { ms, shareOfLimit, peakMB, overBaseMB } = systems.ldlm!;
    const rate = Math.max(limits.linear.median, limits.mm.median);
    return { value, ms, theoryMs: Number((moduleFlops(task, work).total / (rate * 1e6)).toFixed(2)), shareOfLimit: shareOfLimit!, peakMB, overBaseMB };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function describe(over: string, points: readonly Point[]): string {
  const head = [over, 'ms', 'arithmetic alone, ms', 'of the limit', 'peak MB', 'over base MB'];
  const rows = points.map(({ value, ms, theoryMs, shareOfLimit, peakMB, overBaseMB }) => [
    ...[`${value}`, `${ms.median} (${ms.min} to ${ms.max})`, `${theoryMs}`, `${(100 * shareOfLimit.median).toFixed(1)} %`],
    ...[`${peakMB}`, `${overBaseMB}`],
  ]);
  return columns([head, ...rows]);
}

function plot(task: string, over: string, points: readonly Point[], preset: string): string {
  const what = task === 'train' ? 'training step' : 'sampling';
  const curves: Curve[] = [
    { name: 'measured, ms', points: points.map(({ value, ms }) => ({ x: value, y: ms.median })) },
    { name: 'operations over the matrix rate, ms', theory: true, points: points.map(({ value, theoryMs }) => ({ x: value, y: theoryMs })) },
    { name: 'peak memory over the base, MB', points: points.map(({ value, overBaseMB }) => ({ x: value, y: Math.max(1, overBaseMB) })) },
  ];
  return scalingPlot(`${what}, ${preset}, by ${over}`, curves, { x: over, y: 'ms, MB' });
}
