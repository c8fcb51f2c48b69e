// What an evaluation needs of a model: an LDLM has it, and so have the baselines. The part that only an LDLM has is optional.

import type { LDLM, Sample, SampleStats } from '../api/ldlm.js';
import type { SampleOptions } from '../api/sample_options.js';
import type { Tokenizer } from '../data/tokenizer.js';

export interface EvaluatedModel {
  readonly tokenizer: Tokenizer;
  readonly config: { model: { maxLength: number; stagger?: number }; data: { path: string }; recipe?: { decoderNoise: number } };
  readonly checkpoint: { folder: string; state: { step: number; dataSha256?: string | undefined }; samplingOnly?: boolean };
  /** The file of weights that was loaded. */
  readonly weights: string;
  readonly device: 'cpu' | 'cuda';
  readonly dtype: 'float32' | 'bfloat16';
  /** Of a model that samples in one way only: its name, and whether a number of steps is asked of it. */
  readonly onlySampler?: { name: string; takesSteps: boolean };
  sample(options: SampleOptions): Promise<{ samples: Sample[]; texts: string[]; stats: SampleStats }>;
  readonly reconstruct?: LDLM['reconstruct'];
}
