import { describe, expect, it } from 'vitest';
import { LdlmError } from '../../src/api/errors.js';
import { checkEncoderWidth } from '../../src/config/constraints.js';
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
    expect(presets.tiny().train).toMatchObject({ steps: 2800, betas: [0.9, 0.98] });
  });

  it('naive differs from tiny in the four ingredients only', () => {
    const { recipe, ...rest } = presets.naive();
    const { recipe: full, ...restOfTiny } = presets.tiny();
    expect(rest).toEqual(restOfTiny);
    expect(recipe).toEqual({ ...full, decoderLoss: 'cross-entropy', encoderWarmup: null, adaptiveTimesteps: null, decoderNoise: 0 });
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
    ['model.latentEncoder.heads=5', 'model.latentEncoder.heads must divide model.latentWidth (64), got 5'],
    ['model.latentDecoder.heads=7', 'model.latentDecoder.heads must divide model.latentWidth (64), got 7'],
    ['model.dit.heads=5', 'model.dit.heads must divide model.dit.width (192), got 5'],
    ['model.dit.heads=192', 'model.dit.heads must leave an even head width (rotary embedding), got 192 / 192 = 1'],
    ['model.latents=49', 'model.latents must be <= model.maxLength (48), got 49'],
    ['model.latents=1', 'model.stagger must be 0 where model.latents is 1, got 1'],
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
      'recipe.adaptiveTimesteps={"bins":10,"decay":0.5,"every":7,"floor":1}',
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

/** A small seeded generator, so that a failing mutation can be repeated. */
function mulberry32(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
