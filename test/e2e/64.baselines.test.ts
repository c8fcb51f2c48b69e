// The baselines from the command line: training, exact resume, a time limit, sampling, what bad input gets.

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sample } from '../../src/index.js';
import { baselineFor, baselineKinds, countParameters, setBaseline } from '../../src/baselines/config.js';
import { loadNative } from '../../src/api/native.js';
import { presets } from '../../src/index.js';
import { checkpointHashes, latestFolder, LENGTH, ldlm, ldlmOutput, makeWorld, parseLines, SETUP_MS, type World } from './fixture.js';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
}, SETUP_MS);
afterAll(() => world[Symbol.asyncDispose]());

const train = (kind: string, out: string, ...flags: string[]): Promise<string> =>
  ldlmOutput([
    'baseline', 'train', '--kind', kind, '--preset', 'tiny', '--encoder', world.lm, '--data', world.data, '--parameters', '20000', '--out', world.path(out),
    '--set', 'train.batch=4', '--set', 'train.logEvery=2', '--set', 'train.saveEvery=100', '--set', 'train.cooldown=0', ...flags,
  ]);

describe.each(baselineKinds)('ldlm baseline, %s', (kind) => {
  it('trains, and resumes to the same bytes', async () => {
    expect(await train(kind, `${kind}-whole`, '--set', 'train.steps=8')).toBe(`${world.path(`${kind}-whole`)}\n`);
    await train(kind, `${kind}-parts`, '--set', 'train.steps=4');
    await train(kind, `${kind}-parts`, '--set', 'train.steps=8', '--resume', 'must');
    const [whole, parts] = [await latestFolder(world.path(`${kind}-whole`)), await latestFolder(world.path(`${kind}-parts`))];
    const { 'state.json': _, ...expected } = await checkpointHashes(whole);
    const { 'state.json': __, ...found } = await checkpointHashes(parts);
    expect(found).toEqual(expected);
    const state = JSON.parse(await readFile(`${parts}/state.json`, 'utf8')) as Record<string, unknown>;
    expect(state).toMatchObject({ step: 8, seed: 0, dataPosition: 32 });
    const metrics = parseLines<{ step: number; loss: { total: number }; saved: boolean }>(await readFile(world.path(`${kind}-parts`, 'metrics.jsonl'), 'utf8'));
    expect(metrics.map(({ step }) => step)).toEqual([2, 4, 6, 8]);
    expect(metrics.map(({ saved }) => saved)).toEqual([false, true, false, true]);
    for (const { loss } of metrics) expect(loss.total).toBeGreaterThan(0);
  }, SETUP_MS);

  it('samples the records of ldlm sample, whatever --batch is', async () => {
    const sample = (...flags: string[]): Promise<string> =>
      ldlmOutput(['baseline', 'sample', '--model', world.path(`${kind}-whole`), '--count', '6', '--steps', '10', '--seed', '5', '--format', 'jsonl', ...flags]);
    const whole = await sample('--batch', '6');
    expect(await sample('--batch', '4')).toBe(whole);
    const samples = parseLines<Sample>(whole);
    expect(samples.map(({ index, seed }) => [index, seed])).toEqual([0, 1, 2, 3, 4, 5].map((index) => [index, 5]));
    for (const { ids, text } of samples) {
      expect(ids.length).toBeLessThanOrEqual(LENGTH);
      expect(ids).not.toContain(world.tokenizer.endId);
      expect(await world.tokenizer.decode(ids)).toBe(text);
    }
    expect(new Set(samples.map(({ text }) => text)).size).toBe(6);
  });

  it('is judged by the protocols of ldlm eval', async () => {
    const out = world.path(`${kind}-eval`);
    const flags = ['--protocol', 'grammar/v1', 'entropy/model-tokens-nats', 'memorisation/v1', '--count', '6', '--steps', '10', '--seed', '5'];
    const { results } = JSON.parse(await ldlmOutput(['eval', '--model', world.path(`${kind}-whole`), ...flags, '--out', out, '--json'])) as { results: Record<string, unknown>[] };
    expect(results.map(({ protocol }) => protocol)).toEqual(['grammar/v1', 'entropy/model-tokens-nats', 'memorisation/v1']);
    expect(results[0]).toMatchObject({ sampler: kind === 'ar' ? 'next token, fp64' : 'ancestral, fp64', eta: null, steps: kind === 'ar' ? null : 10, seed: 5, count: 6, model: { step: 8 } });
    const judged = parseLines<Sample>(await readFile(`${out}/samples.jsonl`, 'utf8'));
    expect(judged).toEqual(parseLines(await ldlmOutput(['baseline', 'sample', '--model', world.path(`${kind}-whole`), '--count', '6', '--steps', '10', '--seed', '5', '--format', 'jsonl'])));
    const refused = await ldlm(['eval', '--model', world.path(`${kind}-whole`), '--protocol', 'reconstruction/v1', '--reference', world.path('stories.txt'), '--count', '2', '--steps', '2', '--out', out]);
    expect(refused.stderr).toMatch(/reconstruction\/v1 must have a model with latents/);
  });

  it('stops by time, and cools down with it', async () => {
    const run = `${kind}-time`;
    await train(kind, run, '--minutes', '0.05', '--set', 'train.cooldown=0.5', '--set', 'train.warmupSteps=1');
    const metrics = parseLines<{ seconds: number; lr: number; saved: boolean }>(await readFile(world.path(run, 'metrics.jsonl'), 'utf8'));
    const last = metrics.at(-1)!;
    expect(last.saved).toBe(true);
    expect(last.seconds).toBeGreaterThanOrEqual(3);
    expect(last.seconds).toBeLessThan(60);
    expect(last.lr).toBeLessThan(metrics[0]!.lr);
    // All of its time is used up: there is nothing left to do.
    await train(kind, run, '--minutes', '0.05', '--set', 'train.cooldown=0.5', '--set', 'train.warmupSteps=1');
    expect(parseLines(await readFile(world.path(run, 'metrics.jsonl'), 'utf8')).length).toBe(metrics.length);
  }, SETUP_MS);
});

describe('the size of a baseline', () => {
  const encoder = { hiddenWidth: 128, vocabulary: 298 };

  it.each(baselineKinds)('is close to that of the LDLM: %s', (kind) => {
    const counts = loadNative().countParameters({ ...presets.tiny().model, ...encoder });
    for (const match of ['whole', 'dit'] as const) {
      const { model } = baselineFor(kind, presets.tiny(), { encoder, match });
      const target = match === 'whole' ? counts.total : counts.dit;
      expect(Math.abs(countParameters(kind, model, encoder.vocabulary) / target - 1)).toBeLessThan(0.1);
    }
  });

  it('can be set, and nonsense is refused', () => {
    const config = baselineFor('mdlm', presets.tiny(), { encoder, match: 'whole' });
    expect(setBaseline(config, 'model.width=96', 'train.lr=1e-4')).toMatchObject({ model: { width: 96 }, train: { lr: 1e-4 } });
    expect(() => setBaseline(config, 'model.wdth=96')).toThrow(/model\.wdth is not a configuration key/);
    expect(() => setBaseline(config, 'kind=gan')).toThrow(/kind must be "mdlm" or "ar", got "gan"|kind must be/);
  });
});

describe('bad input', () => {
  it.each([
    [['baseline', 'train', '--kind', 'mdlm', '--out', 'x'], /one of --preset NAME and --like RUN must be given/, 2],
    [['baseline', 'train', '--kind', 'gan', '--preset', 'tiny', '--out', 'x'], /Allowed choices are mdlm, ar/, 2],
    [['baseline', 'train', '--kind', 'ar', '--preset', 'tiny', '--out', 'x', '--minutes', '0'], /--minutes must be > 0, got 0/, 2],
    [['baseline', 'sample', '--model', 'nowhere'], /--model must be a run folder of `ldlm baseline train`/, 1],
  ])('gets a clear message: %j', async (args, message, code) => {
    const ended = await ldlm(args);
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
  });

  it('refuses bf16 on a CPU that has no such products, and trains in it on one that has', async () => {
    const flags = ['--preset', 'tiny', '--encoder', world.lm, '--data', world.data, '--parameters', '20000', '--out', world.path('ar-bf16')];
    const { code, stderr } = await ldlm(['baseline', 'train', '--kind', 'ar', ...flags, '--set', 'train.dtype=bfloat16', '--set', 'train.steps=2']);
    if (loadNative().cpuBfloat16) expect({ code, stderr }).toMatchObject({ code: 0 });
    else expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('error: train.dtype must be float32 on a cpu without AVX512-BF16') });
  });

  it('refuses to resume with another size, and data of another length', async () => {
    const again = ['baseline', 'train', '--kind', 'ar', '--preset', 'tiny', '--encoder', world.lm, '--data', world.data, '--set', 'train.batch=4', '--set', 'train.steps=8'];
    const other = await ldlm([...again, '--out', world.path('ar-whole'), '--parameters', '200000']);
    expect(other.stderr).toMatch(/model must be as in the checkpoint to resume/);
    const short = await ldlm([...again, '--out', world.path('short'), '--set', 'model.maxLength=32']);
    expect(short.stderr).toMatch(/model\.maxLength must be the length of the prepared data \(48\), got 32/);
  });
});
