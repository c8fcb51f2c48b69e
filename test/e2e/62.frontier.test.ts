// `ldlm frontier` on two small runs: points, table, JSON and picture; what is there is not computed again.

import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LdlmConfig } from '../../src/index.js';
import type { FrontierPoint } from '../../src/study/frontier.js';
import { ldlm, ldlmOutput, ldlmProgram, makeWorld, SETUP_MS, startNode, until, type World } from './fixture.js';

let world: World;
let models: string[];
let staggered: string;
const out = (): string => world.path('frontier');
const args = (...flags: string[]): string[] => ['frontier', ...models, '--out', out(), '--count', '8', '--steps', '1', '2', ...flags];
const pointFiles = async (folder = out()): Promise<string[]> => (await readdir(join(folder, 'points')).catch(() => [])).map((name) => join(folder, 'points', name));

beforeAll(async () => {
  world = await makeWorld();
  models = ['a', 'b'].map((name) => world.path(name));
  for (const [i, model] of models.entries()) await ldlmOutput(['train', '--config', world.configFile, '--out', model, '--set', 'train.steps=2', '--set', `train.seed=${i}`]);
  staggered = world.path('staggered');
  await ldlmOutput(['train', '--config', world.configFile, '--out', staggered, '--set', 'train.steps=1', '--set', 'model.stagger=1']);
}, SETUP_MS);
afterAll(() => world[Symbol.asyncDispose]());

describe('ldlm frontier', () => {
  it('samples every model at every setting, and gives a table, JSON and a picture', async () => {
    const { code, stdout, stderr } = await ldlm(args('--eta', '0', '1', '--temperature', '0.5', '--scorer', world.lm, '--reference', world.path('stories.txt')));
    expect(stderr).toMatch(/protocols: entropy\/model-tokens-nats, diversity\/v1, grammar\/v1, genppl\/mdlm-v1\n/);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^model +steps +eta +temperature +grid +valid % +coherent % +gen-PPL +entropy .*ms\/sample +front$/m);
    expect(stdout).not.toMatch(/NaN|undefined/);
    const { points, quality } = JSON.parse(await readFile(join(out(), 'frontier.json'), 'utf8')) as { points: (FrontierPoint & { onFront: boolean })[]; quality: object };
    expect(quality).toEqual({ measure: 'gen-PPL', better: 'less' });
    expect(points.map(({ model, steps, eta, temperature }) => [model, steps, eta, temperature])).toEqual(
      models.flatMap((model) => [0, 1].flatMap((eta) => [1, 2].map((steps) => [model, steps, eta, 0.5]))));
    for (const { steps, eta, secondsPerSample, results } of points) {
      expect(secondsPerSample).toBeGreaterThan(0);
      for (const result of results) expect(result).toMatchObject({ steps, eta, temperature: 0.5, count: 8, seed: 0, precision: 'float32', sampler: 'ddpm', machine: { device: 'cpu' } });
    }
    expect(points.some(({ onFront }) => onFront)).toBe(true);
    expect(await readFile(join(out(), 'frontier.svg'), 'utf8')).toMatch(/gen-PPL \(genppl\/mdlm-v1, [^]*data<\/text>[^]*<\/svg>/);
  });

  it('samples at every grid that is asked for, and at the model\'s own where none is', async () => {
    const of = async (model: string, folder: string, ...flags: string[]): Promise<FrontierPoint[]> =>
      (JSON.parse(await ldlmOutput(['frontier', model, '--out', world.path(folder), '--steps', '3', '--eta', '1', '--count', '2', '--json', ...flags])) as { points: FrontierPoint[] }).points;
    expect((await of(models[0]!, 'own')).map(({ grid }) => grid)).toEqual(['learned']);
    expect((await of(staggered, 'staggers')).map(({ grid, results }) => [grid, results[0]!['grid']])).toEqual([['uniform', 'uniform']]);
    const both = await of(models[0]!, 'both', '--grid', 'uniform', 'learned');
    expect(both.map(({ grid, results }) => [grid, results[0]!['grid']])).toEqual([['uniform', 'uniform'], ['learned', 'learned']]);
    expect(await pointFiles(world.path('both'))).toHaveLength(2);
    expect(await of(models[0]!, 'own', '--grid', 'learned', 'learned')).toEqual(await of(models[0]!, 'own'));
    expect(await pointFiles(world.path('own'))).toHaveLength(1);
    const { code, stderr } = await ldlm(args('--grid', 'auto'));
    expect(code).toBe(2);
    expect(stderr).toMatch(/'--grid <name...>' argument 'auto' is invalid. Allowed choices are learned, uniform/);
  });

  it('refuses a sampler that one of the models cannot take before any point', async () => {
    const { code, stderr } = await ldlm(['frontier', models[0]!, staggered, '--out', world.path('refused'), '--sampler', 'heun']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/sampler must be ddpm or ddim for .*staggered, whose model\.stagger is 1, got heun/);
    expect(await pointFiles(world.path('refused'))).toEqual([]);
  });

  it('refuses models of two lengths, whose entropies do not compare', async () => {
    const longer = world.path('longer');
    await cp(models[1]!, longer, { recursive: true });
    const file = join(longer, 'checkpoints', 'step-2', 'config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as LdlmConfig;
    config.model.maxLength *= 2;
    await writeFile(file, JSON.stringify(config));
    const { code, stderr } = await ldlm(['frontier', models[0]!, longer, '--out', world.path('refused')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/the models of a frontier must have one length and tokenizer, .* got lengths 48 and 96 in .*longer. Make a frontier of each/);
  });

  it('computes only what is missing', async () => {
    await ldlmOutput(args('--eta', '1'));
    const before = new Map(await Promise.all((await pointFiles()).map(async (file) => [file, (await stat(file)).mtimeMs] as const)));
    await ldlmOutput(args('--eta', '1', '0.5', '--sampler', 'ddpm'));
    const after = await pointFiles();
    expect(after).toHaveLength(before.size + 4); // two models, two numbers of steps, eta 0.5
    for (const [file, time] of before) expect((await stat(file)).mtimeMs).toBe(time);
  });

  it('asks again where a scorer found no memory', async () => {
    const once = ['frontier', models[0]!, '--out', world.path('memory'), '--steps', '2', '--eta', '1', '--count', '2'];
    await ldlmOutput(once);
    const [file] = await pointFiles(world.path('memory'));
    const kept = JSON.parse(await readFile(file!, 'utf8')) as { results: object[] };
    await writeFile(file!, JSON.stringify({ ...kept, results: [{ ...kept.results[0], refused: 'no memory', refusedBy: 'ERR_LDLM_OUT_OF_MEMORY' }, ...kept.results.slice(1)] }));
    await ldlmOutput(once);
    expect(await readFile(file!, 'utf8')).not.toContain('no memory');
  });

  it('stopped by Ctrl-C keeps what is done, and goes on from there', async () => {
    const folder = world.path('stopped');
    const long = ['frontier', models[0]!, '--out', folder, '--count', '4', '--eta', '1', '--steps', '1', '20000'];
    const { child, ended } = startNode([ldlmProgram, ...long]);
    await until(async () => (await pointFiles(folder)).length === 1, 'the first point was written');
    child.kill('SIGINT');
    expect((await ended).code).toBe(130);
    const [kept] = await pointFiles(folder);
    const { mtimeMs } = await stat(kept!);
    await ldlmOutput(long.with(-1, '2'));
    expect((await stat(kept!)).mtimeMs).toBe(mtimeMs);
    expect(await pointFiles(folder)).toHaveLength(2);
  });

  it('knows that some samplers have no eta', async () => {
    const { points } = JSON.parse(await ldlmOutput(['frontier', models[0]!, '--out', world.path('heun'), '--sampler', 'heun', '--steps', '3', '--count', '2', '--json'])) as { points: FrontierPoint[] };
    expect(points).toMatchObject([{ sampler: 'heun', eta: null, steps: 3 }]);
  });

  it('refuses what it cannot compare', async () => {
    expect((await ldlm(args('--published', 'owt'))).stderr).toMatch(/--published must have --scorer/);
    expect((await ldlm(args('--sampler', 'sde', '--eta', '1'))).stderr).toMatch(/eta must be left out for sde/);
    expect((await ldlm(args('--temperature', '0'))).stderr).toMatch(/temperature must be a number > 0, got 0/);
    expect((await ldlm(args('--eta', '2'))).stderr).toMatch(/eta must be 0 to 1, got 2/);
    expect((await ldlm(args('--perplexity', 'genppl/cosmos-v1', '--scorer', world.lm))).stderr).toMatch(/genppl\/cosmos-v1 must have at least 20 samples, got --count 8/);
    expect((await ldlm(['frontier', world.path('nowhere'), '--out', out()])).stderr).toMatch(/must be a run folder/);
  });
});
