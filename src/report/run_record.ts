// What a run folder says of the training: configuration, logged steps, timesteps at its checkpoints, warnings.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkpointFolder, latestCheckpoint, openCheckpoint, readMetrics } from '../api/run_folder.js';
import { LdlmError } from '../api/errors.js';
import type { TrainMetrics } from '../api/train_metrics.js';
import type { LdlmConfig } from '../config/types.js';
import { type CollapseWarning, collapseWarnings } from '../watch/collapse_alarm.js';

/** The denoising loss and the density of timesteps in bins over u, as a checkpoint holds them. */
export interface TimestepRecord {
  step: number;
  /** Null where no evidence has been seen. */
  lossByU: (number | null)[];
  /** Mass of each bin; their sum is 1. */
  density: number[];
}

export interface RunRecord {
  path: string;
  config: LdlmConfig;
  /** The step of the newest checkpoint. */
  step: number;
  metrics: TrainMetrics[];
  timesteps: TimestepRecord[];
  warnings: CollapseWarning[];
}

/** As many checkpoints as can be told apart in one plot. */
const MOST_CHECKPOINTS = 6;

/** @throws LdlmError ERR_LDLM_IO if `path` holds no run with a finished checkpoint */
export async function readRun(path: string): Promise<RunRecord> {
  const newest = await latestCheckpoint(path);
  if (!newest) {
    throw new LdlmError('ERR_LDLM_IO', `RUN must be a run folder with a finished checkpoint, got '${path}', which has no checkpoints/latest. Give the --out of ldlm train`);
  }
  const metrics = await readMetrics(path);
  const timesteps = await timestepRecords(path, metrics, newest.state.step);
  // The run's own log has each warning once; a run of before there was an alarm is judged now.
  const logged = metrics.flatMap(({ warnings = [] }) => warnings);
  const warnings = logged.length > 0 ? logged : collapseWarnings(metrics, newest.config);
  return { path, config: newest.config, step: newest.state.step, metrics, timesteps, warnings };
}

/** As the log has them; those from before it had them as the checkpoints that are there do. */
async function timestepRecords(run: string, metrics: readonly TrainMetrics[], newest: number): Promise<TimestepRecord[]> {
  const logged = new Map(metrics.flatMap(({ step, timesteps }) => (timesteps ? [[step, recordOf(step, timesteps)] as const] : [])));
  const steps = [...new Set([...logged.keys(), ...(await checkpointSteps(run, newest))])].sort((a, b) => a - b);
  const records: TimestepRecord[] = [];
  for (const step of spread(steps, MOST_CHECKPOINTS)) {
    const record = logged.get(step) ?? (await recordOnDisk(run, step));
    if (record) records.push(record);
  }
  return records;
}

/** null for a checkpoint that has just made room for a newer one. */
async function recordOnDisk(run: string, step: number): Promise<TimestepRecord | null> {
  const folder = checkpointFolder(run, step);
  try {
    const { state } = await openCheckpoint(folder);
    return recordOf(step, { lossByU: state.lossByTimestep, cumulative: state.timesteps.cumulative });
  } catch (error) {
    if (await stat(folder).catch(() => null)) throw error;
    return null;
  }
}

function recordOf(step: number, { lossByU, cumulative }: NonNullable<TrainMetrics['timesteps']>): TimestepRecord {
  return { step, lossByU, density: cumulative.slice(1).map((value, i) => value - cumulative[i]!) };
}

async function checkpointSteps(run: string, newest: number): Promise<number[]> {
  const names = await readdir(join(run, 'checkpoints'));
  return names.flatMap((name) => /^step-(\d+)$/.exec(name)?.[1] ?? []).map(Number).filter((step) => step <= newest).sort((a, b) => a - b);
}

/** At most `most` of them, evenly; the first and the last stay. */
export function spread<T>(values: readonly T[], most: number): T[] {
  if (values.length <= most) return [...values];
  return Array.from({ length: most }, (_, i) => values[Math.round((i * (values.length - 1)) / (most - 1))]!);
}
