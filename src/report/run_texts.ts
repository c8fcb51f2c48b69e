// What the model of a run says: samples, the way of a few of them from noise to text, held-out texts there and back, and the protocols
// that need no more than what is there. What cannot be had is a reason instead: the page says it.

import { LdlmError } from '../api/errors.js';
import { type LDLM, LAST_SCHEDULE_TIME, type Reconstruction } from '../api/ldlm.js';
import { resolveGrid } from '../api/sample_options.js';
import type { Scorer } from '../api/scorer.js';
import { samplingGrid } from '../config/schedules.js';
import { applicableProtocols, holdsStories, validationTexts } from '../eval/applicable.js';
import { evaluate, type EvaluationResult } from '../eval/evaluate.js';
import type { ProtocolName } from '../eval/protocols.js';
import { checkTrainingSet } from '../eval/training_rows.js';

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

export async function readTexts(model: LDLM, options: RunTextsOptions): Promise<RunTexts> {
  const { count, steps, seed, signal, onProgress } = options;
  const reference = options.reference ?? (await validationTexts(model.config.data.path, count));
  const trajectory = await trace(model, options);
  const reconstructions: RunTexts['reconstructions'] = reference
    ? await attempt(() => model.reconstruct(reference.slice(0, SHOWN_RECONSTRUCTIONS)))
    : { reason: 'no held-out texts: the data set has no validation part (ldlm prepare --validation), and no --reference was given' };
  const { protocols, left } = await applicable(model, { ...options, reference }, 'value' in reconstructions);
  // A scorer may not know the tokens of samples from an early checkpoint; the page is wanted all the same.
  const { results, samples } = await evaluate(model, {
    protocols, count, steps, seed, signal, onProgress, stateRefusals: true,
    ...(options.scorer ? { scorer: options.scorer } : {}), ...(reference ? { reference } : {}),
  });
  for (const { protocol, refused } of results) if (refused !== undefined) left.push(`${protocol}: ${String(refused)}`);
  return { trajectory, samples: samples.slice(SHOWN_TRAJECTORIES, SHOWN_TRAJECTORIES + SHOWN_SAMPLES).map(({ text }) => text), reconstructions, results, left };
}

async function trace(model: LDLM, { count, steps, seed, signal, onProgress }: RunTextsOptions): Promise<Trajectory> {
  const { config, checkpoint: { state } } = model;
  const warped = config.recipe.adaptiveTimesteps && resolveGrid('auto', config.model) === 'learned';
  const grid = samplingGrid(warped ? state.timesteps.cumulative : [0, 1], steps, LAST_SCHEDULE_TIME);
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
  const training = await attempt(() => checkTrainingSet(model));
  const stories = await attempt(() => holdsStories(model.config.data.path));
  const protocols = applicableProtocols({
    stories: 'value' in stories && stories.value,
    training: 'value' in training,
    references: reference?.length ?? 0,
    scorer: scorer !== null,
    count,
  }).filter((name) => name !== 'reconstruction/v1' || reconstructs);
  const left = 'reason' in training ? [training.reason] : [];
  if (!scorer) left.push('genppl/mdlm-v1 and mauve/v1 must have a scorer: give --scorer');
  return { protocols, left };
}

async function attempt<T>(work: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof LdlmError && error.code !== 'ERR_LDLM_ABORTED') return { reason: error.message };
    throw error;
  }
}
