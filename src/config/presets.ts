// Presets: functions that return complete configurations. All default values of the package live here and nowhere else.
// `base`, `owt` and `lm1b` are the paper's settings; `tiny` and `naive` are the demo's, found by measurement (docs/recipe.md).

import type { LdlmConfig } from './types.js';

/**
 * Complete configurations by name; each call returns a new object that is yours to edit.
 * @example const config = presets.tiny(); config.train.steps = 500;
 */
export const presets = { tiny, stories, base, owt, 'owt-small': owtSmall, lm1b, 'lm1b-wrap': lm1bWrap, naive };

export type PresetName = keyof typeof presets;

/** The names that `--preset` takes. */
export const presetNames = Object.keys(presets) as PresetName[];

/** The demo: short stories on a small language model of its own; minutes on two CPU cores. */
function tiny(): LdlmConfig {
  return {
    encoder: { source: 'stories-lm', layer: -3 },
    model: {
      maxLength: 48,
      latents: 48,
      latentWidth: 64,
      latentEncoder: { layers: 2, heads: 4 },
      latentDecoder: { layers: 2, heads: 4 },
      tokenDecoder: { layers: 1, heads: 4 },
      // Three times the latents: a trunk no wider than what it denoises learns much more slowly (docs/log.md).
      dit: { layers: 4, width: 192, heads: 6 },
      freeScale: false,
      // Not the paper's: what comes later is denoised beside what is settled (docs/log.md, "a time for every position").
      stagger: 1,
    },
    diffusion: { scheduleD: 3, selfConditioning: 0.5 },
    recipe: {
      decoderLoss: 'mse',
      // A tenth of the paper's pull: at this size the full pull costs diversity and token accuracy.
      encoderWarmup: { steps: 200, k: 10, c: 0.8, min: 0.001, max: 0.1 },
      adaptiveTimesteps: { bins: 100, decay: 0.99, every: 40, floor: 0.05 },
      // The capacity of a latent, D/2 log2(1 + 1/sigma^2), is 47 bits; the paper's 58 at D = 768 and sigma 3 serve 50 257 tokens.
      decoderNoise: 0.75,
      stoppedTarget: false,
      // Not the paper's: the loss of noisy times else drowns that of the times where words are decided (docs/log.md).
      lossWeighting: { floor: 0.02 },
    },
    train: {
      steps: 2_800,
      batch: 32,
      accumulate: 2,
      lr: 2e-3,
      betas: [0.9, 0.98],
      eps: 1e-6,
      muon: { lrScale: 3, momentum: 0.95 },
      weightDecay: 0.01,
      warmupSteps: 50,
      cooldown: 0.4,
      clip: 1,
      ema: 0.995,
      seed: 0,
      logEvery: 20,
      saveEvery: 300,
      keepCheckpoints: null,
      device: 'auto',
      recompute: false,
      dtype: 'float32',
    },
    data: { path: 'data/stories', packing: 'pad' },
  };
}

/** The stories for most of an hour on two CPU cores, instead of nine minutes: a wider denoiser, and stories enough to see few twice. */
function stories(): LdlmConfig {
  const config = tiny();
  config.model.dit = { layers: 4, width: 256, heads: 8 };
  Object.assign(config.train, { steps: 4_000, batch: 64, muon: { lrScale: 4, momentum: 0.95 }, cooldown: 0.5, ema: 0.998, logEvery: 50, saveEvery: 250 });
  config.data.path = 'data/stories-200k';
  return config;
}

/** The paper's size and settings on sequences of 128 tokens of the user's own text. */
function base(): LdlmConfig {
  return {
    encoder: { source: 'gpt2', layer: -3 },
    model: {
      maxLength: 128,
      latents: 128,
      latentWidth: 768,
      latentEncoder: { layers: 6, heads: 12 },
      latentDecoder: { layers: 6, heads: 12 },
      tokenDecoder: { layers: 3, heads: 12 },
      dit: { layers: 12, width: 768, heads: 12 },
      freeScale: false,
      stagger: 0,
    },
    diffusion: { scheduleD: 3, selfConditioning: 0.5 },
    recipe: {
      decoderLoss: 'mse',
      encoderWarmup: { steps: 50_000, k: 10, c: 0.8, min: 0.001, max: 1 },
      adaptiveTimesteps: { bins: 100, decay: 0.999, every: 5_000, floor: 0.05 },
      decoderNoise: 3,
      stoppedTarget: false,
      lossWeighting: null,
    },
    train: {
      steps: 500_000,
      batch: 512,
      accumulate: 1,
      lr: 2e-4,
      betas: [0.9, 0.98],
      eps: 1e-6,
      muon: null,
      weightDecay: 0.01,
      warmupSteps: 2_500,
      cooldown: 0,
      clip: 1,
      ema: 0.9999,
      seed: 0,
      logEvery: 50,
      saveEvery: 5_000,
      keepCheckpoints: 3, // of 2 to 5 GB each
      device: 'auto',
      recompute: false,
      dtype: 'bfloat16',
    },
    data: { path: 'data/text', packing: 'wrap' },
  };
}

/** OpenWebText as the field compares it: 1024 GPT-2 tokens, documents joined by EOS and wrapped. */
function owt(): LdlmConfig {
  const config = base();
  config.model.maxLength = 1024;
  config.model.latents = 1024;
  config.data.path = 'data/owt';
  return config;
}

/** OpenWebText for one GPU and a day or two: half the length, narrower and shallower networks, a fifth of the steps. */
function owtSmall(): LdlmConfig {
  const config = owt();
  config.model = {
    maxLength: 512,
    latents: 512,
    latentWidth: 512,
    latentEncoder: { layers: 4, heads: 8 },
    latentDecoder: { layers: 4, heads: 8 },
    tokenDecoder: { layers: 2, heads: 12 },
    dit: { layers: 12, width: 512, heads: 8 },
    freeScale: false,
    stagger: 0,
  };
  config.recipe.decoderNoise = 2.4; // the capacity of a latent at D = 768 and sigma 3, at this width
  config.recipe.encoderWarmup = { steps: 10_000, k: 10, c: 0.8, min: 0.001, max: 1 };
  config.recipe.adaptiveTimesteps = { bins: 100, decay: 0.999, every: 1_000, floor: 0.05 };
  Object.assign(config.train, { steps: 100_000, batch: 128, lr: 3e-4, ema: 0.9995, cooldown: 0.2 });
  config.data.path = 'data/owt-small';
  return config;
}

/** LM1B: one sentence padded to 128 tokens of bert-base-uncased. */
function lm1b(): LdlmConfig {
  const config = base();
  config.encoder.source = 'google-bert/bert-base-uncased';
  config.data = { path: 'data/lm1b', packing: 'pad' };
  return config;
}

/** LM1B as Duo and D3PM pack it: sentences joined and cut to 128 tokens. Figures are not comparable with those of `lm1b`. */
function lm1bWrap(): LdlmConfig {
  const config = lm1b();
  config.data = { path: 'data/lm1b-wrap', packing: 'wrap' };
  return config;
}

/** The baseline that collapses: naive joint training, `tiny` without any of the four ingredients. */
function naive(): LdlmConfig {
  const config = tiny();
  config.recipe = { ...config.recipe, decoderLoss: 'cross-entropy', encoderWarmup: null, adaptiveTimesteps: null, decoderNoise: 0 };
  return config;
}
