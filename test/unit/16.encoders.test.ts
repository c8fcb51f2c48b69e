// Pretrained encoders: what their config.json becomes, and what is refused because the hidden states would be wrong without a sign.

import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';
import { checkEncoderWidth } from '../../src/config/constraints.js';
import { hiddenStateIndex, readEncoderShape, resolveEncoder } from '../../src/config/encoders.js';
import { presetNames, presets } from '../../src/config/presets.js';

const gpt2 = { model_type: 'gpt2', n_layer: 2, n_embd: 32, n_head: 4, vocab_size: 99, n_positions: 16, extra: 1 };
const bert = { model_type: 'bert', num_hidden_layers: 3, hidden_size: 24, num_attention_heads: 2, vocab_size: 50, max_position_embeddings: 8,
  intermediate_size: 96 };

const folderWith = async (text: string) => {
  const dir = await mkdtemp(join(tmpdir(), 'ldlm-encoder-'));
  await writeFile(join(dir, 'config.json'), text);
  return dir;
};

describe('encoders', () => {
  /** What neither GPT-2 nor BERT has. */
  const absent = { tokenTypes: 0, paddingId: 0, relativeBuckets: 0, relativeDistance: 0, rotaryBase: 0, rotaryScaling: null, gatedFeedForward: false, queryKeyValueBias: false, queryKeyNorm: false };

  it('knows the encoders that the presets name, and the paper\'s layer is in range for each', async () => {
    for (const name of presetNames) {
      const config = presets[name]();
      const shape = await resolveEncoder(config.encoder.source);
      checkEncoderWidth(config, shape.hiddenWidth);
      expect(hiddenStateIndex(config.encoder.layer, shape)).toBe(shape.layers - 2);
      expect(shape.positions).toBeGreaterThanOrEqual(config.model.maxLength);
    }
  });

  it('reads the shape of GPT-2 and BERT folders', async () => {
    expect(await readEncoderShape(await folderWith(JSON.stringify(gpt2)))).toEqual(
      { family: 'gpt2', layers: 2, hiddenWidth: 32, heads: 4, vocabulary: 99, positions: 16,
        feedForwardWidth: 128, normEpsilon: 1e-5, activation: 'gelu_new', ...absent, keyValueHeads: 4, headWidth: 8 });
    expect(await resolveEncoder(await folderWith(JSON.stringify(bert)))).toEqual(
      { family: 'bert', layers: 3, hiddenWidth: 24, heads: 2, vocabulary: 50, positions: 8,
        feedForwardWidth: 96, normEpsilon: 1e-12, activation: 'gelu', ...absent, tokenTypes: 2, keyValueHeads: 2, headWidth: 12 });
  });

  const bertLike = { num_hidden_layers: 2, hidden_size: 16, num_attention_heads: 4, intermediate_size: 24, vocab_size: 101, max_position_embeddings: 24 };
  const shapeOf = async (config: object) => readEncoderShape(await folderWith(JSON.stringify(config)));

  it('reads where the positions of RoBERTa and MPNet begin', async () => {
    expect(await shapeOf({ ...bertLike, model_type: 'roberta' })).toMatchObject({ family: 'roberta', positions: 22, paddingId: 1, tokenTypes: 2 });
    expect(await shapeOf({ ...bertLike, model_type: 'roberta', pad_token_id: 0 })).toMatchObject({ positions: 23, paddingId: 0 });
    expect(await shapeOf({ ...bertLike, model_type: 'mpnet' })).toMatchObject({ family: 'mpnet', positions: 22, relativeBuckets: 32, relativeDistance: 128 });
    await expect(shapeOf({ ...bertLike, model_type: 'roberta', max_position_embeddings: 2 })).rejects.toThrow(/max_position_embeddings must be more than pad_token_id/);
  });

  it('reads T5 with and without a gate', async () => {
    const t5 = { model_type: 't5', num_layers: 2, d_model: 16, num_heads: 2, d_kv: 6, d_ff: 24, vocab_size: 101 };
    expect(await shapeOf(t5)).toMatchObject({ family: 't5', headWidth: 6, activation: 'relu', gatedFeedForward: false, relativeBuckets: 32, positions: 65535 });
    expect(await shapeOf({ ...t5, feed_forward_proj: 'gated-gelu' })).toMatchObject({ activation: 'gelu_new', gatedFeedForward: true });
    await expect(shapeOf({ ...t5, feed_forward_proj: 'tanh' })).rejects.toThrow(/feed_forward_proj/);
  });

  it('reads the Llama family, as older and newer versions of transformers write it', async () => {
    expect(await shapeOf({ ...bertLike, model_type: 'llama', rope_theta: 5e5, num_key_value_heads: 2, rope_scaling: null })).toMatchObject(
      { family: 'llama', keyValueHeads: 2, headWidth: 4, rotaryBase: 5e5, queryKeyValueBias: false, queryKeyNorm: false, activation: 'silu' });
    expect(await shapeOf({ ...bertLike, model_type: 'qwen2', rope_parameters: { rope_type: 'default', rope_theta: 1e6 } })).toMatchObject(
      { family: 'llama', keyValueHeads: 4, rotaryBase: 1e6, queryKeyValueBias: true });
    expect(await shapeOf({ ...bertLike, model_type: 'qwen3', head_dim: 8 })).toMatchObject({ headWidth: 8, rotaryBase: 1e4, rotaryScaling: null, queryKeyNorm: true });
  });

  const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

  it.each([
    [{ rope_scaling: llama3 }, 8, 8192],
    [{ rope_scaling: { ...llama3, type: 'yarn' } }, 8, 8192],
    [{ rope_parameters: { ...llama3, rope_theta: 5e5 }, rope_theta: 7 }, 8, 8192],
    [{ rope_parameters: { ...llama3, rope_theta: 5e5 }, rope_scaling: {} }, 8, 8192],
    [{ rope_scaling: { type: 'linear', factor: 2.5 } }, 2.5, 0],
    [{ rope_scaling: { type: 'linear', factor: 2.5 }, rope_parameters: { rope_type: 'default', rope_theta: 7 } }, 2.5, 0],
    [{ rope_parameters: { rope_type: 'linear', factor: 2.5, rope_theta: 5e5, partial_rotary_factor: 1 } }, 2.5, 0],
  ])('reads the scaling of rotary positions in every spelling, and of two the one that transformers takes: %j', async (options, factor, originalPositions) => {
    expect(await shapeOf({ ...bertLike, model_type: 'llama', rope_theta: 5e5, ...options })).toMatchObject(
      { rotaryBase: 5e5, rotaryScaling: { factor, originalPositions, ...(originalPositions ? { lowFrequencyFactor: 1, highFrequencyFactor: 4 } : {}) } });
  });

  it.each([
    [{ factor: undefined }, /rope_scaling.factor is missing: it must be a finite number/],
    [{ factor: 0 }, /rope_scaling.factor must be > 0, got 0/],
    [{ factor: -1, rope_type: 'linear' }, /rope_scaling.factor must be > 0, got -1/],
    [{ low_freq_factor: 0 }, /rope_scaling.low_freq_factor must be > 0, got 0/],
    [{ high_freq_factor: undefined }, /rope_scaling.high_freq_factor is missing/],
    [{ high_freq_factor: 1 }, /rope_scaling.high_freq_factor must be more than low_freq_factor/],
    [{ original_max_position_embeddings: undefined }, /rope_scaling.original_max_position_embeddings is missing/],
    [{ beta_fast: 32 }, /rope_scaling.beta_fast must be absent, got 32/],
    [{ partial_rotary_factor: 0.5 }, /rope_scaling.partial_rotary_factor must be 1, got 0.5/],
  ])('names the key of a scaling that makes no sense: %j', async (options, message) => {
    await expect(shapeOf({ ...bertLike, model_type: 'llama', rope_scaling: { ...llama3, ...options } })).rejects.toMatchObject(
      { code: 'ERR_LDLM_CONFIG', message: expect.stringMatching(message) });
  });

  it('reads XLM-RoBERTa as a RoBERTa, and Mistral as a Llama of no more positions than its window', async () => {
    expect(await shapeOf({ ...bertLike, model_type: 'xlm-roberta', type_vocab_size: 1 })).toMatchObject({ family: 'roberta', positions: 22, tokenTypes: 1 });
    const mistral = { ...bertLike, model_type: 'mistral', num_key_value_heads: 2, max_position_embeddings: 9999 };
    expect(await shapeOf({ ...mistral, sliding_window: 16 })).toMatchObject({ family: 'llama', positions: 16, keyValueHeads: 2, queryKeyValueBias: false });
    expect(await shapeOf({ ...mistral, sliding_window: null })).toMatchObject({ positions: 9999 });
    expect(await shapeOf(mistral)).toMatchObject({ positions: 4096 });
    expect(await shapeOf({ ...mistral, model_type: 'qwen2', sliding_window: 16, use_sliding_window: false })).toMatchObject({ positions: 9999 });
  });

  it.each([
    ['llama', { rope_scaling: { type: 'dynamic', factor: 8 } }, /rope_scaling.rope_type must be 'default' or 'linear' or 'llama3', got 'dynamic'/],
    ['qwen2', { rope_parameters: { rope_type: 'yarn', factor: 4 } }, /rope_parameters.rope_type must be 'default' or 'linear' or 'llama3', got 'yarn'/],
    ['llama', { rope_parameters: { full_attention: { rope_type: 'llama3' } } }, /rope_parameters.full_attention must be absent/],
    ['llama', { original_max_position_embeddings: 8 }, /original_max_position_embeddings must be absent, got 8/],
    ['llama', { attention_bias: true }, /attention_bias must be false, got true/],
    ['llama', { mlp_bias: true }, /mlp_bias must be false/],
    ['qwen2', { use_sliding_window: true }, /use_sliding_window must be false/],
    ['qwen3', { layer_types: ['full_attention', 'sliding_attention'] }, /layer_types.1 must be 'full_attention', got 'sliding_attention'/],
    ['roberta', { position_embedding_type: 'relative_key' }, /position_embedding_type must be 'absolute'/],
    ['roberta', { is_decoder: true }, /is_decoder must be false/],
    ['mpnet', { relative_attention_num_buckets: 16 }, /relative_attention_num_buckets must be 32/],
  ])('refuses what %s may ask for and is not implemented: %j', async (family, options, message) => {
    await expect(shapeOf({ ...bertLike, model_type: family, ...options })).rejects.toMatchObject({ code: 'ERR_LDLM_CONFIG', message: expect.stringMatching(message) });
  });

  it('says what is wrong with a folder or a name that is no encoder', async () => {
    await expect(readEncoderShape(await folderWith('{"model_type":"mamba"}'))).rejects.toThrow(/must describe a gpt2, .*, qwen3 that .*: model_type must be gpt2 or .* or qwen3, got 'mamba'/);
    await expect(readEncoderShape(await folderWith('{"n_layer":1}'))).rejects.toThrow('model_type is missing: it must be gpt2 or bert or roberta');
    await expect(readEncoderShape(await folderWith('[]'))).rejects.toMatchObject({ code: 'ERR_LDLM_CONFIG' });
    await expect(readEncoderShape(await folderWith('{"model_type":"gpt2","n_layer":0}'))).rejects.toThrow(/n_layer must be >= 1, got 0; n_embd is missing/);
    await expect(readEncoderShape(await folderWith('{'))).rejects.toThrow(/must hold JSON/);
    await expect(readEncoderShape(await mkdtemp(join(tmpdir(), 'ldlm-none-')))).rejects.toMatchObject({ code: 'ERR_LDLM_IO' });
    await expect(resolveEncoder('no-such-model')).rejects.toThrow(/one of gpt2, .*stories-lm, got 'no-such-model'/);
    const shape = await resolveEncoder('gpt2');
    expect(() => hiddenStateIndex(13, shape)).toThrow('encoder.layer must be in -13..12 for an encoder of 12 layers, got 13');
    expect(hiddenStateIndex(-13, shape)).toBe(0);
  });

  it.each<[object, string]>([
    [{ ...gpt2, scale_attn_weights: false }, 'scale_attn_weights must be true, got false'],
    [{ ...gpt2, scale_attn_by_inverse_layer_idx: true }, 'scale_attn_by_inverse_layer_idx must be false, got true'],
    [{ ...gpt2, add_cross_attention: true }, 'add_cross_attention must be false, got true'],
    [{ ...gpt2, activation_function: 'silu' }, "activation_function must be 'gelu' or 'gelu_new' or 'relu', got 'silu'"],
    [{ ...gpt2, pruned_heads: { 0: [1] } }, "pruned_heads must be absent, got { '0': [ 1 ] }"],
    [{ ...gpt2, quantization_config: { load_in_8bit: true } }, 'quantization_config must be absent, got { load_in_8bit: true }'],
    [{ ...bert, position_embedding_type: 'relative_key' }, "position_embedding_type must be 'absolute', got 'relative_key'"],
    [{ ...bert, is_decoder: true }, 'is_decoder must be false, got true'],
    [{ ...bert, add_cross_attention: true }, 'add_cross_attention must be false, got true'],
    [{ ...bert, hidden_act: 'gelu_fast' }, "hidden_act must be 'gelu' or 'gelu_new' or 'relu', got 'gelu_fast'"],
    [{ ...bert, auto_map: { AutoModel: 'x.Y' } }, "auto_map must be absent, got { AutoModel: 'x.Y' }"],
  ])('refuses an option that the native networks do not have: %j', async (config, problem) => {
    const folder = await folderWith(JSON.stringify(config));
    await expect(readEncoderShape(folder)).rejects.toMatchObject({
      code: 'ERR_LDLM_CONFIG',
      message: `${join(folder, 'config.json')} must describe a gpt2, bert, roberta, xlm-roberta, distilbert, mpnet, t5, llama, mistral, qwen2, qwen3 that can be computed here: ${problem}`,
    });
  });

  it('takes options that change nothing at inference, and the plain values of those that would', async () => {
    const harmless = { reorder_and_upcast_attn: true, attn_pdrop: 0.5, use_cache: false, pruned_heads: {}, add_cross_attention: false, scale_attn_weights: true };
    expect(await readEncoderShape(await folderWith(JSON.stringify({ ...gpt2, ...harmless })))).toMatchObject({ layers: 2 });
    const plain = { position_embedding_type: 'absolute', is_decoder: false, classifier_dropout: null, gradient_checkpointing: false };
    expect(await readEncoderShape(await folderWith(JSON.stringify({ ...bert, ...plain })))).toMatchObject({ layers: 3 });
    for (const family of ['gpt2-tiny', 'bert-tiny']) await readEncoderShape(join(packageRoot(), 'test', 'golden', family));
  });
});
