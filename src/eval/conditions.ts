// What every result carries, so that a figure can be made again: how the samples were made, by which weights, on which machine.

import { cpus } from 'node:os';
import { loadNative } from '../api/native.js';
import { packageVersion } from '../api/package_root.js';
import { defaultSampler, hasEta, type ResolvedGrid, resolveGrid, resolveSampleOptions, type SampleOptions } from '../api/sample_options.js';
import type { Scorer } from '../api/scorer.js';
import { hashFiles } from '../data/hash_files.js';
import type { EvaluatedModel } from './evaluated_model.js';

export interface Conditions {
  sampler: string;
  /** As asked for; null where the sampler takes one a token. */
  steps: number | null;
  /** null, as the next two, where the sampler has none. */
  eta: number | null;
  temperature: number | null;
  grid: ResolvedGrid | null;
  seed: number;
  count: number;
  precision: 'float32' | 'bfloat16';
  model: { path: string; step: number; sha256: string };
  /** Of the protocols that use one. */
  scorer: { path: string; sha256: string; tokenizerSha256: string } | null;
  machine: { processor: string; cores: number; device: 'cpu' | 'cuda'; torch: string; node: string; ldlm: string };
}

/** Names of the fields, for what shows a result's own fields beside them. */
export const conditionNames = ['sampler', 'steps', 'eta', 'temperature', 'grid', 'seed', 'count', 'precision', 'model', 'scorer', 'machine'] as const satisfies readonly (keyof Conditions)[];

/** One line: how the samples were made. */
export function describeSampling({ sampler, steps, eta, temperature, grid, seed, count, precision }: Conditions): string {
  return [
    `${count} samples`,
    sampler,
    ...(steps === null ? [] : [`${steps} steps`]),
    ...(eta === null ? [] : [`eta ${eta}`]),
    ...(temperature === null || temperature === 1 ? [] : [`temperature ${temperature}`]),
    ...(grid === null ? [] : [`${grid} grid`]),
    `seed ${seed}`,
    precision,
  ].join(', ');
}

/** The conditions under which `model` is sampled with `options`. */
export async function conditionsOf(model: EvaluatedModel, options: SampleOptions, scorer: Scorer | undefined): Promise<Conditions> {
  const { steps, eta, temperature, grid, seed, count } = resolveSampleOptions(options);
  const { checkpoint, weights, device, dtype, onlySampler } = model;
  const sampler = options.sampler ?? defaultSampler;
  return {
    ...(onlySampler === undefined
      ? { sampler, steps, eta: hasEta(sampler) ? eta : null, temperature, grid: resolveGrid(grid, { stagger: model.config.model.stagger ?? 0 }) }
      : { sampler: onlySampler.name, steps: onlySampler.takesSteps ? steps : null, eta: null, temperature: null, grid: null }),
    seed,
    count,
    precision: dtype,
    model: { path: checkpoint.folder, step: checkpoint.state.step, sha256: await hashFiles([weights]) },
    scorer: scorer ? { path: scorer.source, sha256: await scorer.sha256(), tokenizerSha256: scorer.tokenizer.sha256 } : null,
    machine: {
      processor: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      device,
      torch: loadNative().torchVersion,
      node: process.versions.node,
      ldlm: packageVersion(),
    },
  };
}
