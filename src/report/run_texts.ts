// What the model of a run says: samples, the way of a few of them from noise to text, held-out texts there and back, and the protocols
// that need no more than what is there. What cannot be had is a reason instead: the page says it.

import { LdlmError } from '../api/errors.js';
import { type LDLM, LAST_SCHEDULE_TIME, type Reconstruction } from '../api/ldlm.js';
import type { Scorer } from '../api/scorer.js';
import { samplingGrid } from '../config/schedules.js';
import { openShards } from '../data/shards.js';
import { checkStory } from '../data/stories/check.js';
import { applicableProtocols, firstRows, validationOf } from '../eval/applicable.js';
import { evaluate, type Evaluation, type EvaluationResult } from '../eval/evaluate.js';
import { type ProtocolName, protocolNeeds } from '../eval/protocols.js';
import { trainingRows } from '../eval/training_rows.js';

export interface Trajectory {
  /** One entry an evaluation of the denoiser: schedule time, and z0_hat of each sample decoded. */
  steps: { u: number; texts: string[] }[];
}

/** A result, or why there is none. */
export type Attempt<T> = { value: T } | { reason: string };

export interface RunTexts {
  trajectory: Trajectory;
  /** The samples after those of the trajectory. */
  samples: string[];
  reconstructions: Attempt<Reconstruction[]>;
  results: EvaluationResult[];
  /** Why a protocol that might have been expected is missing. */
  left: string[];
}

export interface RunTextsOptions {
  /** Samples that the protocols judge. */
  count: number;
  /** Evaluations of the denoiser. */
  steps: number;
  seed: number;
  /** Held-out texts; default: the validation part of the data set, if it has one. */
  reference: readonly string[] | null;
  scorer: Scorer | null;
  signal: AbortSignal;
  onProgress: (stage: string, done: number, total: number) => void;
}

const SHOWN_TRAJECTORIES = 4;
const SHOWN_SAMPLES = 8;
const SHOWN_RECONSTRUCTIONS = 8;
const ROWS_TO_KNOW_STORIES = 16;

export async function readTexts(model: LDLM, options: RunTextsOptions): Promise<RunTexts> {
  const { count, steps, seed, signal, onProgress } = options;
  const reference = options.reference ?? (await validationTexts(model, count));
  const trajectory = await trace(model, options);
  const reconstructions: RunTexts['reconstructions'] = reference
    ? await attempt(() => model.reconstruct(reference.slice(0, SHOWN_RECONSTRUCTIONS)))
    : { reason: 'no held-out texts: the data set has no validation part (ldlm prepare --validation), and no --reference was given' };
  const { protocols, left } = await applicable(model, { ...options, reference }, 'value' in reconstructions);
  const judge = (names: readonly ProtocolName[]): Promise<Evaluation> =>
    evaluate(model, { protocols: names, count, steps, seed, signal, onProgress, ...(options.scorer ? { scorer: options.scorer } : {}), ...(reference ? { reference } : {}) });
  const all = await attempt(() => judge(protocols));
  // A scorer may not know the tokens of samples from an early checkpoint; the page is wanted all the same.
  if ('reason' in all) left.push(all.reason);
  const { results, samples } = 'value' in all ? all.value : await judge(protocols.filter((name) => !('scorer' in protocolNeeds[name])));
  return { trajectory, samples: samples.slice(SHOWN_TRAJECTORIES, SHOWN_TRAJECTORIES + SHOWN_SAMPLES).map(({ text }) => text), reconstructions, results, left };
}

async function trace(model: LDLM, { count, steps, seed, signal, onProgress }: RunTextsOptions): Promise<Trajectory> {
  const { config, checkpoint: { state } } = model;
  const grid = samplingGrid(config.recipe.adaptiveTimesteps ? state.timesteps.cumulative : [0, 1], steps, LAST_SCHEDULE_TIME);
  const trajectory: Trajectory = { steps: [] };
  for await (const { step, texts, done } of model.sampleStream({ count: Math.min(count, SHOWN_TRAJECTORIES), steps, seed, previewEvery: 1, signal })) {
    if (done) continue; // the last preview again
    trajectory.steps.push({ u: grid[step - 1]!, texts });
    onProgress('trajectory', step, steps);
  }
  return trajectory;
}

/** Which protocols mean something here, and what was missing for others. */
async function applicable(model: LDLM, { count, reference, scorer }: RunTextsOptions, reconstructs: boolean): Promise<{ protocols: ProtocolName[]; left: string[] }> {
  const training = await attempt(() => trainingTexts(model));
  const protocols = applicableProtocols({
    stories: 'value' in training && training.value.every((text) => isStory(text)),
    training: 'value' in training,
    references: reference?.length ?? 0,
    scorer: scorer !== null,
    count,
  }).filter((name) => name !== 'reconstruction/v1' || reconstructs);
  const left = 'reason' in training ? [training.reason] : [];
  if (!scorer) left.push('genppl/mdlm-v1 and mauve/v1 must have a scorer: give --scorer');
  return { protocols, left };
}

async function trainingTexts(model: LDLM): Promise<string[]> {
  const rows: number[][] = [];
  for await (const row of trainingRows(model)) if (rows.push([...row]) === ROWS_TO_KNOW_STORIES) break;
  return model.tokenizer.decodeBatch(rows);
}

function isStory(text: string): boolean {
  const { sentences, validSentences } = checkStory(text);
  return sentences > 0 && validSentences === sentences;
}

/** The first documents of DATA/validation, or null where there is none. */
async function validationTexts(model: LDLM, count: number): Promise<string[] | null> {
  const folder = validationOf(model.config.data.path);
  if (folder === null) return null;
  await using shards = await openShards(folder);
  const { endId } = model.tokenizer;
  return model.tokenizer.decodeBatch((await firstRows(shards, count)).map((row) => row.filter((id) => id !== endId)));
}

async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof LdlmError && error.code !== 'ERR_LDLM_ABORTED') return { reason: error.message };
    throw error;
  }
}
