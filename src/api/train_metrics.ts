// What a training run says of itself at a logged step: the figures of the last native step as they stand in metrics.jsonl.

import type { CollapseWarning } from '../watch/collapse_alarm.js';
import type { NativeAccuracy, NativeMetrics } from './native_types.js';

/** One logged step, as in RUN/metrics.jsonl. */
export interface TrainMetrics {
  /** Steps done. */
  step: number;
  /** L_diff, L_h, L_w and what is minimised. */
  loss: { diffusion: number; hidden: number; token: number; total: number };
  /** Scale of the diffusion gradient into the encoder. */
  gamma: number;
  lr: number;
  gradNorm: number;
  /** Tokens (padding included) per second since the last logged step. */
  tokensPerSecond: number;
  /** Share of that time spent waiting for the next batch. */
  dataWait: number;
  /**
   * Deviation of z0 over the data, and the effective rank of its covariance (1 to D): what a collapse takes. At checkpoints also the
   * eigenvalues of the covariance, largest first [D].
   */
  latent: { std: number; effectiveRank: number; spectrum?: number[] };
  /** At checkpoints only: token accuracy from z0, from z0 + sigma_dec eps, and from one denoising step at schedule times. */
  accuracy?: { clean: number; noisy: number; oneStep: { u: number; accuracy: number; relativeError: number }[] };
  /** At checkpoints only: the denoising loss in bins over u (null: not seen yet), and the share of the timesteps up to each edge of the bins. */
  timesteps?: { lossByU: (number | null)[]; cumulative: number[] };
  /** At checkpoints of a run with `samples`: texts of the averaged weights, always of the same seeds. */
  samples?: string[];
  /** What the collapse alarm sees at this step and has not seen before in this run. */
  warnings?: CollapseWarning[];
  /** True when a checkpoint was written at this step. */
  saved: boolean;
}

/** What the loop has measured since the last logged step. */
export interface Pace {
  milliseconds: number;
  tokens: number;
  /** Milliseconds of waiting for data. */
  waited: number;
}

export function trainMetrics(m: NativeMetrics, { milliseconds, tokens, waited }: Pace): TrainMetrics {
  return {
    step: m.step,
    loss: { diffusion: m.diffusion, hidden: m.hidden, token: m.token, total: m.total },
    gamma: m.gamma,
    lr: m.lr,
    gradNorm: m.gradNorm,
    tokensPerSecond: Math.round((1000 * tokens) / milliseconds),
    dataWait: waited / milliseconds,
    latent: { std: m.latentStd, effectiveRank: m.effectiveRank },
    saved: false,
  };
}

export function readableAccuracy(accuracy: NativeAccuracy): NonNullable<TrainMetrics['accuracy']> {
  const { clean, noisy, times, oneStep, relativeError } = accuracy;
  return {
    clean,
    noisy,
    oneStep: [...times].map((u, i) => ({ u, accuracy: oneStep[i]!, relativeError: relativeError[i]! })),
  };
}
