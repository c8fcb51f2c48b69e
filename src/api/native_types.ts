// The typed seam: everything that TypeScript may call in the C++ addon. Declarations only; native/binding/addon.cpp
// is the other side. Nothing but native.ts hands out an object of this type. Arrays are copied across, row-major;
// letters: B rows, L tokens, H hidden width.

import type { EncoderShape } from '../config/encoders.js';
import type { LdlmConfig } from '../config/types.js';

/** The sizes that the networks need: config.model and what the pretrained LM decides. */
export type NativeModelConfig = LdlmConfig['model'] & { hiddenWidth: number; vocabulary: number };

export interface NativeTrainerConfig {
  model: NativeModelConfig;
  encoderLayer: number;
  scheduleD: number;
  selfConditioning: number;
  recipe: LdlmConfig['recipe'];
  train: NativeOptimizerConfig & {
    steps: number;
    batch: number;
    accumulate: number;
    warmupSteps: number;
    cooldownSteps: number;
    muon: LdlmConfig['train']['muon'];
    ema: number;
    seed: number;
    bfloat16: boolean;
    recompute: boolean;
  };
}

export interface NativeOptimizerConfig {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  clip: number;
}

/** State of the timestep sampler. `cumulative` is F at the bin edges, [bins + 1]; the sums are [bins]. */
export interface TimestepWarp<Numbers = number[]> {
  lossSum: Numbers;
  weightSum: Numbers;
  cumulative: Numbers;
}

export interface NativeMetrics {
  step: number;
  diffusion: number;
  hidden: number;
  token: number;
  total: number;
  gamma: number;
  lr: number;
  gradNorm: number;
  latentStd: number;
  effectiveRank: number;
  /** Eigenvalues of the covariance of z0 over the batch, largest first, [D]. */
  latentSpectrum: Float64Array;
}

export interface NativeAccuracy {
  clean: number;
  noisy: number;
  /** The schedule times of oneStep and relativeError. */
  times: Float64Array;
  oneStep: Float64Array;
  relativeError: Float64Array;
}

export interface NativeSampleRequest {
  firstIndex: number;
  count: number;
  steps: number;
  sampler: 'ddim' | 'dpmpp' | 'heun' | 'sde';
  eta: number;
  temperature: number;
  uniformGrid: boolean;
  uMin: number;
  seed: number;
  previewEvery: number;
}

export interface NativeHandle {
  /** Frees the native memory after the calls in flight; idempotent. */
  dispose(): Promise<void>;
}

export interface NativePretrainedEncoder extends NativeHandle {
  /** ids Int32Array [B * L], lengths Int32Array [B] -> hidden states [B * L * H]. */
  hidden(ids: Int32Array, lengths: Int32Array, layer: number): Promise<Float32Array>;
}

export interface NativeModel extends NativeHandle {
  /** Resolves to ids [count * L]. `onEvaluation(evaluation, ids | null)`; a throw in it aborts the sampling. */
  sample(
    request: NativeSampleRequest,
    token: number,
    onEvaluation: ((evaluation: number, ids: Int32Array | null) => void) | null,
  ): Promise<{ ids: Int32Array; evaluations: number }>;
  abort(token: number): void;
  reconstruct(
    encoder: NativePretrainedEncoder,
    layer: number,
    ids: Int32Array,
    lengths: Int32Array,
    noise: number,
    seed: number,
  ): Promise<Int32Array>;
}

export interface NativeJointTrainer extends NativeHandle {
  observeStatistics(ids: Int32Array, lengths: Int32Array): Promise<void>;
  finishStatistics(): Promise<void>;
  step(ids: Int32Array, lengths: Int32Array): Promise<void>;
  metrics(): Promise<NativeMetrics>;
  diagnose(ids: Int32Array, lengths: Int32Array): Promise<NativeAccuracy>;
  save(folder: string): Promise<{ step: number; timesteps: TimestepWarp<Float64Array>; lossByTimestep: Float64Array }>;
  load(folder: string, step: number, timesteps: TimestepWarp): Promise<void>;
}

export interface NativeLmTrainer extends NativeHandle {
  step(ids: Int32Array, lengths: Int32Array): Promise<{ nextTokenLoss: number; identityLoss: number; identityAccuracy: number; gradNorm: number }>;
  evaluate(ids: Int32Array, lengths: Int32Array): Promise<{ sumNll: number; predictedTokens: number; identityCorrect: number; tokens: number }>;
  save(folder: string): Promise<void>;
}

export interface NativeScorer extends NativeHandle {
  /** log p(token | the tokens before it) [B * L], 0 at the first token and behind a row's length; the last token's hidden state [B * H]. */
  score(ids: Int32Array, lengths: Int32Array): Promise<{ logLikelihoods: Float32Array; lastHidden: Float32Array }>;
}

/** Features [N, width] to clusters, by principal components and k-means. */
export interface NativeClustering {
  features: Float32Array;
  width: number;
  clusters: number;
  /** Keeps the principal components that explain this share of the variance. */
  explainedVariance: number;
  restarts: number;
  iterations: number;
  seeds: number[];
}

/** Parameters of each module. */
export interface ParameterCounts {
  latentEncoder: number;
  latentDecoder: number;
  tokenDecoder: number;
  dit: number;
  total: number;
}

/** Limits of the machine, measured: GFLOP/s of our linear layer and of at::mm, GB/s of a copy, GFLOP in a second of CPU time. */
export interface MachineRates {
  linear: number;
  mm: number;
  bandwidth: number;
  core: number;
}

/** One pass of an op, a value a repeat: milliseconds, and CPU time of all threads; and the work of one call. */
export interface NativePassTimes {
  kernelMs: Float64Array;
  referenceMs: Float64Array;
  kernelCpuMs: Float64Array;
  referenceCpuMs: Float64Array;
  flops: number;
  bytes: number;
}

/** An op against its reference. `backward` is null where there is none, or none that is timed by itself. */
export interface NativeOpTimes {
  op: string;
  shape: string;
  forward: NativePassTimes;
  backward: NativePassTimes | null;
}

/** Time of an op in a module, without the ops it calls; the threads are added up. Names: native/bench/profiler.h. */
export interface NativeProfileEntry {
  module: string;
  op: string;
  backward: boolean;
  calls: number;
  selfMs: number;
  /** CPU time of the calling thread. */
  cpuMs: number;
  flops: number;
}

/** The exports of build/native/ldlm.node. */
export interface NativeAddon {
  /** Version of the libtorch in this process, e.g. "2.13.0". */
  readonly torchVersion: string;
  /** True when the addon was built with CUDA and a usable device and driver are present. */
  readonly cudaAvailable: boolean;
  /** Whether the CPU multiplies bf16 itself (AVX512-BF16). */
  readonly cpuBfloat16: boolean;
  readonly PretrainedEncoder: {
    load(options: { folder: string; config: EncoderShape; device: string }): Promise<NativePretrainedEncoder>;
  };
  readonly Scorer: {
    load(options: { folder: string; config: EncoderShape; device: string }): Promise<NativeScorer>;
  };
  readonly Model: {
    load(options: {
      weights: string;
      config: NativeModelConfig;
      scheduleD: number;
      timesteps: TimestepWarp | null;
      device: string;
      dtype: 'float32' | 'bfloat16';
      samplingOnly: boolean;
    }): Promise<NativeModel>;
  };
  readonly JointTrainer: {
    create(config: NativeTrainerConfig, encoder: NativePretrainedEncoder, device: string): Promise<NativeJointTrainer>;
  };
  readonly LmTrainer: {
    create(options: {
      model: { layers: number; width: number; heads: number; vocabulary: number; positions: number };
      train: NativeOptimizerConfig & {
        warmupSteps: number;
        steps: number;
        seed: number;
        microBatches: number;
        identityWeight: number;
        identityLayer: number;
      };
    }): Promise<NativeLmTrainer>;
  };
  countParameters(config: NativeModelConfig): ParameterCounts;
  /** Copies the tensors whose names start with one of the prefixes into a new safetensors file. */
  exportTensors(options: { input: string; output: string; prefixes: string[] }): Promise<void>;
  /** The cluster of every row for every seed, [seeds * N]. */
  clusterFeatures(options: NativeClustering): Promise<Int32Array>;
  /** Tensors of a model: names and shapes. */
  parameterShapes(config: NativeModelConfig): Record<string, number[]>;
  /** Takes about `seconds`. */
  measureMachineRates(options: { device: string; dtype: string; seconds: number }): Promise<MachineRates>;
  /** Every op of native/ops at the shapes of this model. */
  benchOps(options: { model: NativeModelConfig; batch: number; device: string; repeats: number }): Promise<NativeOpTimes[]>;
  /** Times every op of this process until stopProfile. */
  startProfile(): Promise<void>;
  stopProfile(): Promise<NativeProfileEntry[]>;
  /** Cores that tensor work on the CPU takes unless setThreads says otherwise. */
  threads(): number;
  /** Cores that tensor work on the CPU may use; takes effect with the next job. */
  setThreads(threads: number): void;
  /** Ends the process at once with this exit code: no job is waited for, nothing is cleaned up. */
  exitNow(code: number): never;
  /** Stops and joins the executor thread; idempotent. Later calls fail with STATE. */
  shutdown(): void;
}
