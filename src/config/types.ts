// The configuration of a run: one zod schema that is at once the source of the TypeScript types, the check of config files and
// the JSON Schema. Default values live in presets.ts; one stands here only where older runs lack the key. Letters (B, L, N, D, H,
// C, u, gamma) are those of the paper; every field says its meaning, unit, legal range and symbol. Turning `unknown` into these types
// is parse.ts's.

import { z } from 'zod';

const count = (meaning: string) => z.int().min(1).describe(meaning);
const positive = (meaning: string) => z.number().gt(0).describe(meaning);
const notNegative = (meaning: string) => z.number().min(0).describe(meaning);
const share = (meaning: string) => z.number().min(0).max(1).describe(meaning);
const belowOne = (meaning: string) => z.number().min(0).lt(1).describe(meaning);

const blocks = (what: string) =>
  z.strictObject({
    layers: count(`Number of ${what} blocks, >= 1.`),
    heads: count(`Attention heads of a ${what} block, >= 1; must divide its width.`),
  });

const encoderSchema = z.strictObject({
  source: z.string().min(1).describe('The frozen pretrained language model: a Hugging Face layout folder, or an id of the hub: ID or ID@REVISION.'),
  layer: z.int().describe('Which entry of hidden_states is h [B, L, H]: 0 is the embeddings, -1 the last; the paper uses -3.'),
});

const modelSchema = z.strictObject({
  maxLength: count('L: tokens of a sequence, >= 1.').max(65535),
  latents: count('N: latent vectors of a sequence, 1..L; N = L unless compressed.'),
  latentWidth: count('D: width of one latent vector, >= 1.'),
  latentEncoder: blocks('latent encoder (Perceiver, width D)'),
  latentDecoder: blocks('latent decoder (Perceiver, width D)'),
  tokenDecoder: blocks('token decoder (bidirectional SwiGLU transformer, width H)'),
  dit: z
    .strictObject({
      layers: count('Number of DiT blocks, >= 1.'),
      width: count('C: width of the denoiser, >= 1.'),
      heads: count('Attention heads of a DiT block, >= 1; C / heads must be a whole even number (rotary embedding).'),
    })
    .describe('The denoiser.'),
  freeScale: z.boolean().describe('true: z0 keeps the scale that the latent encoder gives it; false: a root mean square of 1 for every latent.'),
  stagger: notNegative('w: how much later the last latent is denoised than the first, >= 0. Position n has the schedule time (1 + w) u - w (1 - n / (N - 1)), clamped to 0..1; 0: all have u, as in the paper.').default(0),
});

const diffusionSchema = z.strictObject({
  scheduleD: positive('d of the tan-d noise schedule, a(u) = 1 / sqrt(1 + d^2 tan^2(pi u / 2)); > 0, the paper uses 3.'),
  selfConditioning: share('Probability of a self-conditioned training step, 0..1; the paper uses 0.5.'),
});

const encoderWarmupSchema = z.strictObject({
  steps: count('S_wu: steps until gamma reaches its maximum, >= 1.'),
  k: positive('k: steepness of the sigmoid, > 0.'),
  c: share('c: centre of the sigmoid as a share of S_wu, 0..1.'),
  min: share('gamma_min: scale of the diffusion gradient into the encoder at step 0, 0..max.'),
  max: share('gamma after the warmup, min..1; the paper uses 1.'),
});

const adaptiveTimestepsSchema = z.strictObject({
  bins: z.int().min(2).max(100_000).describe('Bins of the loss curve over u, 2..100000.'),
  decay: belowOne('Decay of the moving average of the per-sample loss in a bin, in [0, 1).'),
  every: count('Steps between rebuilds of the density of u, >= 1.'),
  floor: z.number().gt(0).max(1).describe('Share of the density that is spread evenly over all bins, so that none starves; above 0, at most 1.'),
});

const lossWeightingSchema = z.strictObject({
  floor: positive('Added to the mean squared error of a time before it divides, > 0: bounds the weight of the clean times.'),
});

const recipeSchema = z.strictObject({
  decoderLoss: z
    .enum(['mse', 'cross-entropy'])
    .describe("Ingredient 1. 'mse': L_h on hidden states, L_w behind a stop-gradient. 'cross-entropy': through the whole autoencoder."),
  encoderWarmup: encoderWarmupSchema.nullable().describe('Ingredient 2, diffusion-to-encoder warmup; null: gamma = 1 from the start.'),
  adaptiveTimesteps: adaptiveTimestepsSchema.nullable().describe('Ingredient 3, adaptive timestep sampling; null: u is uniform.'),
  decoderNoise: notNegative('Ingredient 4, sigma_dec: noise added to z0 before the latent decoder in training, >= 0; 0: none.'),
  stoppedTarget: z.boolean().describe('true: the diffusion loss reaches the encoder through x_u only; false: through its target z0 too.'),
  lossWeighting: lossWeightingSchema
    .nullable()
    .default(null)
    .describe('Divides the gradient of the denoiser at a time by its running mean loss there, so that all times weigh alike; null: no weights, as in the paper.'),
});

const muonSchema = z.strictObject({
  lrScale: positive('Learning rate of Muon over train.lr, > 0. The root mean square of its step is 0.2 lr lrScale.'),
  momentum: belowOne('Decay of the momentum, in [0, 1).'),
});

const trainSchema = z.strictObject({
  steps: count('Optimiser steps of the whole run, >= 1.'),
  batch: count('B: sequences of an optimiser step, over all accumulated parts, >= 1.'),
  accumulate: count('Parts a batch is computed in, >= 1; must divide batch.'),
  lr: positive('AdamW learning rate after the warmup, > 0.'),
  betas: z.tuple([belowOne('beta_1'), belowOne('beta_2')]).describe('AdamW moment decays [beta_1, beta_2], each in [0, 1).'),
  eps: positive('AdamW epsilon, > 0.'),
  muon: muonSchema.nullable().describe('Muon for the matrices of the blocks, AdamW for the rest; null: AdamW for all.'),
  weightDecay: notNegative('Weight decay, on matrices only, >= 0.'),
  warmupSteps: z.int().min(0).describe('Steps over which the learning rate rises linearly, >= 0; constant afterwards.'),
  cooldown: z.number().min(0).max(1).describe('Share of the steps, the last ones, over which the learning rate falls linearly to 0, in [0, 1].'),
  clip: positive('Largest norm of the gradient, > 0.'),
  ema: belowOne('Decay of the moving average of the weights, in [0, 1), with the ramp (1 + n) / (10 + n).'),
  seed: z.int().min(0).describe('Seed of weights, data order and noise, 0..2^53 - 1.'),
  logEvery: count('Steps between lines of metrics.jsonl, >= 1.'),
  saveEvery: count('Steps between checkpoints, >= 1.'),
  keepCheckpoints: count('Newest checkpoints that stay on the disk, >= 1.')
    .nullable()
    .default(null)
    .describe('Newest checkpoints that stay on the disk, >= 1; older ones are deleted. null: all stay.'),
  device: z.enum(['auto', 'cpu', 'cuda']).describe("Where to compute; 'auto' takes CUDA if there is a device."),
  recompute: z.boolean().default(false).describe('true: activations of the blocks are computed again in the backward pass; less memory, more time.'),
  dtype: z.enum(['float32', 'bfloat16']).describe("'bfloat16': products of matrices in bf16, on a GPU (autocast) or a CPU with AVX512-BF16; parameters and losses stay float32."),
});

const dataSchema = z.strictObject({
  path: z.string().min(1).describe('Folder of token shards, as written by `ldlm prepare`.'),
  packing: z.enum(['wrap', 'pad']).describe("'wrap': documents joined by EOS and cut to L; 'pad': one document a row."),
});

/** The schema of a run's configuration. Rules that join several fields are in constraints.ts. */
export const configShape = z.strictObject({
  encoder: encoderSchema,
  model: modelSchema,
  diffusion: diffusionSchema,
  recipe: recipeSchema,
  train: trainSchema,
  data: dataSchema,
});

/** The resolved configuration of a run. Every key is required; null switches an ingredient of the recipe off. */
export type LdlmConfig = z.infer<typeof configShape>;
export type EncoderConfig = LdlmConfig['encoder'];
export type ModelConfig = LdlmConfig['model'];
export type DiffusionConfig = LdlmConfig['diffusion'];
export type RecipeConfig = LdlmConfig['recipe'];
export type TrainConfig = LdlmConfig['train'];
export type DataConfig = LdlmConfig['data'];
