// What the benchmarks run, as plain data, so that every system gets the same: sizes, tokens, and files of random weights. Neither tokens
// nor weights change the time of a training step or of a sampler with a fixed number of evaluations.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveDtype } from '../api/call_native.js';
import { loadNative } from '../api/native.js';
import type { NativeTrainerConfig } from '../api/native_types.js';
import { type EncoderShape, hiddenStateIndex, resolveEncoder } from '../config/encoders.js';
import { parseConfig } from '../config/parse.js';
import { type PresetName, presets } from '../config/presets.js';
import type { LdlmConfig } from '../config/types.js';
import { gpt2Shapes, writeRandomWeights } from './random_weights.js';

export interface WorkOptions {
  preset: PresetName;
  device: 'cpu' | 'cuda';
  dtype: 'float32' | 'bfloat16';
  threads: number;
  /** Rows of a training step. */
  batch?: number | undefined;
  /** Parts of a training step; on a CPU they run at once, one core each. */
  accumulate?: number | undefined;
  /** Activations computed again in the backward pass; not counted as work. */
  recompute?: boolean | undefined;
  /** Tokens and latents of a sequence instead of the preset's. */
  length?: number | undefined;
  /** Width of the DiT, with heads of 64, instead of the preset's. */
  width?: number | undefined;
  /** Samples at once, and evaluations of each. */
  count: number;
  steps: number;
  /** Train with the preset's Muon instead of AdamW alone. */
  muon?: boolean | undefined;
}

/** Everything that a worker needs. */
export interface Work extends Pick<WorkOptions, 'device' | 'dtype' | 'threads' | 'count' | 'steps'> {
  config: NativeTrainerConfig;
  encoderShape: EncoderShape;
  /** Row-major [batch, length]; lengths [batch]. */
  ids: number[];
  lengths: number[];
  /** Folder of the frozen LM, config.json apart. */
  encoder: string;
  /** A safetensors file with all tensors of a checkpoint. */
  weights: string;
}

/** On a CPU a batch is cut to about this many tokens: enough for the products to be large, and seconds a step at base size. */
const CPU_TOKENS = 2048;
const HEAD_WIDTH = 64;

function sized({ preset, length, width }: WorkOptions): LdlmConfig {
  const config = presets[preset]();
  if (length !== undefined) Object.assign(config.model, { maxLength: length, latents: length });
  if (width !== undefined) Object.assign(config.model.dit, { width, heads: width / HEAD_WIDTH });
  return config;
}

/** A linear congruential generator (Numerical Recipes): the tokens are the same in every run. */
function randomIntegers(count: number, from: number, below: number): number[] {
  let state = 1;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return from + Math.floor((state / 2 ** 32) * (below - from));
  });
}

/** The frozen LM of the benchmarks is a GPT-2 with random weights and the sizes of the preset's LM. */
function gpt2Like(shape: EncoderShape, length: number): EncoderShape {
  const { layers, hiddenWidth, heads, vocabulary, positions, feedForwardWidth } = shape;
  return {
    ...shape,
    ...{ family: 'gpt2', tokenTypes: 0, normEpsilon: 1e-5, activation: 'gelu_new', paddingId: 0 },
    ...{ layers, hiddenWidth, heads, vocabulary, feedForwardWidth, positions: Math.max(positions, length) },
  };
}

/**
 * The work of one benchmark. `folder` is where `writeFiles` puts the weights.
 * @throws LdlmError ERR_LDLM_CONFIG for sizes that do not fit together, ERR_LDLM_INVALID_ARGUMENT for a dtype that the machine has not
 */
export async function createWork(options: WorkOptions, folder: string): Promise<Work> {
  resolveDtype(options.dtype, options.device);
  const config = sized(options);
  const { model, train, diffusion, recipe } = config;
  const onCpu = options.device === 'cpu';
  const batch = options.batch ?? (onCpu ? Math.min(train.batch, Math.max(1, Math.floor(CPU_TOKENS / model.maxLength))) : train.batch);
  const accumulate = options.accumulate ?? (onCpu && batch % train.accumulate === 0 ? train.accumulate : 1);
  Object.assign(train, { batch, accumulate });
  parseConfig(config);
  const encoder = gpt2Like(await resolveEncoder(config.encoder.source), model.maxLength);
  const { warmupSteps, lr, eps, weightDecay, clip, ema, seed, steps } = train;
  const [beta1, beta2] = train.betas;
  return {
    config: {
      // One time for all positions and no weights by time: the others know neither, and operations are counted without them.
      model: { ...model, stagger: 0, hiddenWidth: encoder.hiddenWidth, vocabulary: encoder.vocabulary },
      encoderLayer: hiddenStateIndex(config.encoder.layer, encoder),
      scheduleD: diffusion.scheduleD,
      selfConditioning: diffusion.selfConditioning,
      recipe: { ...recipe, lossWeighting: null },
      train: {
        ...{ steps, batch, accumulate, warmupSteps, cooldownSteps: 0, muon: options.muon ? train.muon : null, lr, beta1, beta2 },
        ...{ eps, weightDecay, clip, ema, seed, bfloat16: options.dtype === 'bfloat16', recompute: options.recompute ?? false },
      },
    },
    encoderShape: encoder,
    ids: randomIntegers(batch * model.maxLength, 0, encoder.vocabulary),
    lengths: randomIntegers(batch, Math.ceil(model.maxLength / 2), model.maxLength + 1),
    encoder: join(folder, 'lm'),
    weights: join(folder, 'model.safetensors'),
    device: options.device,
    dtype: options.dtype,
    threads: options.threads,
    count: options.count,
    steps: options.steps,
  };
}

/** Writes the weights that the workers of `work` load. */
export async function writeFiles(work: Work, wanted: { encoder: boolean; model: boolean }): Promise<void> {
  if (wanted.encoder) {
    await mkdir(work.encoder, { recursive: true });
    await writeRandomWeights(join(work.encoder, 'model.safetensors'), gpt2Shapes(work.encoderShape));
  }
  if (wanted.model) {
    const { model } = work.config;
    const statistics = { 'feature_statistics.mean': [model.hiddenWidth], 'feature_statistics.deviation': [model.hiddenWidth] };
    await writeRandomWeights(work.weights, { ...loadNative().parameterShapes(model), ...statistics });
  }
}
