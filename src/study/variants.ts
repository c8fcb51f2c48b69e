// What `ldlm ablate` compares: the full recipe, without each of its four ingredients, without all of them, and with the choices that the
// paper leaves open (grade D of docs/recipe.md) made otherwise. A variant is a pure function of the full configuration and changes
// exactly the fields that it names; `uniform-grid` changes how the model of `full` is sampled.

import { LdlmError } from '../api/errors.js';
import type { ResolvedGrid } from '../api/sample_options.js';
import { parseConfig } from '../config/parse.js';
import type { LdlmConfig } from '../config/types.js';

type Recipe = LdlmConfig['recipe'];

export interface Variant {
  /** What is different, in words. */
  readonly what: string;
  /** The fields that differ from the full recipe. */
  readonly fields: readonly string[];
  readonly of: (full: LdlmConfig) => LdlmConfig;
  /** How its model is sampled. */
  readonly grid: ResolvedGrid;
}

/** No diffusion gradient reaches the encoder at any step. */
const NO_PULL = { steps: 1, k: 10, c: 0.8, min: 0, max: 0 };

export const variants = {
  'full': variant('the full recipe', [], (full) => full),

  'no-mse': recipe('cross-entropy through the whole autoencoder', 'decoderLoss', () => 'cross-entropy'),
  'no-warmup': recipe('gamma = 1 from the first step', 'encoderWarmup', () => null),
  'no-adaptive-timesteps': recipe('u is drawn uniformly', 'adaptiveTimesteps', () => null),
  'no-decoder-noise': recipe('sigma_dec = 0', 'decoderNoise', () => 0),
  'naive': variant('without all four', ['recipe.decoderLoss', 'recipe.encoderWarmup', 'recipe.adaptiveTimesteps', 'recipe.decoderNoise'], naive),

  'free-scale': variant('z0 without its RMS norm', ['model.freeScale'], (full) => ({ ...full, model: { ...full.model, freeScale: true } })),
  // 1 and 5 where the paper has 3; in the same ratio where sigma_dec is another.
  'less-noise': recipe('sigma_dec a third', 'decoderNoise', ({ decoderNoise }) => decoderNoise / 3),
  'more-noise': recipe('sigma_dec five thirds', 'decoderNoise', ({ decoderNoise }) => (5 * decoderNoise) / 3),
  'stopped-target': recipe('no gradient through the target', 'stoppedTarget', () => true),
  'two-stage': recipe('gamma = 0: no diffusion gradient in the encoder', 'encoderWarmup', () => NO_PULL),
  'no-stagger': variant('one time for all positions', ['model.stagger'], (full) => ({ ...full, model: { ...full.model, stagger: 0 } })),
  'no-loss-weighting': recipe('all times of L_diff as they come', 'lossWeighting', () => null),
  'uniform-grid': { ...variant('sampled at times even in u', [], (full) => full), grid: 'uniform' },
} as const satisfies Record<string, Variant>;

export type VariantName = keyof typeof variants;

export const variantNames = Object.keys(variants) as VariantName[];

/**
 * The configuration of a variant.
 * @throws LdlmError ERR_LDLM_CONFIG if `full` has nothing that the variant could change
 */
export function configOf(name: VariantName, full: LdlmConfig): LdlmConfig {
  const idle = idleBecause(name, full);
  if (idle === null) return parseConfig(variants[name].of(full));
  throw new LdlmError('ERR_LDLM_CONFIG', `variant ${name} must differ from full, got the same: ${idle}. Leave it out with --only`);
}

/** Why a variant would be the full recipe once more; null if it differs. */
export function idleBecause(name: VariantName, full: LdlmConfig): string | null {
  const { of, grid, fields }: Variant = variants[name];
  if (grid === 'uniform') return full.recipe.adaptiveTimesteps === null ? 'recipe.adaptiveTimesteps is so already' : null;
  const same = JSON.stringify(parseConfig(of(full))) === JSON.stringify(full);
  return same && name !== 'full' ? `${fields[0]} is so already` : null;
}

function variant(what: string, fields: readonly string[], of: (full: LdlmConfig) => LdlmConfig): Variant {
  return { what, fields, of, grid: 'learned' };
}

function recipe<Field extends keyof Recipe>(what: string, field: Field, value: (recipe: Recipe) => Recipe[Field]): Variant {
  return variant(what, [`recipe.${field}`], (full) => ({ ...full, recipe: { ...full.recipe, [field]: value(full.recipe) } }));
}

function naive(full: LdlmConfig): LdlmConfig {
  const ingredients = ['no-mse', 'no-warmup', 'no-adaptive-timesteps', 'no-decoder-noise'] as const;
  return ingredients.reduce((config, name) => variants[name].of(config), full);
}
