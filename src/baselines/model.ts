// A trained baseline, for sampling: the same samples as an LDLM's, so that what judges the one judges the other.

import { join } from 'node:path';
import { callNative } from '../api/call_native.js';
import { LdlmError } from '../api/errors.js';
import type { Sample, SampleBatch, SampleStats } from '../api/ldlm.js';
import { tokenizerOf } from '../api/run_folder.js';
import { requireWhole } from '../api/sample_options.js';
import { toSamples } from '../api/sample_rows.js';
import { Tokenizer } from '../data/tokenizer.js';
import { type BaselineCheckpoint, openBaseline } from './checkpoint.js';
import { type BaselineConfig, nativeModel } from './config.js';
import { loadBaselines, type NativeBaseline } from './native.js';

export interface BaselineSampleOptions {
  /** Texts to sample, default 1. */
  count?: number;
  /** Steps of the reverse process of mdlm, default 128; ar takes one a token. */
  steps?: number;
  /** 0 to 2^53 - 1, default 0. */
  seed?: number;
  /** Texts at once, default 32. */
  batch?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

const DEFAULT_STEPS = 128;

function resolve({ count = 1, steps = DEFAULT_STEPS, seed = 0, batch = 32 }: BaselineSampleOptions): { count: number; steps: number; seed: number; batch: number } {
  for (const [name, value, least] of [['count', count, 1], ['steps', steps, 1], ['seed', seed, 0], ['batch', batch, 1]] as const) requireWhole(name, value, least);
  return { count, steps, seed, batch };
}

let nextToken = 1;

/**
 * @example
 * await using model = await BaselineModel.load('runs/mdlm');
 * const { texts } = await model.sample({ count: 8, steps: 64, seed: 7 });
 */
export class BaselineModel implements AsyncDisposable {
  private constructor(
    readonly checkpoint: BaselineCheckpoint,
    readonly tokenizer: Tokenizer,
    /** The file of weights that was loaded. */
    readonly weights: string,
    private readonly native: NativeBaseline,
  ) {}

  /** A run folder (its newest checkpoint) or a checkpoint folder; the averaged weights unless told. */
  static async load(path: string, options: { weights?: 'ema' | 'raw' } = {}): Promise<BaselineModel> {
    const checkpoint = await openBaseline(path);
    const { folder, config, state } = checkpoint;
    const tokenizer = await Tokenizer.load(await tokenizerOf(folder));
    const weights = join(folder, options.weights === 'raw' ? 'model.safetensors' : 'ema.safetensors');
    const native = await callNative(() => loadBaselines().Baseline.load({ weights, config: nativeModel(config, state) }));
    return new BaselineModel(checkpoint, tokenizer, weights, native);
  }

  get config(): BaselineConfig {
    return this.checkpoint.config;
  }

  get device(): 'cpu' {
    return 'cpu';
  }

  get dtype(): 'float32' {
    return 'float32';
  }

  get onlySampler(): { name: string; takesSteps: boolean } {
    return this.config.kind === 'ar' ? { name: 'next token, fp64', takesSteps: false } : { name: 'ancestral, fp64', takesSteps: true };
  }

  /** Samples `count` texts, in batches. The texts do not depend on the size of the batches (of ar: but for the rounding of products). */
  async sample(options: BaselineSampleOptions = {}): Promise<{ samples: Sample[]; texts: string[]; stats: SampleStats }> {
    const { count } = resolve(options);
    const start = performance.now();
    const samples: Sample[] = [];
    let evaluations = 0;
    for await (const batch of this.sampleBatches(options)) {
      evaluations += batch.evaluations * batch.samples.length;
      samples.push(...batch.samples);
      options.onProgress?.(samples.length, count);
    }
    const seconds = (performance.now() - start) / 1000;
    const tokensPerSecond = (samples.length * this.config.model.maxLength) / seconds;
    return { samples, texts: samples.map((s) => s.text), stats: { count, evaluations: evaluations / count, seconds, tokensPerSecond } };
  }

  /** The same, each batch as soon as it is there, so that no more than one is held. */
  async *sampleBatches(options: BaselineSampleOptions = {}): AsyncGenerator<SampleBatch, void, undefined> {
    const { count, steps, seed, batch } = resolve(options);
    const { tokenizer, config: { kind, model, data: { packing } } } = this;
    for (let first = 0; first < count; first += batch) {
      if (options.signal?.aborted) throw new LdlmError('ERR_LDLM_ABORTED', `sampling was stopped after ${first} of ${count} texts`);
      const size = Math.min(batch, count - first);
      const { ids, evaluations } = await this.sampleBatch({ firstIndex: first, count: size, steps, seed }, options.signal);
      const samples = await toSamples(ids, { length: model.maxLength, packing, endId: this.checkpoint.state.endId, tokenizer, seed, first });
      yield { samples, evaluations: evaluations / (kind === 'ar' ? 1 : size) };
    }
  }

  async dispose(): Promise<void> {
    await this.native.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private async sampleBatch(part: { firstIndex: number; count: number; steps: number; seed: number }, signal: AbortSignal | undefined) {
    const token = nextToken++;
    const abort = (): void => this.native.abort(token);
    const request = { ...part, stopAtEnd: this.config.data.packing === 'pad', stepwise: false, stride: 1 };
    const running = callNative(() => this.native.sample(request, token));
    signal?.addEventListener('abort', abort);
    try {
      return await running;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
}
