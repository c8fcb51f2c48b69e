// LDLM: a trained model for sampling and reconstruction. Token ids become text here; everything before is native.

import { join } from 'node:path';
import { hiddenStateIndex } from '../config/encoders.js';
import type { LdlmConfig } from '../config/types.js';
import { Tokenizer } from '../data/tokenizer.js';
import { callNative, resolveDevice, resolveDtype } from './call_native.js';
import { LdlmError } from './errors.js';
import { loadNative } from './native.js';
import type { NativeModel } from './native_types.js';
import { PretrainedEncoder } from './pretrained_encoder.js';
import { type Checkpoint, openCheckpoint, tokenizerOf } from './run_folder.js';
import { cutAtEnd, textsOf, toSamples } from './sample_rows.js';
import { checkStagger, invalid, requireWhole, resolveGrid, resolveSampleOptions, type SampleOptions, type ResolvedSampleOptions } from './sample_options.js';

export interface Sample {
  /** Number of the sample; with the seed and the options it decides the text. */
  index: number;
  seed: number;
  text: string;
  /** Token ids up to the first end of text (padded data), or all of them. */
  ids: number[];
}

/** Samples that were made together. */
export interface SampleBatch {
  samples: Sample[];
  /** Evaluations of the denoiser per sample. */
  evaluations: number;
}

export interface SampleStats {
  count: number;
  /** Evaluations of the denoiser per sample. */
  evaluations: number;
  /** Noise to text on the host: denoising, decoding, detokenising. */
  seconds: number;
  tokensPerSecond: number;
}

/** An estimate while a batch is denoised. */
export interface SamplePreview {
  /** Evaluations done. */
  step: number;
  texts: string[];
  /** True for the last one, which is the result. */
  done: boolean;
}

export interface Reconstruction {
  text: string;
  reconstructed: string;
  /** Share of the tokens that came back. */
  accuracy: number;
}

export interface LoadOptions {
  device?: 'auto' | 'cpu' | 'cuda';
  /**
   * What the networks compute in: `auto` (default) is bfloat16 on a GPU and float32 on a CPU. bfloat16 on a CPU takes AVX512-BF16 and is for
   * products of matrices alone. The state of the sampler is float32 always.
   */
  dtype?: 'auto' | 'float32' | 'bfloat16';
  /** `ema` (default) or the raw weights of the last step. */
  weights?: 'ema' | 'raw';
}

/** Schedule time of the last evaluation of the denoiser. */
export const LAST_SCHEDULE_TIME = 0.05;

let nextToken = 1;

/**
 * A trained model. Owns native memory: `dispose()` it, or use `await using`.
 * @example
 * await using model = await LDLM.load('runs/tiny');
 * const { samples } = await model.sample({ count: 8, steps: 32, seed: 7 });
 */
export class LDLM implements AsyncDisposable {
  private encoder: PretrainedEncoder | null = null;

  private constructor(
    readonly checkpoint: Checkpoint,
    readonly tokenizer: Tokenizer,
    private readonly native: NativeModel,
    readonly device: 'cpu' | 'cuda',
    readonly dtype: 'float32' | 'bfloat16',
    /** The file of weights that was loaded. */
    readonly weights: string,
  ) {}

  /** Loads a run folder (its newest checkpoint), a checkpoint folder or an export folder. */
  static async load(path: string, options: LoadOptions = {}): Promise<LDLM> {
    const checkpoint = await openCheckpoint(path);
    const { folder, config, state, samplingOnly } = checkpoint;
    const device = resolveDevice(options.device ?? 'auto');
    const dtype = resolveDtype(options.dtype ?? 'auto', device);
    const tokenizer = await Tokenizer.load(await tokenizerOf(folder));
    if (tokenizer.vocabularySize > state.encoder.vocabulary) {
      throw new LdlmError(
        'ERR_LDLM_CONFIG',
        `the tokenizer must have at most the checkpoint's ${state.encoder.vocabulary} token ids, got ${tokenizer.vocabularySize}`,
      );
    }
    const raw = samplingOnly || options.weights === 'raw';
    const weights = join(folder, raw ? 'model.safetensors' : 'ema.safetensors');
    const native = await callNative(() =>
      loadNative().Model.load({
        weights,
        config: { ...config.model, hiddenWidth: state.encoder.hiddenWidth, vocabulary: state.encoder.vocabulary },
        scheduleD: config.diffusion.scheduleD,
        timesteps: config.recipe.adaptiveTimesteps ? state.timesteps : null,
        device,
        dtype,
        samplingOnly,
      }),
    );
    return new LDLM(checkpoint, tokenizer, native, device, dtype, weights);
  }

  get config(): LdlmConfig {
    return this.checkpoint.config;
  }

  /** Samples `count` texts, in batches. The texts do not depend on the size of the batches. */
  async sample(options: SampleOptions): Promise<{ samples: Sample[]; texts: string[]; stats: SampleStats }> {
    const { count } = resolveSampleOptions(options);
    const start = performance.now();
    const samples: Sample[] = [];
    let evaluations = 0;
    for await (const batch of this.sampleBatches(options)) {
      evaluations = batch.evaluations;
      samples.push(...batch.samples);
      options.onProgress?.(samples.length, count);
    }
    const seconds = (performance.now() - start) / 1000;
    const tokensPerSecond = (samples.length * this.config.model.maxLength) / seconds;
    return { samples, texts: samples.map((s) => s.text), stats: { count: samples.length, evaluations, seconds, tokensPerSecond } };
  }

  /** The same, each batch as soon as it is there, so that no more than one is held. */
  async *sampleBatches(options: SampleOptions): AsyncGenerator<SampleBatch, void, undefined> {
    const resolved = resolveSampleOptions(options);
    for (let first = 0; first < resolved.count; first += resolved.batch) yield await this.sampleBatch(resolved, first, 0, null);
  }

  /** One batch of `count` texts, with the estimate decoded every `previewEvery` evaluations (default 8). */
  async *sampleStream(options: SampleOptions & { previewEvery?: number }): AsyncGenerator<SamplePreview, void, undefined> {
    const left = new AbortController(); // a reader that leaves the loop wants no more evaluations
    const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
    const resolved = resolveSampleOptions({ ...options, signal, batch: options.count ?? 1 });
    const previews: { step: number; ids: Int32Array }[] = [];
    let wake: () => void = () => {};
    const result = this.sampleBatch(resolved, 0, options.previewEvery ?? 8, (step, ids) => {
      if (ids) previews.push({ step, ids });
      wake();
    });
    let settled = false;
    void result.catch(() => undefined).then(() => ((settled = true), wake()));
    try {
      while (!settled || previews.length > 0) {
        const preview = previews.shift();
        if (preview) {
          const samples = await this.toSamples(preview.ids, resolved, 0);
          yield { step: preview.step, texts: samples.map((s) => s.text), done: false };
        } else {
          await new Promise<void>((resolve) => (settled ? resolve() : (wake = resolve)));
        }
      }
      const { samples, evaluations } = await result;
      yield { step: evaluations, texts: samples.map((s) => s.text), done: true };
    } finally {
      left.abort();
    }
  }

  /**
   * Text to latents and back. Needs the frozen LM at `config.encoder.source`.
   * @param options.noise deviation of the noise added to the latents, >= 0 (default 0)
   * @param options.seed of that noise, 0 to 2^53 - 1 (default 0)
   */
  async reconstruct(texts: readonly string[], options: { noise?: number; seed?: number } = {}): Promise<Reconstruction[]> {
    this.encoder ??= await this.loadEncoder();
    const { encoder } = this;
    const layer = hiddenStateIndex(this.config.encoder.layer, encoder.shape);
    const L = this.config.model.maxLength;
    const { noise = 0, seed = 0 } = options;
    if (!(noise >= 0 && Number.isFinite(noise))) throw invalid('noise', 'a number >= 0', noise);
    requireWhole('seed', seed, 0);
    const endId = this.tokenizer.endId;
    const results: Reconstruction[] = [];
    for (const text of texts) {
      const tokens = await this.tokenizer.encode(text);
      if (tokens.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'a text to reconstruct must hold at least one token, got an empty one');
      if (this.config.data.packing === 'pad' && endId !== null) tokens.push(endId);
      const real = tokens.slice(0, L);
      const ids = new Int32Array(L);
      ids.set(real);
      const back = await callNative(() =>
        this.native.reconstruct(encoder.native, layer, ids, Int32Array.of(real.length), noise, seed),
      );
      const correct = real.filter((id, i) => back[i] === id).length;
      results.push({
        text,
        reconstructed: (await textsOf([cutAtEnd([...back.subarray(0, real.length)], this.config.data.packing, endId)], this.tokenizer, endId))[0]!,
        accuracy: correct / real.length,
      });
    }
    return results;
  }

  async dispose(): Promise<void> {
    await this.native.dispose();
    await this.encoder?.dispose();
    this.encoder = null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  private async loadEncoder(): Promise<PretrainedEncoder> {
    if (this.checkpoint.samplingOnly) {
      throw new LdlmError('ERR_LDLM_STATE', 'reconstruction must have the latent encoder, got an export for sampling. Use the run folder');
    }
    const encoder = await PretrainedEncoder.load(this.config.encoder.source, { device: this.device });
    try {
      await encoder.checkSame(this.checkpoint.state, 'Put the encoder of the training back there');
      return encoder;
    } catch (error) {
      await encoder.dispose();
      throw error;
    }
  }

  private async sampleBatch(
    options: ResolvedSampleOptions,
    first: number,
    previewEvery: number,
    onEvaluation: ((step: number, ids: Int32Array | null) => void) | null,
  ): Promise<SampleBatch> {
    const { steps, sampler, eta, temperature, grid, seed, signal } = options;
    checkStagger(this.config.model, sampler);
    const count = Math.min(options.batch, options.count - first);
    const token = nextToken++;
    const abort = (): void => this.native.abort(token);
    if (signal?.aborted) throw new LdlmError('ERR_LDLM_ABORTED', `sampling was stopped after ${first} of ${options.count} texts`);
    const uniformGrid = resolveGrid(grid, this.config.model) === 'uniform';
    const request = { firstIndex: first, count, steps, sampler, eta, temperature, uniformGrid, uMin: LAST_SCHEDULE_TIME, seed, previewEvery };
    const running = callNative(() => this.native.sample(request, token, onEvaluation));
    signal?.addEventListener('abort', abort);
    try {
      const { ids, evaluations } = await running;
      return { samples: await this.toSamples(ids, options, first), evaluations };
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  private toSamples(ids: Int32Array, { seed }: ResolvedSampleOptions, first: number): Promise<Sample[]> {
    const { model, data } = this.config;
    return toSamples(ids, { length: model.maxLength, packing: data.packing, endId: this.tokenizer.endId, tokenizer: this.tokenizer, seed, first });
  }
}
