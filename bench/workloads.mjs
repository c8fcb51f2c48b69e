// What the benchmarks run: sizes and inputs as plain data, so that both workers get the same. The weights are random and the tokens
// too: neither changes the time of a step or of a sampler with a fixed number of evaluations.

import { hiddenStateIndex, resolveEncoder } from '../dist/config/encoders.js';
import { presets } from '../dist/config/presets.js';

/** `tiny` is the preset of the demo; `small` the same networks with every width 384 and heads of 64. */
export const sizes = ['tiny', 'small'];
const SMALL = { width: 384, heads: 6 };

async function sized(size) {
  const { model, ...rest } = presets.tiny();
  const encoder = await resolveEncoder('stories-lm');
  if (size === 'small') {
    const { width, heads } = SMALL;
    Object.assign(encoder, { hiddenWidth: width, heads, feedForwardWidth: 4 * width });
    model.latentWidth = model.dit.width = width;
    for (const network of [model.latentEncoder, model.latentDecoder, model.tokenDecoder, model.dit]) network.heads = heads;
  }
  return { config: { ...rest, model }, encoder };
}

/** A linear congruential generator (Numerical Recipes): the tokens are the same in every run. */
function randomIntegers(count, from, below) {
  let state = 1;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return from + Math.floor((state / 2 ** 32) * (below - from));
  });
}

/**
 * The work of one benchmark: the native trainer's configuration, the frozen LM's shape, a batch of tokens, and how to sample.
 * `folder` will hold the frozen LM and a checkpoint, see prepare in native_worker.mjs.
 */
export async function workload({ size, device, dtype, threads, count, steps, folder }) {
  const { config, encoder } = await sized(size);
  const { train, model, diffusion, recipe } = config;
  const { batch, accumulate, warmupSteps, lr, eps, weightDecay, clip, ema, seed } = train;
  const [beta1, beta2] = train.betas;
  return {
    config: {
      model: { ...model, hiddenWidth: encoder.hiddenWidth, vocabulary: encoder.vocabulary },
      encoderLayer: hiddenStateIndex(config.encoder.layer, encoder),
      scheduleD: diffusion.scheduleD,
      selfConditioning: diffusion.selfConditioning,
      recipe,
      // AdamW for all: the optimiser that both sides have fused.
      train: { steps: train.steps, batch, accumulate: device === 'cpu' ? accumulate : 1, warmupSteps, cooldownSteps: 0, muon: null, lr, beta1, beta2, eps, weightDecay, clip, ema, seed, bfloat16: dtype === 'bfloat16' },
    },
    encoder: `${folder}/lm`,
    encoderShape: encoder,
    checkpoint: `${folder}/checkpoint`,
    ids: randomIntegers(batch * model.maxLength, 0, encoder.vocabulary),
    lengths: randomIntegers(batch, model.maxLength / 2, model.maxLength + 1),
    device,
    dtype,
    threads,
    count,
    steps,
  };
}
