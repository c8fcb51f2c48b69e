// The seam of the baselines: the part of the addon that only they use. Declarations, and the one way to reach it.

import { loadNative } from '../api/native.js';
import type { NativeHandle, NativeOptimizerConfig } from '../api/native_types.js';
import type { TrainConfig } from '../config/types.js';

export interface NativeBaselineConfig {
  kind: 'mdlm' | 'ar' | 'duo' | 'sedd';
  vocabulary: number;
  length: number;
  layers: number;
  width: number;
  heads: number;
  condition: number;
  endId: number;
}

export interface NativeBaselineStep {
  step: number;
  /** Nats a real token. */
  loss: number;
  lr: number;
  gradNorm: number;
}

export interface NativeBaselineTrainer extends NativeHandle {
  /** One update; `progress` in [0, 1] is the share of the training that is done. */
  step(ids: Int32Array, lengths: Int32Array, progress: number): Promise<NativeBaselineStep>;
  save(folder: string): Promise<void>;
  load(folder: string, step: number): Promise<void>;
}

export interface NativeBaselineRequest {
  firstIndex: number;
  count: number;
  steps: number;
  seed: number;
  stopAtEnd: boolean;
  stepwise: boolean;
  stride: number;
}

export interface NativeBaseline extends NativeHandle {
  sample(request: NativeBaselineRequest, token: number): Promise<{ ids: Int32Array; evaluations: number; evaluationsMade: number }>;
  abort(token: number): void;
}

export interface BaselineAddon {
  readonly BaselineTrainer: {
    create(options: {
      model: NativeBaselineConfig;
      train: NativeOptimizerConfig &
        Pick<TrainConfig, 'batch' | 'accumulate' | 'warmupSteps' | 'cooldown' | 'muon' | 'ema' | 'seed'> & { bfloat16: boolean };
    }): Promise<NativeBaselineTrainer>;
  };
  readonly Baseline: {
    /** Without weights they are random: for timing. */
    load(options: { weights: string | null; config: NativeBaselineConfig }): Promise<NativeBaseline>;
  };
  countBaselineParameters(config: NativeBaselineConfig): number;
}

export function loadBaselines(): BaselineAddon {
  return loadNative() as unknown as BaselineAddon;
}
