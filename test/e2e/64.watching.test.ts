// Watching a run end to end: what training leaves for TensorBoard, that a collapse is told, and the report of a real run.

import { spawnSync } from 'node:child_process';
import { appendFile, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainMetrics } from '../../src/api/train_metrics.js';
import { readMetrics as metricsOf } from '../../src/api/run_folder.js';
import { packageRoot } from '../../src/api/package_root.js';
import { readRun } from '../../src/report/run_record.js';
import { findChromium, visit } from '../unit/browser.js';
import { ldlm, ldlmOutput, makeWorld, parseLines, SETUP_MS, type World } from './fixture.js';

let world: World;
let run: string;
const train = (out: string, ...more: string[]): string[] => ['train', '--config', world.configFile, '--out', out, ...more];
const eventFiles = async (folder: string): Promise<string[]> => (await readdir(folder)).filter((name) => name.includes('tfevents'));

beforeAll(async () => {
  world = await makeWorld();
  run = world.path('run');
  await ldlmOutput(train(run, '--samples', '3', '--set', 'train.steps=20'));
  await ldlmOutput(train(run, '--samples', '3', '--resume', 'must'));
}, SETUP_MS);
afterAll(() => world[Symbol.asyncDispose]());

describe('a run', () => {
  it('logs the spectrum of the latents and texts of the same seeds at every checkpoint', async () => {
    const saved = (await metricsOf(run)).filter((line) => line.saved);
    expect(saved.map(({ step }) => step)).toEqual([20, 40]);
    for (const { latent: { spectrum, std, effectiveRank }, samples } of saved) {
      expect(samples).toHaveLength(3);
      expect(spectrum).toHaveLength(16);
      expect(spectrum).toEqual([...spectrum!].sort((a, b) => b - a));
      const total = spectrum!.reduce((sum, value) => sum + value, 0);
      expect(Math.sqrt(total / 16) / std).toBeCloseTo(1, 3);
      const entropy = -spectrum!.reduce((sum, value) => sum + (value > 0 ? (value / total) * Math.log(value / total) : 0), 0);
      expect(Math.exp(entropy) / effectiveRank).toBeCloseTo(1, 3);
    }
  });

  it('keeps the timesteps of its checkpoints in the log, for when they are gone; those of an older log are read from the checkpoints', async () => {
    const out = world.path('timesteps');
    await cp(run, out, { recursive: true });
    const seen = await readRun(out);
    expect(seen.timesteps.map(({ step, density }) => [step, density.length])).toEqual([[20, 10], [40, 10]]);
    await rm(join(out, 'checkpoints', 'step-20'), { recursive: true });
    expect((await readRun(out)).timesteps).toEqual(seen.timesteps);
    const older = (await metricsOf(run)).map((line) => JSON.stringify(line.step === 20 ? { ...line, timesteps: undefined } : line) + '\n');
    await writeFile(join(out, 'metrics.jsonl'), older.join(''));
    expect((await readRun(out)).timesteps.map(({ step }) => step)).toEqual([40]);
    await cp(join(run, 'checkpoints', 'step-20'), join(out, 'checkpoints', 'step-20'), { recursive: true });
    expect((await readRun(out)).timesteps.map(({ step }) => step)).toEqual([20, 40]);
  });

  it('leaves one event file a start, which TensorBoard reads as metrics.jsonl says', async ({ skip }) => {
    expect(await eventFiles(run)).toHaveLength(2);
    const python = process.env.PYTHON ?? 'python3';
    if (spawnSync(python, ['-c', 'import tensorboard']).status !== 0) skip(`${python} has no package tensorboard`);
    const read = spawnSync(python, [join(packageRoot(), 'test', 'golden', 'read_tensorboard.py'), run], { encoding: 'utf8' });
    const { scalars, histograms, text } = JSON.parse(read.stdout) as Record<string, Record<string, [number, unknown][]>>;
    const lines = await metricsOf(run);
    const expected = (of: (line: TrainMetrics) => number): [number, unknown][] => lines.map((line) => [line.step, Math.fround(of(line))]);
    expect(scalars!['loss/diffusion']).toEqual(expected(({ loss }) => loss.diffusion));
    expect(scalars!['latent/deviation']).toEqual(expected(({ latent }) => latent.std));
    expect(scalars!['accuracy/clean']!.map(([step]) => step)).toEqual([20, 40]);
    expect(Object.keys(histograms!).sort()).toEqual(['latent/spectrum', 'timesteps/density', 'timesteps/loss_by_u']);
    const density = histograms!['timesteps/density']!.at(-1)![1] as [number, number, number][];
    expect(density.reduce((sum, [, , mass]) => sum + mass, 0)).toBeCloseTo(1, 6);
    expect(text!['samples']!.map(([step]) => step)).toEqual([20, 40]);
  });

  it('writes no event file with --no-tensorboard, and is the same run', async () => {
    const out = world.path('quiet');
    await ldlmOutput(train(out, '--no-tensorboard', '--set', 'train.steps=20'));
    expect(await eventFiles(out)).toEqual([]);
    const losses = async (folder: string): Promise<unknown[]> => (await metricsOf(folder)).slice(0, 4).map(({ loss }) => loss);
    expect(await losses(out)).toEqual(await losses(run));
  });

  it('tells of a divergence once, in the terminal and in the log, also over a resume', async () => {
    const out = world.path('diverging');
    const hot = ['--set', 'train.lr=1', '--set', 'train.logEvery=1', '--set', 'train.warmupSteps=10'];
    const first = await ldlm(train(out, ...hot, '--set', 'train.steps=40'));
    const second = await ldlm(train(out, ...hot, '--set', 'train.steps=60'));
    const told = [...`${first.stderr}${second.stderr}`.matchAll(/^warning: step \d+: (.+?)[\d;]/gm)].map((match) => match[1]);
    const logged = (await metricsOf(out)).flatMap(({ warnings = [] }) => warnings.map(({ kind }) => kind));
    expect(logged.length).toBeGreaterThan(0);
    expect(new Set(logged).size).toBe(logged.length);
    expect(told).toHaveLength(logged.length);
  });
});

describe('ldlm report', () => {
  it('makes a page with curves, trajectory, samples, held-out texts and scores, which a browser shows without an error or a request', async () => {
    await writeFile(world.path('held-out.txt'), world.stories.slice(0, 5).join('\n'));
    const out = await ldlmOutput(['report', run, '--count', '6', '--steps', '7', '--reference', world.path('held-out.txt'), '--scorer', world.lm]);
    expect(out).toBe(`${join(run, 'report.html')}\n`);
    const page = await readFile(join(run, 'report.html'), 'utf8');
    for (const part of ['From noise to text', 'More samples', 'Held-out texts', '<td>memorisation/v1', '<td>grammar/v1', '<td>reconstruction/v1', 'Learned density of timesteps', 'Spectrum of the latents', 'Samples during training']) {
      expect(page).toContain(part);
    }
    expect(page).toMatch(/<td>genppl\/mdlm-v1|Left out: genppl\/mdlm-v1: the scorer's tokenizer must represent the texts/); // a model of 40 steps may write what no text has
    const samples = parseLines<{ text: string }>(await ldlmOutput(['sample', '--model', run, '--count', '4', '--steps', '7', '--format', 'jsonl']));
    const { steps } = JSON.parse(/id="trajectory-data">(.*?)<\/script>/s.exec(page)![1]!) as { steps: { u: number; texts: string[] }[] };
    expect(steps).toHaveLength(7);
    expect(steps.at(-1)!.texts).toEqual(samples.map(({ text }) => text));
    const chromium = findChromium();
    if (!chromium) return console.log('skipped: opening the page, as there is no chromium');
    const { result, console: written, requests } = visit(chromium, page, 'return document.querySelectorAll("figure.plot").length;');
    expect({ result, written, requests }).toEqual({ result: 13, written: [], requests: [] });
  });

  it('takes --count 0 for curves only, and a last line that is still being written', async () => {
    await appendFile(join(run, 'metrics.jsonl'), '{"step":41,"lo');
    const out = world.path('curves.html');
    await ldlmOutput(['report', run, '--count', '0', '--out', out]);
    expect(await readFile(out, 'utf8')).not.toContain('From noise to text');
  });

  it('refuses a folder without a run, and a broken log with its line', async () => {
    expect(await ldlm(['report', world.path('nothing')])).toMatchObject({ code: 1, stderr: expect.stringContaining('RUN must be a run folder with a finished checkpoint') });
    await writeFile(join(run, 'metrics.jsonl'), '{"step":5}\nbroken\n');
    expect(await ldlm(['report', run, '--count', '0'])).toMatchObject({ code: 1, stderr: expect.stringContaining("metrics.jsonl:2 must be a JSON object, got 'broken'") });
  });
});
