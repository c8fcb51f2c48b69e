// A frontier: one model or several, each sampled at every number of steps, eta, temperature and grid, every set of samples judged alike. The unit of
// comparison of generative models of text: single points of gen-PPL mislead, curves of it against entropy less so.
//
//   OUT/points/HASH.json    one point, named by all that decides its figures: a second call computes only what is missing
//   OUT/frontier.json       the points that were asked for last

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { LdlmError } from '../api/errors.js';
import { LDLM } from '../api/ldlm.js';
import { openCheckpoint, tokenizerOf } from '../api/run_folder.js';
import { checkStagger, type ResolvedGrid, resolveGrid, resolveSampleOptions, type SampleOptions, type SamplerName } from '../api/sample_options.js';
import { Tokenizer } from '../data/tokenizer.js';
import { differentToken } from '../data/vocabulary.js';
import { evaluate, type EvaluationResult } from '../eval/evaluate.js';
import { findKept, type Judgement, keep, questionOf } from './kept_evaluation.js';

/** What is combined with what. */
export interface Sweep {
  sampler: SamplerName;
  steps: readonly number[];
  /** Empty for samplers without it. */
  etas: readonly number[];
  temperatures: readonly number[];
  /** Empty for each model's own. */
  grids: readonly ResolvedGrid[];
}

export interface FrontierOptions extends Sweep, Judgement {
  /** Run, checkpoint or export folders. */
  models: readonly string[];
  out: string;
  count: number;
  seed: number;
  batch?: number;
  device: 'auto' | 'cpu' | 'cuda';
  weights: 'ema' | 'raw';
  signal?: AbortSignal;
  onProgress?: (progress: FrontierProgress) => void;
}

export interface FrontierProgress {
  model: string;
  setting: Setting;
  /** 'sampling' or a protocol. */
  stage: string;
  /** Evaluations of the denoiser, over all texts of all points. */
  evaluationsDone: number;
  evaluations: number;
}

/** How the samples of a point are drawn. */
export interface Setting {
  sampler: SamplerName;
  steps: number;
  /** Null for samplers without it. */
  eta: number | null;
  temperature: number;
  /** Null for the model's own. */
  grid: ResolvedGrid | null;
}

export interface FrontierPoint extends Setting {
  model: string;
  /** What was asked, or the model's own. */
  grid: ResolvedGrid;
  /** Wall time from noise to text over the number of texts: of one run, so not a benchmark. */
  secondsPerSample: number;
  results: EvaluationResult[];
}

/**
 * Computes the points that are not there yet, model by model. When `signal` aborts, the points in flight are lost, those before are kept.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT for a setting that cannot be sampled; ERR_LDLM_ABORTED
 */
export async function frontier(options: FrontierOptions): Promise<FrontierPoint[]> {
  const { models, out, count, signal } = options;
  const settings = settingsOf(options);
  for (const setting of settings) resolveSampleOptions(samplingOf(setting, options)); // refused now, not after hours
  const evaluations = models.length * count * settings.reduce((sum, { steps }) => sum + steps, 0);
  let evaluationsDone = 0;
  const points: FrontierPoint[] = [];
  for (const path of models) {
    await using model = await LDLM.load(path, { device: options.device, weights: options.weights });
    const own = resolveGrid('auto', model.config.model);
    for (const setting of settings) {
      const { steps, grid } = setting;
      const sampling = samplingOf({ ...setting, grid: grid === own ? null : grid }, options); // one question, however the grid is asked for
      const question = await questionOf(model, sampling, options);
      const file = join(out, 'points', `${createHash('sha256').update(JSON.stringify(question)).digest('hex').slice(0, 16)}.json`);
      const report = (stage: string, texts: number): void =>
        options.onProgress?.({ model: path, setting, stage, evaluationsDone: evaluationsDone + steps * texts, evaluations });
      const compute = async (): ReturnType<typeof keep> => keep(file, question, await evaluate(model, {
        ...sampling,
        protocols: options.protocols,
        stateRefusals: true,
        ...(options.batch === undefined ? {} : { batch: options.batch }),
        ...(options.scorer ? { scorer: options.scorer } : {}),
        ...(options.reference.length > 0 ? { reference: options.reference } : {}),
        ...(signal ? { signal } : {}),
        onProgress: (stage, done) => report(stage, stage === 'sampling' ? done : count),
      }));
      const { results, samplingSeconds } = (await findKept(file, question)) ?? (await compute());
      evaluationsDone += steps * count;
      points.push({ model: path, ...setting, grid: grid ?? own, secondsPerSample: samplingSeconds / count, results });
    }
  }
  return points;
}

/**
 * Entropies compare at equal length and tokenizer only: more tokens have a higher ceiling, whatever the model.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT for models that do not compare, or one that cannot be sampled by `sampler`
 */
export async function checkComparable(models: readonly string[], sampler: SamplerName): Promise<void> {
  let first: Compared | undefined;
  for (const path of models) {
    const { folder, config: { model } } = await openCheckpoint(path);
    checkStagger(model, sampler, path);
    const { json } = await Tokenizer.load(await tokenizerOf(folder));
    const other: Compared = { path, maxLength: model.maxLength, json };
    const differs = difference((first ??= other), other);
    if (differs === null) continue;
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `the models of a frontier must have one length and tokenizer, since entropies of others do not compare, got ${differs} in ${first.path} and ${path}. Make a frontier of each`);
  }
}

interface Compared {
  path: string;
  maxLength: number;
  /** Of the tokenizer. */
  json: Buffer;
}

function difference(a: Compared, b: Compared): string | null {
  if (a.maxLength !== b.maxLength) return `lengths ${a.maxLength} and ${b.maxLength}`;
  return differentToken(a.json, b.json) || differentToken(b.json, a.json) ? 'two tokenizers' : null;
}

/** Every combination, once. */
export function settingsOf({ sampler, steps, etas, temperatures, grids }: Sweep): Setting[] {
  const orNull = <Value>(values: readonly Value[]): readonly (Value | null)[] => (values.length > 0 ? values : [null]);
  const all = orNull(grids).flatMap((grid) => temperatures.flatMap((temperature) =>
    orNull(etas).flatMap((eta) => steps.map((count) => ({ sampler, steps: count, eta, temperature, grid })))));
  return [...new Map(all.map((setting) => [JSON.stringify(setting), setting])).values()];
}

/** The options of a call to sample, but for what changes no text. */
export function samplingOf({ eta, grid, ...setting }: Setting, { count, seed }: { count: number; seed: number }): SampleOptions {
  return { ...setting, ...(eta === null ? {} : { eta }), ...(grid === null ? {} : { grid }), count, seed };
}
