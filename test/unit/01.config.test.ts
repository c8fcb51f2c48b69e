import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LdlmError } from '../../src/api/errors.js';
import { checkEncoderWidth } from '../../src/config/constraints.js';
import { hiddenStateIndex, readEncoderShape, resolveEncoder } from '../../src/config/encoders.js';
import { applySet, jsonSchema, parseConfig } from '../../src/config/parse.js';
import { presetNames, presets } from '../../src/config/presets.js';

/** The message of the LdlmError that `action` must throw. */
function configError(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(LdlmError);
    expect((error as LdlmError).code).toBe('ERR_LDLM_CONFIG');
    return (error as LdlmError).message;
  }
  throw new Error('nothing was thrown');
}

describe('presets', () => {
  it.each(presetNames)('%s is complete, legal and unchanged by a round trip through JSON', (name) => {
    const config = presets[name]();
    expect(parseConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  it('gives a new object at each call', () => {
    presets.tiny().train.steps = 1;
    presets.tiny().train.betas[0] = 0;
    expect(presets.tiny().train).toMatchObject({ steps: 1800, betas: [0.9, 0.98] });
  });

  it('naive differs from tiny in the four ingredients only', () => {
    const { recipe, ...rest } = presets.naive();
    const { recipe: full, ...restOfTiny } = presets.tiny();
    expect(rest).toEqual(restOfTiny);
    expect(recipe).toEqual({ decoderLoss: 'cross-entropy', encoderWarmup: null, adaptiveTimesteps: null, decoderNoise: 0 });
    expect(full.encoderWarmup).not.toBeNull();
  });
});

describe('parseConfig', () => {
  it('says what must be what and got what', () => {
    const config = presets.tiny();
    config.train.lr = -1;
    expect(configError(() => parseConfig(config))).toBe('train.lr must be > 0, got -1');
  });

  it('rejects an unknown config key and suggests the nearest', () => {
    const config = structuredClone(presets.tiny()) as unknown as Record<string, Record<string, unknown>>;
    config['train']!['warmupStep'] = 3;
    expect(configError(() => parseConfig(config))).toBe(
      'train.warmupStep is not a configuration key: did you mean train.warmupSteps?',
    );
  });

  it('suggests a key of another section when it stands in the wrong one', () => {
    expect(configError(() => parseConfig({ ...presets.tiny(), latents: 3 }))).toContain('did you mean model.latents?');
  });

  it('names a missing key with its meaning', () => {
    const { clip: _, ...train } = presets.tiny().train;
    const message = configError(() => parseConfig({ ...presets.tiny(), train }));
    expect(message).toBe('train.clip is missing: Largest norm of the gradient, > 0.');
  });

  it('reports all problems, not only the first', () => {
    const config = presets.tiny() as unknown as Record<string, Record<string, unknown>>;
    Object.assign(config['train']!, { lr: 'fast', betas: [0.9, 1], device: 'tpu', steps: 1.5, extra: 1 });
    config['encoder']!['source'] = '';
    const lines = configError(() => parseConfig(config)).split('\n');
    expect(lines[0]).toBe('the configuration has 6 problems:');
    expect(lines.slice(1).map((line) => line.trim())).toEqual([
      'encoder.source must not be empty, got \'\'',
      'train.steps must be a whole number, got 1.5',
      "train.lr must be a finite number, got 'fast'",
      'train.betas.1 must be < 1, got 1',
      "train.device must be 'auto' or 'cpu' or 'cuda', got 'tpu'",
      expect.stringMatching(/^train\.extra is not a configuration key/),
    ]);
  });

  it.each([[null], [undefined], [5], ['x'], [[]]])('rejects %j as a whole configuration', (input) => {
    expect(configError(() => parseConfig(input))).toMatch(/^the configuration/);
  });

  it.each([
    ['model.latentEncoder.heads=5', 'model.latentEncoder.heads must divide model.latentWidth (96), got 5'],
    ['model.latentDecoder.heads=7', 'model.latentDecoder.heads must divide model.latentWidth (96), got 7'],
    ['model.dit.heads=5', 'model.dit.heads must divide model.dit.width (128), got 5'],
    ['model.dit.heads=128', 'model.dit.heads must leave an even head width (rotary embedding), got 128 / 128 = 1'],
    ['model.latents=49', 'model.latents must be <= model.maxLength (48), got 49'],
    ['train.accumulate=3', 'train.accumulate must divide train.batch (32), got 3'],
    ['recipe.encoderWarmup.min=0.2', 'recipe.encoderWarmup.min must be <= max (0.1), got 0.2'],
  ])('checks sizes across fields: %s', (assignment, message) => {
    expect(configError(() => applySet(presets.tiny(), assignment))).toBe(message);
  });

  it('checks the heads of the token decoder against the width of the encoder', () => {
    expect(() => checkEncoderWidth(presets.tiny(), 128)).not.toThrow();
    expect(configError(() => checkEncoderWidth(presets.tiny(), 130))).toContain('model.tokenDecoder.heads must divide');
  });

  it('never throws anything but an LdlmError on random mutations of a configuration, and what it accepts is a fixed point', () => {
    const random = mulberry32(7);
    const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
    const strange = [null, undefined, true, -1, 0, 1, 2, 1.5, 1e300, NaN, Infinity, '', 'cpu', [], [1, 2], {}, { steps: 1 }, '__proto__'];
    let accepted = 0;
    for (let round = 0; round < 3000; round++) {
      const config: unknown = presets[pick(presetNames)]();
      for (let edits = 1 + Math.floor(random() * 3); edits > 0; edits--) {
        let owner = config as Record<string, unknown>;
        for (;;) {
          const key = pick(Object.keys(owner));
          const child = owner[key];
          if (typeof child === 'object' && child !== null && Object.keys(child).length > 0 && random() < 0.8) {
            owner = child as Record<string, unknown>;
            continue;
          }
          const action = random();
          if (action < 0.15) delete owner[key];
          else if (action < 0.3) Object.defineProperty(owner, pick(['', 'x', '__proto__', 'constructor', `${key}s`, '0']), { value: pick(strange), enumerable: true, configurable: true, writable: true });
          else owner[key] = pick(strange);
          break;
        }
      }
      try {
        const parsed = parseConfig(config);
        expect(parseConfig(structuredClone(parsed))).toEqual(parsed);
        accepted++;
      } catch (error) {
        expect(error).toBeInstanceOf(LdlmError);
      }
    }
    expect(accepted).toBeGreaterThan(50); // the mutations are not all refused
    expect(({} as Record<string, unknown>)['steps']).toBeUndefined(); // no prototype was written to
  });
});

describe('applySet', () => {
  it('reads numbers, null and objects as JSON and anything else as text', () => {
    const config = applySet(
      presets.tiny(), 'train.lr=3e-4', 'recipe.encoderWarmup=null', 'encoder.source=my/model=1', 'train.betas=[0.8,0.9]',
      'recipe.adaptiveTimesteps={"bins":10,"decay":0.5,"every":7,"floor":0}',
    );
    expect(config.train).toMatchObject({ lr: 3e-4, betas: [0.8, 0.9] });
    expect(config.encoder.source).toBe('my/model=1');
    expect(config.recipe).toMatchObject({ encoderWarmup: null, adaptiveTimesteps: { bins: 10, every: 7 } });
  });

  it('checks only the result of all assignments, and leaves its input alone', () => {
    const config = presets.tiny();
    expect(applySet(config, 'train.batch=9', 'train.accumulate=3').train).toMatchObject({ batch: 9, accumulate: 3 });
    expect(config).toEqual(presets.tiny());
  });

  it.each([
    ['train.learningRate=1', /^train\.learningRate is not a configuration key: did you mean train\./],
    ['train.lr.deep=1', /^train\.lr must be an object before train\.lr\.deep can be set, got 0\.002/],
    ['__proto__.x=1', /is not a configuration key/],
    ['train.lr', /must be PATH=VALUE/],
    ['=1', /must be PATH=VALUE/],
    ['train.dtype=float16', /^train\.dtype must be 'float32' or 'bfloat16', got 'float16'$/],
  ])('refuses %s', (assignment, message) => {
    expect(configError(() => applySet(presets.tiny(), assignment))).toMatch(message);
  });

  it('says how to set a part of an ingredient that is switched off', () => {
    expect(configError(() => applySet(presets.naive(), 'recipe.encoderWarmup.steps=5'))).toBe(
      'recipe.encoderWarmup must be an object before recipe.encoderWarmup.steps can be set, got null; set it whole: recipe.encoderWarmup=...',
    );
  });
});

it('describes every field in the JSON Schema and allows no others', () => {
  const check = (schema: Record<string, any>, path: string) => {
    const object = schema['anyOf']?.find((option: { type: string }) => option.type === 'object') ?? schema;
    if (object.type !== 'object') return expect(schema['description'] ?? '', path).not.toBe('');
    expect(object.additionalProperties, path).toBe(false);
    expect(Object.keys(object.properties).sort(), path).toEqual([...object.required].sort());
    for (const [key, field] of Object.entries(object.properties)) check(field as Record<string, any>, `${path}.${key}`);
  };
  check(jsonSchema(), 'config');
});

describe('encoders', () => {
  const folderWith = async (text: string) => {
    const dir = await mkdtemp(join(tmpdir(), 'ldlm-encoder-'));
    await writeFile(join(dir, 'config.json'), text);
    return dir;
  };

  it('knows the encoders that the presets name, and the paper\'s layer is in range for each', async () => {
    for (const name of presetNames) {
      const config = presets[name]();
      const shape = await resolveEncoder(config.encoder.source);
      checkEncoderWidth(config, shape.hiddenWidth);
      expect(hiddenStateIndex(config.encoder.layer, shape)).toBe(shape.layers - 2);
      expect(shape.positions).toBeGreaterThanOrEqual(config.model.maxLength);
    }
  });

  /** What neither GPT-2 nor BERT has. */
  const absent = { tokenTypes: 0, paddingId: 0, relativeBuckets: 0, relativeDistance: 0, rotaryBase: 0, gatedFeedForward: false, queryKeyValueBias: false, queryKeyNorm: false };

  it('reads the shape of GPT-2 and BERT folders', async () => {
    const gpt2 = { model_type: 'gpt2', n_layer: 2, n_embd: 32, n_head: 4, vocab_size: 99, n_positions: 16, extra: 1 };
    expect(await readEncoderShape(await folderWith(JSON.stringify(gpt2)))).toEqual(
      { family: 'gpt2', layers: 2, hiddenWidth: 32, heads: 4, vocabulary: 99, positions: 16,
        feedForwardWidth: 128, normEpsilon: 1e-5, activation: 'gelu_new', ...absent, keyValueHeads: 4, headWidth: 8 });
    const bert = { model_type: 'bert', num_hidden_layers: 3, hidden_size: 24, num_attention_heads: 2, vocab_size: 50, max_position_embeddings: 8,
      intermediate_size: 96, hidden_act: 'relu' };
    expect(await resolveEncoder(await folderWith(JSON.stringify(bert)))).toEqual(
      { family: 'bert', layers: 3, hiddenWidth: 24, heads: 2, vocabulary: 50, positions: 8,
        feedForwardWidth: 96, normEpsilon: 1e-12, activation: 'relu', ...absent, tokenTypes: 2, keyValueHeads: 2, headWidth: 12 });
  });

  const bertLike = { num_hidden_layers: 2, hidden_size: 16, num_attention_heads: 4, intermediate_size: 24, vocab_size: 101, max_position_embeddings: 24 };
  const shapeOf = async (config: object) => readEncoderShape(await folderWith(JSON.stringify(config)));

  it('reads where the positions of RoBERTa and MPNet begin', async () => {
    expect(await shapeOf({ ...bertLike, model_type: 'roberta' })).toMatchObject({ family: 'roberta', positions: 22, paddingId: 1, tokenTypes: 2 });
    expect(await shapeOf({ ...bertLike, model_type: 'roberta', pad_token_id: 0 })).toMatchObject({ positions: 23, paddingId: 0 });
    expect(await shapeOf({ ...bertLike, model_type: 'mpnet' })).toMatchObject({ family: 'mpnet', positions: 22, relativeBuckets: 32, relativeDistance: 128 });
    await expect(shapeOf({ ...bertLike, model_type: 'roberta', max_position_embeddings: 2 })).rejects.toThrow(/max_position_embeddings: must be more than pad_token_id/);
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
    expect(await shapeOf({ ...bertLike, model_type: 'qwen3', head_dim: 8 })).toMatchObject({ headWidth: 8, rotaryBase: 1e4, queryKeyNorm: true });
  });

  it.each([
    ['llama', { rope_scaling: { rope_type: 'llama3', factor: 8 } }, /rope_scaling.rope_type: must be "default", got "llama3", which is not implemented/],
    ['llama', { rope_parameters: { rope_type: 'yarn', factor: 4 } }, /rope_parameters.rope_type: must be "default", got "yarn"/],
    ['llama', { attention_bias: true }, /attention_bias: must be false, got true, which is not implemented/],
    ['llama', { mlp_bias: true }, /mlp_bias: must be false/],
    ['qwen2', { use_sliding_window: true }, /use_sliding_window: must be false/],
    ['qwen3', { layer_types: ['full_attention', 'sliding_attention'] }, /layer_types.1: must be "full_attention", got "sliding_attention"/],
    ['roberta', { position_embedding_type: 'relative_key' }, /position_embedding_type: must be "absolute"/],
    ['roberta', { is_decoder: true }, /is_decoder: must be false/],
    ['mpnet', { relative_attention_num_buckets: 16 }, /relative_attention_num_buckets: must be 32/],
  ])('refuses what %s may ask for and is not implemented: %j', async (family, options, message) => {
    await expect(shapeOf({ ...bertLike, model_type: family, ...options })).rejects.toMatchObject({ code: 'ERR_LDLM_CONFIG', message: expect.stringMatching(message) });
  });

  it('says what is wrong with a folder or a name that is no encoder', async () => {
    await expect(readEncoderShape(await folderWith('{"model_type":"mamba"}'))).rejects.toThrow(/a known family \(gpt2, bert, .*, qwen3\)/);
    await expect(readEncoderShape(await folderWith('{"model_type":"gpt2","n_layer":0}'))).rejects.toThrow(/n_layer.*n_embd/);
    await expect(readEncoderShape(await folderWith('{'))).rejects.toThrow(/must hold JSON/);
    await expect(readEncoderShape(await mkdtemp(join(tmpdir(), 'ldlm-none-')))).rejects.toMatchObject({ code: 'ERR_LDLM_IO' });
    await expect(resolveEncoder('no-such-model')).rejects.toThrow(/one of gpt2, .*stories-lm, got 'no-such-model'/);
    const shape = await resolveEncoder('gpt2');
    expect(configError(() => hiddenStateIndex(13, shape))).toBe('encoder.layer must be in -13..12 for an encoder of 12 layers, got 13');
    expect(hiddenStateIndex(-13, shape)).toBe(0);
  });
});

/** A small seeded generator, so that a failing mutation can be repeated. */
function mulberry32(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
