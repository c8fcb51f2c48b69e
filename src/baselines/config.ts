// The configuration of a baseline: that of an LDLM with other networks. `train` and `data` mean the same, so that a comparison differs in
// the method only; the sizes follow from the number of parameters of the LDLM.

import { z } from 'zod';
import { loadNative } from '../api/native.js';
import { assigned, parseWith } from '../config/parse.js';
import { configShape, type LdlmConfig } from '../config/types.js';
import { loadBaselines, type NativeBaselineConfig } from './native.js';

export const baselineKinds = ['mdlm', 'ar'] as const;
export type BaselineKind = (typeof baselineKinds)[number];

const count = (meaning: string) => z.int().min(1).describe(meaning);

const shape = z.strictObject({
  kind: z.enum(baselineKinds).describe("'mdlm': masked diffusion; 'ar': autoregressive transformer."),
  model: z.strictObject({
    maxLength: count('L: tokens of a sequence.'),
    layers: count('Transformer blocks.'),
    width: count('C; a multiple of 2 heads.'),
    heads: count('Attention heads.'),
    condition: count('Width of the features of the time that the blocks of mdlm are told; ar has none.'),
  }),
  train: configShape.shape.train.extend({ recompute: z.literal(false).default(false).describe('Not for a baseline.') }),
  data: configShape.shape.data,
});

export type BaselineConfig = z.infer<typeof shape>;

/** Which parameters of the LDLM the baseline is to match: of all networks that it trains, or of the denoiser alone. */
export const sizesToMatch = ['whole', 'dit'] as const;
export type SizeToMatch = (typeof sizesToMatch)[number];

/** @throws LdlmError ERR_LDLM_CONFIG naming every unknown, missing or illegal key */
export function parseBaselineConfig(input: unknown): BaselineConfig {
  return parseWith(shape, input);
}

/** A copy with assignments such as `train.lr=1e-3` applied and checked. */
export function setBaseline(config: BaselineConfig, ...assignments: string[]): BaselineConfig {
  return parseBaselineConfig(assigned(config, assignments));
}

/**
 * A baseline with about as many parameters as the LDLM of `config`, as deep as its denoiser, trained as it is, but on a CPU.
 * @param encoder sizes of the LDLM's pretrained LM
 * @param parameters instead of the number that `match` gives
 */
export function baselineFor(
  kind: BaselineKind,
  config: LdlmConfig,
  { encoder, match, parameters }: { encoder: { hiddenWidth: number; vocabulary: number }; match: SizeToMatch; parameters?: number },
): BaselineConfig {
  const { hiddenWidth, vocabulary } = encoder;
  const counts = loadNative().countParameters({ ...config.model, hiddenWidth, vocabulary });
  const target = parameters ?? (match === 'whole' ? counts.total : counts.dit);
  const { layers, heads } = config.model.dit;
  const sized = (width: number): BaselineConfig['model'] => ({
    maxLength: config.model.maxLength, layers, width, heads, condition: Math.max(16, Math.round(width / 6 / 8) * 8), // 128 at width 768
  });
  const difference = (width: number): number => Math.abs(countParameters(kind, sized(width), vocabulary) - target);
  // The count grows with the width: go on while it comes closer. Heads of a multiple of 4 fill the vector units.
  let width = 4 * heads;
  while (difference(width + 4 * heads) < difference(width)) width += 4 * heads;
  return { kind, model: sized(width), train: { ...config.train, device: 'cpu', recompute: false }, data: { ...config.data } };
}

/** Parameters of a baseline on data with `vocabulary` token ids. */
export function countParameters(kind: BaselineKind, model: BaselineConfig['model'], vocabulary: number): number {
  return loadBaselines().countBaselineParameters(nativeModel({ kind, model }, { vocabulary, endId: 0 }));
}

export function nativeModel({ kind, model }: Pick<BaselineConfig, 'kind' | 'model'>, data: { vocabulary: number; endId: number }): NativeBaselineConfig {
  const { maxLength, layers, width, heads, condition } = model;
  return { kind, vocabulary: data.vocabulary, length: maxLength, layers, width, heads, condition, endId: data.endId };
}
