// The checkpoints of a baseline: the files and rules of a run folder (api/run_folder.ts) with another configuration and state.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { LdlmError } from '../api/errors.js';
import { latestFolder, readJson } from '../api/run_folder.js';
import { type BaselineConfig, parseBaselineConfig } from './config.js';

const stateShape = z.object({
  step: z.int().min(0),
  seed: z.int().min(0),
  /** Rows of the data consumed so far; a function of the step, kept for readers. */
  dataPosition: z.int().min(0),
  /** Time that the training has taken so far. */
  seconds: z.number().min(0),
  cpuSeconds: z.number().min(0),
  vocabulary: z.int().min(1),
  endId: z.int().min(0),
  dataSha256: z.string().optional(),
});

export type BaselineState = z.infer<typeof stateShape>;

export interface BaselineCheckpoint {
  folder: string;
  config: BaselineConfig;
  state: BaselineState;
}

/** The newest complete checkpoint of `run`, or null. */
export async function latestBaseline(run: string): Promise<BaselineCheckpoint | null> {
  const folder = await latestFolder(run);
  return folder === null ? null : readBaseline(folder);
}

/**
 * A checkpoint folder, or the newest checkpoint of a run folder.
 * @throws LdlmError ERR_LDLM_IO that says what is missing
 */
export async function openBaseline(path: string): Promise<BaselineCheckpoint> {
  const isCheckpoint = await stat(join(path, 'state.json')).then(() => true, () => false);
  const found = isCheckpoint ? await readBaseline(path) : await latestBaseline(path);
  if (found) return found;
  throw new LdlmError('ERR_LDLM_IO', `--model must be a run folder of \`ldlm baseline train\` with a finished checkpoint, got '${path}', which has no checkpoints/latest and no state.json`);
}

/** Whether `path` is a run or checkpoint of a baseline rather than of an LDLM. */
export async function isBaseline(path: string): Promise<boolean> {
  const isCheckpoint = await stat(join(path, 'state.json')).then(() => true, () => false);
  const folder = isCheckpoint ? path : await latestFolder(path);
  if (folder === null) return false;
  const config = (await readJson(join(folder, 'config.json'))) as { kind?: unknown } | null;
  return config?.kind !== undefined;
}

async function readBaseline(folder: string): Promise<BaselineCheckpoint> {
  const config = parseBaselineConfig(await readJson(join(folder, 'config.json')));
  const state = stateShape.safeParse(await readJson(join(folder, 'state.json')));
  if (!state.success) {
    throw new LdlmError('ERR_LDLM_IO', `${join(folder, 'state.json')} must be the state of a baseline's checkpoint: ${z.prettifyError(state.error)}`);
  }
  return { folder, config, state: state.data };
}
