// The files of a run: RUN/checkpoints/step-N/ (each complete or absent), RUN/checkpoints/latest, RUN/metrics.jsonl,
// RUN/tokenizer.json, RUN/tokenizer_config.json. The tensors of a checkpoint are written natively; this file does the rest.

import { appendFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { withLaterFields } from '../config/later_fields.js';
import { parseConfig } from '../config/parse.js';
import type { LdlmConfig } from '../config/types.js';
import { syncAndRename, writeFileAtomic } from '../data/atomic.js';
import { ioError } from '../data/io_error.js';
import type { Shards } from '../data/shards.js';
import { readTokenizerFiles, specialTokensJson, specialTokensOf, tokenizerNames } from '../data/tokenizer_files.js';
import { LdlmError } from './errors.js';
import type { NativeJointTrainer } from './native_types.js';
import type { TrainMetrics } from './train_metrics.js';

const numbers = z.array(z.number());
const stateShape = z.object({
  step: z.int().min(0),
  /** The random numbers are made by counter from the seed and the step, so these two are the whole random state. */
  seed: z.int().min(0),
  /** Rows of the data consumed so far; a function of the step, kept for readers. */
  dataPosition: z.int().min(0),
  timesteps: z.object({ lossSum: numbers, weightSum: numbers, cumulative: numbers }),
  lossByTimestep: z.array(z.number().nullable()),
  /** The frozen LM: its sizes, and the hash of its weights. */
  encoder: z.object({ hiddenWidth: z.int().min(1), vocabulary: z.int().min(1), sha256: z.string().optional() }),
  /** Hash of the rows that are trained on (`hashOfRows`). */
  dataSha256: z.string().optional(),
});

/** What a checkpoint holds besides tensors and configuration. */
export type CheckpointState = z.infer<typeof stateShape>;

/** The part of a checkpoint that the native trainer holds beside its tensors. */
type TrainedState = Awaited<ReturnType<NativeJointTrainer['save']>>;

/** A complete checkpoint on disk. */
export interface Checkpoint {
  folder: string;
  config: LdlmConfig;
  state: CheckpointState;
  /** Made by `ldlm export`: EMA weights without the latent encoder. */
  samplingOnly: boolean;
}

const exists = (path: string): Promise<boolean> => stat(path).then(() => true, () => false);

/** RUN/checkpoints/step-N */
export function checkpointFolder(run: string, step: number): string {
  return join(run, 'checkpoints', `step-${step}`);
}

/**
 * The newest complete checkpoint of `run`, or null. A folder half written has another name, so it is never seen.
 * @throws LdlmError ERR_LDLM_IO if the checkpoint named by `latest` is broken
 */
export async function latestCheckpoint(run: string): Promise<Checkpoint | null> {
  const folder = await latestFolder(run);
  return folder === null ? null : readCheckpoint(folder);
}

/** The folder that RUN/checkpoints/latest names, or null. */
export async function latestFolder(run: string): Promise<string | null> {
  const pointer = join(run, 'checkpoints', 'latest');
  if (!(await exists(pointer))) return null;
  const name = (await readFile(pointer, 'utf8')).trim();
  if (!/^step-\d+$/.test(name)) {
    throw new LdlmError('ERR_LDLM_IO', `${pointer} must name a checkpoint folder such as step-500, got '${name.slice(0, 40)}'`);
  }
  return join(run, 'checkpoints', name);
}

/**
 * Reads a checkpoint folder, an export folder, or the newest checkpoint of a run folder.
 * @throws LdlmError ERR_LDLM_IO that says what is missing
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  if (await exists(join(path, 'state.json'))) return readCheckpoint(path);
  const latest = await latestCheckpoint(path);
  if (latest) return latest;
  throw new LdlmError(
    'ERR_LDLM_IO',
    `a model must be a run folder with a finished checkpoint (or a checkpoint or export folder), got '${path}', ` +
      `which has no checkpoints/latest and no state.json`,
  );
}

async function readCheckpoint(folder: string): Promise<Checkpoint> {
  const written = await readJson(join(folder, 'config.json'));
  if ((written as { kind?: unknown } | null)?.kind !== undefined) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `the model must be an LDLM, got a baseline in ${folder}. Use ldlm baseline sample, or ldlm eval`);
  }
  const config = parseConfig(withLaterFields(written));
  const state = stateShape.safeParse(await readJson(join(folder, 'state.json')));
  if (!state.success) {
    throw new LdlmError('ERR_LDLM_IO', `${join(folder, 'state.json')} must be the state of a checkpoint: ${z.prettifyError(state.error)}`);
  }
  return { folder, config, state: state.data, samplingOnly: !(await exists(join(folder, 'optimizer.safetensors'))) };
}

/** @throws LdlmError ERR_LDLM_IO */
export async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new LdlmError('ERR_LDLM_IO', `${file} must be a readable JSON file: ${String(cause)}`, { cause });
  }
}

/** As `writeCheckpointFolder`, for an LDLM. */
export function writeCheckpoint(
  run: string,
  config: LdlmConfig,
  sources: Pick<CheckpointState, 'encoder' | 'dataSha256'>,
  saveTensors: (folder: string) => Promise<TrainedState>,
  log?: (state: CheckpointState) => Promise<void>,
): Promise<string> {
  return writeCheckpointFolder(run, config, async (folder) => checkpointState(config, sources, await saveTensors(folder)), log);
}

/**
 * Writes a checkpoint so that its name only ever stands for a complete one: `saveTensors` fills a temporary folder and gives the
 * state, the JSON files join it, everything is synced, renamed, and `latest` moves last. `log` writes the line of the step just before the rename:
 * killed in between, a run goes on from the checkpoint before and drops the line, while one that came after could be missing for good. A
 * failure leaves the checkpoints as they were: what was half written goes, since on a full disk it would stand in the way of the next
 * attempt. A log that cannot be written takes no checkpoint with it; its error is thrown at the end. Checkpoints older than the
 * `keepCheckpoints` newest are deleted last. Returns the checkpoint's folder.
 */
export async function writeCheckpointFolder<State extends { step: number }>(
  run: string,
  config: { train: { keepCheckpoints: number | null } },
  saveTensors: (folder: string) => Promise<State>,
  log?: (state: State) => Promise<void>,
): Promise<string> {
  const temporary = join(run, 'checkpoints', `.writing-${process.pid}`);
  let unlogged: unknown;
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true }).catch(ioError(temporary, 'a folder that can be made'));
    const state = await saveTensors(temporary);
    await writeJson(join(temporary, 'config.json'), config);
    await writeJson(join(temporary, 'state.json'), state);
    await log?.(state).catch((error: unknown) => void (unlogged = error));
    const folder = checkpointFolder(run, state.step);
    if ((await latestFolder(run)) === folder && (await exists(join(folder, 'state.json')))) {
      await rm(temporary, { recursive: true }); // saved twice: the same, and replacing it would leave a moment without a checkpoint
    } else {
      await syncAndRename(temporary, folder, { replace: true });
      await writeFileAtomic(join(run, 'checkpoints', 'latest'), `step-${state.step}\n`);
    }
    if (unlogged !== undefined) throw unlogged;
    await dropOlderCheckpoints(run, state.step, config.train.keepCheckpoints ?? Infinity);
    return folder;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined); // the first failure is the one to tell
    throw error;
  }
}

/**
 * Leaves the checkpoint of `step`, the newest before it, `kept` in all, and those that were written when all were to stay. One that is being
 * deleted has another name, so a name still means a complete one.
 */
async function dropOlderCheckpoints(run: string, step: number, kept: number): Promise<void> {
  const steps = (await readdir(join(run, 'checkpoints'))).flatMap((name) => (/^step-\d+$/.test(name) ? [Number(name.slice('step-'.length))] : []));
  const older = steps.filter((other) => other < step).sort((a, b) => b - a);
  for (const old of older.slice(kept - 1)) {
    const folder = checkpointFolder(run, old);
    if (!(await mayGo(folder))) continue;
    const aside = `${folder}.${process.pid}.old`;
    await rename(folder, aside).catch(ioError(folder, 'a checkpoint that can be deleted'));
    await rm(aside, { recursive: true, force: true }).catch(() => undefined); // on a network somebody may still read it; the next start deletes it
  }
}

/** Whether a checkpoint was written to go when there are newer ones; what cannot be read is no checkpoint of ours. */
async function mayGo(folder: string): Promise<boolean> {
  const config = (await readJson(join(folder, 'config.json')).catch(() => null)) as { train?: { keepCheckpoints?: number | null } } | null;
  return typeof config?.train?.keepCheckpoints === 'number';
}

function checkpointState(
  config: LdlmConfig,
  sources: Pick<CheckpointState, 'encoder' | 'dataSha256'>,
  { step, timesteps, lossByTimestep }: TrainedState,
): CheckpointState {
  return {
    step,
    seed: config.train.seed,
    dataPosition: step * config.train.batch,
    timesteps: {
      lossSum: [...timesteps.lossSum],
      weightSum: [...timesteps.weightSum],
      cumulative: [...timesteps.cumulative],
    },
    lossByTimestep: [...lossByTimestep].map((loss) => (Number.isFinite(loss) ? loss : null)),
    ...sources,
  };
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, JSON.stringify(value, null, 2) + '\n').catch(ioError(file, 'a file that can be written'));
}

/** Adds a line to RUN/metrics.jsonl; that of a checkpoint (`saved`) is forced to the disk, as the checkpoint will be. */
export async function logMetrics(run: string, metrics: { step: number; saved?: boolean; samples?: string[] }): Promise<void> {
  const file = join(run, 'metrics.jsonl');
  await appendFile(file, JSON.stringify(metrics) + '\n', { flush: metrics.saved === true }).catch(ioError(file, 'a file that can be written'));
}

/**
 * The steps of RUN/metrics.jsonl; none if there is no such file. Samples come in a line of their own behind that of their checkpoint, and
 * belong to it. A last line that is still being written is left out.
 * @throws LdlmError ERR_LDLM_IO naming a line that is broken
 */
export async function readMetrics(run: string): Promise<TrainMetrics[]> {
  const file = join(run, 'metrics.jsonl');
  if (!(await exists(file))) return [];
  const lines = (await readFile(file, 'utf8').catch(ioError(file, 'a file that can be read'))).split('\n');
  const complete = lines.slice(0, -1); // what follows the last line end is empty or cut
  const parsed = complete.map((line, index) => {
    try {
      return JSON.parse(line) as TrainMetrics;
    } catch (cause) {
      throw new LdlmError('ERR_LDLM_IO', `${file}:${index + 1} must be a JSON object, got '${line.slice(0, 60)}'. Delete the line`, { cause });
    }
  });
  const steps: TrainMetrics[] = [];
  for (const line of parsed) {
    const last = steps.at(-1);
    if (last?.step !== line.step) {
      steps.push(line);
      continue;
    }
    const warnings = [...(last.warnings ?? []), ...(line.warnings ?? [])];
    Object.assign(last, line, warnings.length > 0 && { warnings });
  }
  return steps;
}

/** Names of what is still being written, or was being replaced (data/atomic.ts). */
const UNFINISHED = /^(\.writing-\d+|(latest|metrics\.jsonl|tokenizer\.json|tokenizer_config\.json)\.[0-9a-f]+\.tmp|step-\d+\.\d+\.old)$/;

/** Drops what a killed run left behind: unfinished files and checkpoint folders, and metrics of steps after the checkpoint. */
export async function cleanRun(run: string, step: number): Promise<void> {
  for (const folder of [run, join(run, 'checkpoints')]) {
    for (const name of (await exists(folder)) ? await readdir(folder) : []) {
      if (UNFINISHED.test(name)) await rm(join(folder, name), { recursive: true, force: true });
    }
  }
  const metrics = join(run, 'metrics.jsonl');
  if (!(await exists(metrics))) return;
  const kept = (await readFile(metrics, 'utf8')).split('\n').filter((line) => isUpTo(line, step));
  await writeFileAtomic(metrics, kept.map((line) => line + '\n').join(''));
}

function isUpTo(line: string, step: number): boolean {
  try {
    const logged = (JSON.parse(line) as { step?: unknown }).step;
    return typeof logged === 'number' && logged <= step;
  } catch {
    return false; // the last line of a killed process may be cut
  }
}

/**
 * The tokenizer travels with the run, so that sampling needs nothing else. Which tokens end and pad documents the manifest of the data says.
 * @throws LdlmError ERR_LDLM_CONFIG if a resumed run has another tokenizer: the ids of the data would mean other words
 */
export async function copyTokenizer({ dir, manifest }: Pick<Shards, 'dir' | 'manifest'>, run: string, { resumed }: { resumed: boolean }): Promise<void> {
  const { definition, json } = await readTokenizerFiles(dir);
  const [copy, names] = tokenizerNames.map((name) => join(run, name)) as [string, string];
  if (resumed && (await exists(copy))) {
    const same = json.equals(await readFile(copy).catch(ioError(copy, 'a file that can be read')));
    if (!same || ((await exists(names)) && (await readTokenizerFiles(run)).specialIds.end !== manifest.endId)) {
      throw new LdlmError('ERR_LDLM_CONFIG', `the data must be made with the tokenizer of the run, ${copy}, got another one in ${dir}. Prepare the data with it, or choose another --out`);
    }
    if (await exists(names)) return;
  }
  await mkdir(run, { recursive: true }).catch(ioError(run, 'a folder that can be made'));
  await writeFileAtomic(copy, json);
  await writeFileAtomic(names, specialTokensJson(specialTokensOf(definition, manifest)));
}

/** The folder with the tokenizer of a checkpoint: its own (export) or its run. */
export async function tokenizerOf(folder: string): Promise<string> {
  for (const candidate of [folder, join(folder, '..', '..')]) {
    if (await exists(join(candidate, tokenizerNames[0]))) return candidate;
  }
  throw new LdlmError('ERR_LDLM_IO', `${folder} must have a tokenizer.json beside it or at the top of its run, got neither`);
}
