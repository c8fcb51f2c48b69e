// Rules of a configuration that join several fields. They run after the shape and the single fields are right (types.ts);
// parse.ts reports them. What depends on the pretrained encoder is checked once that is known: checkEncoderWidth.

import { LdlmError } from '../api/errors.js';
import type { LdlmConfig } from './types.js';

/** All broken rules across the fields of `config`, each as "path must be what, got what"; empty if it can be built. */
export function crossFieldProblems(config: LdlmConfig): string[] {
  const { model, recipe, train } = config;
  const problems: string[] = [];
  const require = (holds: boolean, path: string, text: string) => {
    if (!holds) problems.push(`${path} ${text}`);
  };

  for (const name of ['latentEncoder', 'latentDecoder'] as const) {
    const heads = model[name].heads;
    const text = `must divide model.latentWidth (${model.latentWidth}), got ${heads}`;
    require(model.latentWidth % heads === 0, `model.${name}.heads`, text);
  }
  const { width, heads } = model.dit;
  require(width % heads === 0, 'model.dit.heads', `must divide model.dit.width (${width}), got ${heads}`);
  // Rotary embedding turns pairs of channels of a head.
  const headWidth = width / heads;
  require(
    !Number.isInteger(headWidth) || headWidth % 2 === 0,
    'model.dit.heads',
    `must leave an even head width (rotary embedding), got ${width} / ${heads} = ${headWidth}`,
  );
  require(
    model.latents <= model.maxLength,
    'model.latents',
    `must be <= model.maxLength (${model.maxLength}), got ${model.latents}`,
  );
  require(model.stagger === 0 || model.latents > 1, 'model.stagger', `must be 0 where model.latents is 1, got ${model.stagger}`);
  require(
    train.batch % train.accumulate === 0,
    'train.accumulate',
    `must divide train.batch (${train.batch}), got ${train.accumulate}`,
  );
  const warmup = recipe.encoderWarmup;
  if (warmup) {
    require(warmup.min <= warmup.max, 'recipe.encoderWarmup.min', `must be <= max (${warmup.max}), got ${warmup.min}`);
  }
  return problems;
}

/**
 * Checks the one size that the pretrained encoder decides: the token decoder works at its hidden width H.
 * @throws LdlmError ERR_LDLM_CONFIG if the heads of the token decoder do not divide `hiddenWidth`
 */
export function checkEncoderWidth(config: LdlmConfig, hiddenWidth: number): void {
  const heads = config.model.tokenDecoder.heads;
  if (hiddenWidth % heads === 0) return;
  throw new LdlmError(
    'ERR_LDLM_CONFIG',
    `model.tokenDecoder.heads must divide the hidden width of the pretrained encoder (${hiddenWidth}), got ${heads}`,
  );
}
