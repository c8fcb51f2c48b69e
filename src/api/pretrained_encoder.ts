// The frozen pretrained language model, from a Hugging Face layout folder or the hub: token ids to hidden states.

import { checkEncoderWidth } from '../config/constraints.js';
import { type EncoderShape, hiddenStateIndex, readEncoderShape } from '../config/encoders.js';
import type { LdlmConfig } from '../config/types.js';
import { resolveModel, type ResolveOptions } from '../hub/model_source.js';
import { hashWeights } from '../hub/weight_files.js';
import { callNative, resolveDevice } from './call_native.js';
import { LdlmError } from './errors.js';
import { loadNative } from './native.js';
import type { NativePretrainedEncoder } from './native_types.js';
import type { CheckpointState } from './run_folder.js';

/** A frozen LM: GPT-2, BERT, RoBERTa, XLM-RoBERTa, DistilBERT, MPNet, T5 (its encoder), Llama, Mistral, Qwen2 or Qwen3. Owns native memory: `dispose()` it, or use `await using`. */
export class PretrainedEncoder implements AsyncDisposable {
  private hash: Promise<string> | null = null;

  private constructor(
    readonly folder: string,
    /** What finds the same files again: the folder as it was given, or ID@COMMIT of the hub. */
    readonly source: string,
    readonly shape: EncoderShape,
    /** @internal */ readonly native: NativePretrainedEncoder,
  ) {}

  /**
   * Loads `source`, a folder (config.json and model.safetensors or its shards) or an id of the hub, ID or ID@REVISION.
   * @throws LdlmError if it cannot be had, or if a tensor is missing, left over or of the wrong shape
   */
  static async load(source: string, options: { device?: 'auto' | 'cpu' | 'cuda' } & ResolveOptions = {}): Promise<PretrainedEncoder> {
    const { folder, source: found } = await resolveModel(source, ['weights'], options);
    const shape = await readEncoderShape(folder);
    const device = resolveDevice(options.device ?? 'auto');
    const native = await callNative(() => loadNative().PretrainedEncoder.load({ folder, config: shape, device }));
    return new PretrainedEncoder(folder, found, shape, native);
  }

  /** SHA-256 over the files of weights, in hex; read once. */
  sha256(): Promise<string> {
    return (this.hash ??= hashWeights(this.folder));
  }

  /**
   * Hidden states of one row of token ids, at `layer` as Hugging Face counts `hidden_states` (negative from the end).
   * @returns row-major [ids.length, H]
   */
  async hidden(ids: Int32Array, layer: number): Promise<Float32Array> {
    if (ids.length === 0 || ids.length > this.shape.positions) {
      throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `ids must hold 1 to ${this.shape.positions} tokens, got ${ids.length}`);
    }
    const index = hiddenStateIndex(layer, this.shape);
    return callNative(() => this.native.hidden(ids, Int32Array.of(ids.length), index));
  }

  /** @throws LdlmError ERR_LDLM_CONFIG if this encoder does not fit the configuration */
  check(config: LdlmConfig): void {
    checkEncoderWidth(config, this.shape.hiddenWidth);
    hiddenStateIndex(config.encoder.layer, this.shape);
    if (config.model.maxLength > this.shape.positions) {
      throw new LdlmError(
        'ERR_LDLM_CONFIG',
        `model.maxLength must be at most the encoder's ${this.shape.positions} positions, got ${config.model.maxLength}`,
      );
    }
  }

  /** @throws LdlmError ERR_LDLM_CONFIG if this is not the encoder that the checkpoint's latents were learned on */
  async checkSame({ encoder: then }: Pick<CheckpointState, 'encoder'>, remedy: string): Promise<void> {
    const { hiddenWidth, vocabulary } = this.shape;
    const refuse = (wanted: string, got: string): never => {
      throw new LdlmError('ERR_LDLM_CONFIG', `encoder.source must be the encoder of the checkpoint, ${wanted}, got ${this.folder} with ${got}. ${remedy}`);
    };
    if (hiddenWidth !== then.hiddenWidth || vocabulary !== then.vocabulary) {
      refuse(`of hidden width ${then.hiddenWidth} and ${then.vocabulary} token ids`, `${hiddenWidth} and ${vocabulary}`);
    }
    // Checkpoints of before there was a hash have none.
    if (then.sha256 !== undefined && (await this.sha256()) !== then.sha256) {
      refuse(`whose weights have the SHA-256 ${then.sha256.slice(0, 12)}...`, `${(await this.sha256()).slice(0, 12)}...`);
    }
  }

  dispose(): Promise<void> {
    return this.native.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
