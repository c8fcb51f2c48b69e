// The one set of sampling options, for the API, the command line and HTTP, with its defaults and limits.

import { LdlmError } from './errors.js';

export const samplers = ['ddim', 'ddpm', 'dpmpp', 'heun', 'sde'] as const;
export type SamplerName = (typeof samplers)[number];

export const grids = ['auto', 'learned', 'uniform'] as const;
export type GridName = (typeof grids)[number];
/** What `auto` stands for, or what was asked. */
export type ResolvedGrid = Exclude<GridName, 'auto'>;

/** On the story corpus ancestral noise beat the deterministic sampler at 16 steps and more. */
export const defaultSampler: SamplerName = 'ddpm';

export interface SampleOptions {
  /** Texts to sample, default 1. */
  count?: number;
  /** Evaluations of the denoiser, default 32. `heun` uses two an interval. */
  steps?: number;
  /** Default `ddpm`. */
  sampler?: SamplerName;
  /** Share of fresh noise, 0 to 1; default 0 for ddim, 1 for ddpm and dpmpp; the others have none. */
  eta?: number;
  /** Deviation of all noise, the initial and the fresh, > 0; default 1, what the model was trained for. Less gives text nearer to the mode, and less of it. */
  temperature?: number;
  /**
   * Schedule times of the evaluations: even under the learned warp, or even in u. `auto`, the default, is even in u for a model with stagger, and
   * the learned warp for others. Without adaptive timesteps both are the same.
   */
  grid?: GridName;
  /** 0 to 2^53 - 1, default 0. */
  seed?: number;
  /** Texts denoised at once, default 32. Changes speed and memory, not the texts. */
  batch?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

export interface ResolvedSampleOptions {
  count: number;
  steps: number;
  sampler: 'ddim' | 'dpmpp' | 'heun' | 'sde';
  eta: number;
  temperature: number;
  grid: GridName;
  seed: number;
  batch: number;
  signal: AbortSignal | undefined;
}

/** @throws LdlmError ERR_LDLM_INVALID_ARGUMENT naming the option, what it must be and what it was */
export function resolveSampleOptions(options: SampleOptions): ResolvedSampleOptions {
  const { count = 1, steps = 32, sampler = defaultSampler, temperature = 1, grid = 'auto', seed = 0, batch = 32, signal } = options;
  requireWhole('count', count, 1);
  requireWhole('steps', steps, 1);
  requireWhole('seed', seed, 0);
  requireWhole('batch', batch, 1);
  if (!samplers.includes(sampler)) throw invalid('sampler', `one of ${samplers.join(', ')}`, sampler);
  if (options.eta !== undefined && !hasEta(sampler)) throw invalid('eta', `left out for ${sampler}, which has none`, options.eta);
  const eta = options.eta ?? (sampler === 'ddpm' || sampler === 'dpmpp' ? 1 : 0);
  if (!(eta >= 0 && eta <= 1)) throw invalid('eta', '0 to 1', eta);
  if (!(temperature > 0 && Number.isFinite(temperature))) throw invalid('temperature', 'a number > 0', temperature);
  if (!grids.includes(grid)) throw invalid('grid', `one of ${grids.join(', ')}`, grid);
  return { count, steps, sampler: sampler === 'ddpm' ? 'ddim' : sampler, eta, temperature, grid, seed, batch, signal };
}

/** Whether `sampler` takes an eta. */
export function hasEta(sampler: SamplerName): boolean {
  return sampler !== 'heun' && sampler !== 'sde';
}

/** The warp is learned over the time that all positions share, and with stagger it would give the first half of a text four fifths of the evaluations. */
export function resolveGrid(grid: GridName, { stagger }: { stagger: number }): ResolvedGrid {
  if (grid !== 'auto') return grid;
  return stagger > 0 ? 'uniform' : 'learned';
}

/**
 * Refuses the integrators that know one time for all positions.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT for a model with stagger and another sampler
 */
export function checkStagger({ stagger }: { stagger: number }, sampler: SamplerName, model = 'the model'): void {
  if (stagger === 0 || sampler === 'ddim' || sampler === 'ddpm') return;
  throw invalid('sampler', `ddpm or ddim for ${model}, whose model.stagger is ${stagger}`, sampler);
}

/** @throws LdlmError ERR_LDLM_INVALID_ARGUMENT */
export function requireWhole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) throw invalid(name, `a whole number >= ${least}`, value);
}

export function invalid(name: string, must: string, got: unknown): LdlmError {
  return new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `${name} must be ${must}, got ${String(got)}`);
}
