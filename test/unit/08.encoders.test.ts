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
        feedForwardWidth: 128, tokenTypes: 0, normEpsilon: 1e-5, activation: 'gelu_new' });
    expect(await resolveEncoder(await folderWith(JSON.stringify(bert)))).toEqual(
      { family: 'bert', layers: 3, hiddenWidth: 24, heads: 2, vocabulary: 50, positions: 8,
        feedForwardWidth: 96, tokenTypes: 2, normEpsilon: 1e-12, activation: 'gelu' });
  });

  it('says what is wrong with a folder or a name that is no encoder', async () => {
    await expect(readEncoderShape(await folderWith('{"model_type":"llama"}'))).rejects.toThrow(/must describe a GPT-2 or BERT .*: model_type must be gpt2 or bert, got 'llama'/);
    await expect(readEncoderShape(await folderWith('{"n_layer":1}'))).rejects.toThrow('model_type is missing: it must be gpt2 or bert');
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
      message: `${join(folder, 'config.json')} must describe a GPT-2 or BERT that can be computed here: ${problem}`,
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
