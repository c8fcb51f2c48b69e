// `ldlm ablate` in the tiny world: it compares, resumes without doing anything twice, and states what went wrong.

import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AblationRun } from '../../src/study/ablation.js';
import type { AblationRow } from '../../src/study/ablation_summary.js';
import { ldlm, ldlmOutput, latestFolder, makeWorld, readMetrics, SETUP_MS, startNode, ldlmProgram, until, type World } from './fixture.js';

let world: World;
let out: string;
const args = (folder: string, ...flags: string[]): string[] =>
  ['ablate', '--config', world.configFile, '--out', folder, '--steps', '4', '--count', '8', '--evaluations', '2', ...flags];
const runsOf = async (folder: string): Promise<AblationRun[]> =>
  (JSON.parse(await readFile(join(folder, 'ablation.json'), 'utf8')) as { runs: AblationRun[] }).runs;

beforeAll(async () => {
  world = await makeWorld();
  out = world.path('ablation');
}, SETUP_MS);
afterAll(() => world[Symbol.asyncDispose]());

describe('ldlm ablate', () => {
  it('trains every variant with every seed, judges them alike, and writes a table, JSON and a picture', async () => {
    const { code, stdout, stderr } = await ldlm(args(out, '--seeds', '2', '--only', 'full', 'naive', 'uniform-grid'));
    expect(stderr).toMatch(/protocols: .*grammar\/v1.*; held-out texts: new stories/);
    expect(stderr).toMatch(/recipe\.encoderWarmup\.steps is 10 of 4 steps/);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^variant .*valid % .*entropy .*duplicates % .*memorised % .*rebuilt % .*rank\(z0\)/);
    for (const name of ['full', 'naive', 'uniform-grid']) expect(stdout).toMatch(new RegExp(`^${name} +[\\d.]+ ±[\\d.]+`, 'm'));
    expect(stdout).not.toMatch(/NaN|undefined/);
    const runs = await runsOf(out);
    // Seeds are the outer loop: a whole comparison is there after half of the time.
    expect(runs.map(({ variant, seed }) => `${variant} ${seed}`)).toEqual(['full 0', 'naive 0', 'uniform-grid 0', 'full 1', 'naive 1', 'uniform-grid 1']);
    for (const { evaluation } of runs) {
      for (const result of evaluation!.results) expect(result).toMatchObject({ count: 8, steps: 2, seed: 7, model: { step: 4 }, machine: { device: 'cpu' } });
    }
    const grid = (name: string): unknown => runs.find(({ variant }) => variant === name)!.evaluation!.results[0]!.grid;
    expect([grid('full'), grid('uniform-grid')]).toEqual(['learned', 'uniform']);
    expect(runs[2]!.folder).toBe(runs[0]!.folder); // sampled otherwise, trained once
    expect(await readFile(join(out, 'ablation.svg'), 'utf8')).toMatch(/^<svg .*>[^]*naive[^]*<\/svg>\n$/);
  });

  it('run again does nothing twice, and adds what is new', async () => {
    const evaluation = join(out, 'full', 'seed-0', 'eval.json');
    const checkpoint = await latestFolder(join(out, 'full', 'seed-0'));
    const times = async (): Promise<number[]> => [(await stat(evaluation)).mtimeMs, (await stat(join(checkpoint, 'ema.safetensors'))).mtimeMs];
    const before = await times();
    const rows = JSON.parse(await ldlmOutput(args(out, '--seeds', '1', '--only', 'full', 'less-noise', '--json'))) as AblationRow[];
    expect(rows.map(({ variant, seeds }) => [variant, seeds])).toEqual([['full', [0]], ['less-noise', [0]]]);
    expect(await times()).toEqual(before);
    expect((await readMetrics(join(out, 'less-noise', 'seed-0'))).at(-1)!.step).toBe(4);
  });

  it('judges again, without training again, when the samples are to be others', async () => {
    const checkpoint = await latestFolder(join(out, 'full', 'seed-0'));
    const { mtimeMs } = await stat(join(checkpoint, 'ema.safetensors'));
    await ldlmOutput([...args(out, '--seeds', '1', '--only', 'full'), '--count', '4']);
    expect((await runsOf(out))[0]!.evaluation!.results[0]!.count).toBe(4);
    expect((await stat(join(checkpoint, 'ema.safetensors'))).mtimeMs).toBe(mtimeMs);
  });

  it('stopped by Ctrl-C, saves, and the same command continues at the run that was interrupted', async () => {
    const folder = world.path('interrupted');
    const long = args(folder, '--seeds', '1', '--only', 'full', 'naive', '--steps', '60', '--set', 'train.logEvery=1');
    const { child, ended } = startNode([ldlmProgram, ...long]);
    await until(() => readMetrics(join(folder, 'full', 'seed-0')).then((lines) => lines.length > 3, () => false), 'a few steps were done');
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toContain('continue with the same command');
    const [stopped] = (await readMetrics(join(folder, 'full', 'seed-0'))).slice(-1);
    expect(stopped).toMatchObject({ saved: true });
    await ldlmOutput(long);
    const lines = await readMetrics(join(folder, 'full', 'seed-0'));
    expect(lines.map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(lines.find(({ step }) => step === stopped!.step)).toEqual(stopped); // not done again
    expect(await runsOf(folder)).toHaveLength(2);
  }, 300_000);

  it('refuses a folder with the ablation of another configuration, and a variant that changes nothing', async () => {
    const other = await ldlm(args(out, '--seeds', '1', '--only', 'full', '--set', 'train.lr=1e-4'));
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(/--out must be a new folder or hold the ablation of this configuration/);
    const idle = await ldlm(args(world.path('idle'), '--only', 'full', 'no-decoder-noise', '--set', 'recipe.decoderNoise=0'));
    expect(idle.stderr).toMatch(/variant no-decoder-noise must differ from full, got the same: recipe\.decoderNoise is so already/);
    expect((await ldlm(args(out, '--only', 'nonsense'))).code).toBe(2);
  });

  it('refuses a finished run of other data, or another encoder, than the others will be of', async () => {
    const folder = world.path('other-data');
    const flags = ['--seeds', '1', '--only', 'full'];
    await ldlmOutput(args(folder, ...flags));
    const state = join(folder, 'full', 'seed-0', 'checkpoints', (await readFile(join(folder, 'full', 'seed-0', 'checkpoints', 'latest'), 'utf8')).trim(), 'state.json');
    const trained = await readFile(state, 'utf8');
    const refusal = async (written: string): Promise<string> => {
      await writeFile(state, written);
      const { code, stderr } = await ldlm(args(folder, ...flags));
      expect(code).toBe(1);
      return stderr;
    };
    expect(await refusal(trained.replace(/"dataSha256": "[^"]+"/, '"dataSha256": "0"'))).toMatch(/error: the data must be those of the checkpoint to resume, got other rows/);
    const others = /error: the encoder must be that of the finished run .*seed-0, got other weights in .*lm\. Put that encoder back there, or choose another --out/;
    expect(await refusal(trained.replace(/"sha256": "[^"]+"/, '"sha256": "0"'))).toMatch(others);
    expect(await refusal(trained.replace(/,\s*"sha256": "[^"]+"/, '').replace(/"hiddenWidth": \d+/, '"hiddenWidth": 99'))).toMatch(others);
    await writeFile(state, trained);
    await ldlmOutput(args(folder, ...flags));
  });

  it('states a run that diverged, and goes on with the others', async () => {
    const folder = world.path('diverging');
    const flags = ['--seeds', '1', '--only', 'full', 'naive', '--set', 'train.lr=1e30', '--set', 'train.clip=1e30'];
    const { code, stdout } = await ldlm(args(folder, ...flags));
    expect(code).toBe(0);
    expect(stdout).toMatch(/full, seed 0: training failed: .* must be finite/);
    expect(stdout).toMatch(/naive, seed 0: training failed/);
    expect(await runsOf(folder)).toMatchObject([{ variant: 'full', evaluation: null }, { variant: 'naive', evaluation: null }]);
  });

  it('states what a protocol refuses, and makes an evaluation again whose file is broken', async () => {
    const file = join(out, 'naive', 'seed-0', 'eval.json');
    await writeFile(file, '{"question":');
    const { code, stdout } = await ldlm(args(out, '--seeds', '1', '--only', 'naive', '--count', '1'));
    expect(code).toBe(0);
    expect(stdout).toContain('one seed: nothing is known of the spread');
    expect(stdout).not.toMatch(/distinct-4|NaN/); // a single sample has no diversity
    JSON.parse(await readFile(file, 'utf8'));
    await rm(file);
  });
});
