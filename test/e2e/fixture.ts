// A tiny world for the end-to-end tests, made through the public API in about a second: stories, a word-level tokenizer, padded rows,
// a causal LM of two narrow layers, the configuration of an LDLM on it and, where asked for, a finished run. And the compiled command
// line, as child processes.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/api/package_root.js';
import {
  generateStories,
  lmDefaults,
  type LdlmConfig,
  openShards,
  prepare,
  presets,
  pretrainLm,
  Tokenizer,
  trainWordLevel,
} from '../../src/index.js';

const STORIES = 200;
export const LENGTH = 48;
/** Limit of a hook that makes a world and trains on it: seconds, but a busy machine may take long. */
export const SETUP_MS = 120_000;

/** One logged line of metrics.jsonl, as far as the tests read it. */
export interface LoggedStep {
  step: number;
  loss: { diffusion: number; hidden: number; token: number; total: number };
  saved: boolean;
}

export interface World extends AsyncDisposable {
  folder: string;
  stories: string[];
  /** Prepared rows of LENGTH tokens. */
  data: string;
  lm: string;
  tokenizer: Tokenizer;
  /** A new copy of the configuration, of 40 steps. */
  config(): LdlmConfig;
  /** The same as a file, for `--config`. */
  configFile: string;
  path(...names: string[]): string;
  /** The arguments of `ldlm` that train into `out`. */
  train(out: string, ...more: string[]): string[];
}

export interface TrainedWorld extends World {
  /** The folder of a finished run. */
  run: string;
  copyOfRun(name: string): Promise<string>;
}

/** Makes the world in a temporary folder; disposing of it deletes the folder. */
export async function makeWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'ldlm-e2e-'));
  const path = (...names: string[]): string => join(folder, ...names);
  const stories = [...generateStories({ count: STORIES, seed: 1 })];
  await writeFile(path('stories.txt'), stories.join('\n') + '\n');
  await writeFile(path('tokenizer.json'), JSON.stringify(await trainWordLevel(stories, { maxVocabulary: 300 })));
  const tokenizer = await Tokenizer.load(path('tokenizer.json'));
  await prepare({ inputs: [path('stories.txt')], tokenizer, length: LENGTH, packing: 'pad', out: path('data') });
  await pretrain(path('data'), tokenizer, path('lm'));
  const config = (): LdlmConfig => smallConfig(path('lm'), path('data'));
  await writeFile(path('config.json'), JSON.stringify(config()));
  return {
    folder,
    stories,
    data: path('data'),
    lm: path('lm'),
    tokenizer,
    config,
    configFile: path('config.json'),
    path,
    train: (out, ...more) => ['train', '--config', path('config.json'), '--out', out, ...more],
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A world with a run of `steps` steps; default: the 40 of its configuration. */
export async function makeTrainedWorld(steps?: number): Promise<TrainedWorld> {
  const world = await makeWorld();
  const run = world.path('run');
  await ldlmOutput(world.train(run, ...(steps === undefined ? [] : set(`train.steps=${steps}`))));
  const copyOfRun = async (name: string): Promise<string> => {
    await cp(run, world.path(name), { recursive: true });
    return world.path(name);
  };
  return { ...world, run, copyOfRun };
}

/** The flags `--set` of assignments such as 'train.steps=3'. */
export function set(...assignments: string[]): string[] {
  return assignments.flatMap((assignment) => ['--set', assignment]);
}

async function pretrain(data: string, tokenizer: Tokenizer, out: string): Promise<void> {
  await using shards = await openShards(data);
  const config = { ...lmDefaults(), layers: 2, width: 16, heads: 2, steps: 10, batch: 8, identityLayer: -2 };
  for await (const { loss } of pretrainLm(config, { data: shards, tokenizer, out })) {
    if (!Number.isFinite(loss)) throw new Error(`the loss of the LM must be finite, got ${loss}`);
  }
}

function smallConfig(lm: string, data: string): LdlmConfig {
  const config = presets.tiny();
  config.encoder = { source: lm, layer: -2 };
  config.model = {
    maxLength: LENGTH,
    latents: 16,
    latentWidth: 16,
    latentEncoder: { layers: 1, heads: 2 },
    latentDecoder: { layers: 1, heads: 2 },
    tokenDecoder: { layers: 1, heads: 2 },
    dit: { layers: 1, width: 16, heads: 2 },
    freeScale: false,
    stagger: 0,
  };
  config.recipe.encoderWarmup = { steps: 10, k: 10, c: 0.8, min: 0.001, max: 0.1 };
  config.recipe.decoderNoise = 1;
  config.recipe.adaptiveTimesteps = { bins: 10, decay: 0.9, every: 4, floor: 0.05 };
  Object.assign(config.train, { steps: 40, batch: 4, accumulate: 2, lr: 3e-3, warmupSteps: 4, muon: null, cooldown: 0, ema: 0.9, logEvery: 5, saveEvery: 20, device: 'cpu' });
  config.data.path = data;
  return config;
}

export interface Ended {
  /** Exit code; null if a signal ended the process. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  ended: Promise<Ended>;
}

/** Starts `node ARGS`, gathering its output. */
export function startNode(args: readonly string[], input = ''): Running {
  return start(process.execPath, args, input);
}

/** Starts any program, gathering its output. */
export function start(program: string, args: readonly string[], input = ''): Running {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => {}); // a child that was killed no longer reads
  child.stdin.end(input);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

export const ldlmProgram = join(packageRoot(), 'dist', 'cli', 'main.js');

/** Runs `ldlm ARGS` to its end. */
export function ldlm(args: readonly string[], input = ''): Promise<Ended> {
  return startNode([ldlmProgram, ...args], input).ended;
}

/** Runs `ldlm ARGS`, which must succeed, and returns its stdout. */
export async function ldlmOutput(args: readonly string[], input = ''): Promise<string> {
  const { code, signal, stdout, stderr } = await ldlm(args, input);
  if (code !== 0) throw new Error(`ldlm ${args.join(' ')} ended with ${code ?? signal}:\n${stderr}`);
  return stdout;
}

export function parseLines<T>(text: string): T[] {
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}

export async function readMetrics(run: string): Promise<LoggedStep[]> {
  return parseLines<LoggedStep>(await readFile(join(run, 'metrics.jsonl'), 'utf8'));
}

/** The folder that RUN/checkpoints/latest names. */
export async function latestFolder(run: string): Promise<string> {
  return join(run, 'checkpoints', (await readFile(join(run, 'checkpoints', 'latest'), 'utf8')).trim());
}

/** sha256 of every file of a checkpoint that training decides. */
export async function checkpointHashes(folder: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const name of ['model.safetensors', 'ema.safetensors', 'optimizer.safetensors', 'state.json']) {
    hashes[name] = createHash('sha256').update(await readFile(join(folder, name))).digest('hex');
  }
  return hashes;
}

/** Waits until `holds` does, looking every few milliseconds. */
export async function until(holds: () => Promise<boolean> | boolean, what: string, limitMs = 30_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
