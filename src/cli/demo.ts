// `ldlm demo`: the main job from nothing to samples, on embedded defaults: stories, a language model on them, an LDLM on its hidden
// states, samples, scores. On a CPU in minutes. Every part is the same code that the other commands run.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { LdlmError } from '../api/errors.js';
import { LDLM } from '../api/ldlm.js';
import { lmDefaults } from '../api/lm_pretrainer.js';
import { loadNative } from '../api/native.js';
import { latestCheckpoint } from '../api/run_folder.js';
import { JointTrainer } from '../api/trainer.js';
import { presets } from '../config/presets.js';
import type { LdlmConfig } from '../config/types.js';
import { writeFileAtomic } from '../data/atomic.js';
import { namesIn } from '../data/names_in.js';
import { prepare } from '../data/prepare.js';
import { openShards } from '../data/shards.js';
import { generateStories } from '../data/stories/generate.js';
import { Tokenizer } from '../data/tokenizer.js';
import { trainWordLevel } from '../data/tokenizer_training.js';
import { scoreEntropy } from '../eval/entropy.js';
import { scoreGrammar } from '../eval/grammar.js';
import { scoreMemorisation } from '../eval/memorisation.js';
import { interruptible } from './interrupt.js';
import { threadsOption } from './option_types.js';
import { createProgress } from './progress.js';
import { describeLm, pretrainWithProgress } from './pretrain.js';
import { trainWithProgress } from './train.js';

const STORIES = 20_000;
const HELD_OUT = 500;
const SAMPLES = 256;
const SAMPLING_STEPS = 128;
const SEEDS = { training: 1, heldOut: 2, sampling: 7 };

/** DIR/summary.json */
export interface DemoSummary {
  /** Share of the sampled sentences that the grammar derives, and of the stories that are coherent (grammar/v1). */
  sentenceValidity: number;
  storyCoherence: number;
  /** entropy/model-tokens-nats; `pooled` over all texts together. */
  entropy: { samples: number; data: number; pooledSamples: number; pooledData: number };
  /** Share of the samples that are a training story word for word. */
  memorised: number;
  /** Token accuracy text -> latents -> text on held-out stories. */
  reconstruction: number;
  /** Evaluations of the denoiser per sample. */
  steps: number;
  seconds: { setup: number; corpus: number; pretrain: number; train: number; sample: number; total: number };
}

const examples = `
Stopped while the LDLM is trained, the same --out continues from its last checkpoint; stopped earlier, it begins anew.

Examples:
  ldlm demo
  ldlm demo --out runs/first`;

/** The command `ldlm demo`. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('stories -> language model -> LDLM -> samples, on a CPU in minutes')
    .option('--out <dir>', 'folder for everything', join('runs', 'demo'))
    .addOption(threadsOption())
    .addHelpText('after', examples)
    .action(({ out }: { out: string }) => interruptible('Finishing the step and saving.', (signal) => demo(out, signal)));
}

async function demo(out: string, signal: AbortSignal): Promise<void> {
  const clock = stopwatch();
  const folders = { stories: join(out, 'stories.txt'), data: join(out, 'data'), lm: join(out, 'lm'), run: join(out, 'run') };
  loadNative();
  const setup = clock.lap() + Number(process.env.LDLM_SETUP_SECONDS ?? 0);

  const resumed = (await latestCheckpoint(folders.run)) !== null; // then the corpus and the language model are there already
  say(`1/4  ${STORIES} stories -> ${folders.stories}`);
  if (!resumed) await claim(out);
  const stories = writeStories();
  if (!resumed) await writeFileAtomic(folders.stories, stories.join('\n') + '\n');
  const tokenizer = resumed ? await Tokenizer.load(folders.data) : await makeTokenizer(stories, join(out, 'tokenizer.json'));
  const { maxLength: length } = tiny().model;
  if (!resumed) await prepare({ inputs: [folders.stories], tokenizer, length, packing: 'pad', out: folders.data, replace: true, signal });
  await using data = await openShards(folders.data);
  const corpus = clock.lap();

  say(`2/4  a language model on them -> ${folders.lm}${resumed ? ' (there already)' : ''}`);
  if (!resumed) say(`     ${describeLm(await pretrainWithProgress(demoLm(), { data, tokenizer, out: folders.lm, replace: true, signal }))}`);
  const pretrain = clock.lap();

  say(`3/4  an LDLM on its hidden states -> ${folders.run}`);
  const config = tiny();
  config.encoder.source = folders.lm;
  config.data.path = folders.data;
  {
    await using trainer = await JointTrainer.create(config, { out: folders.run });
    await trainWithProgress(trainer, data, signal);
    if (trainer.step < config.train.steps) return say(`stopped at step ${trainer.step}; continue with the same command`);
  }
  const train = clock.lap();

  say(`4/4  ${SAMPLES} samples, ${SAMPLING_STEPS} evaluations each`);
  await using model = await LDLM.load(folders.run);
  const scores = await judge(model, stories, signal);
  const sample = clock.lap();

  const { samples, ...figures } = scores;
  const total = Number(process.env.LDLM_SETUP_SECONDS ?? 0) + clock.total();
  const summary: DemoSummary = { ...figures, steps: SAMPLING_STEPS, seconds: roundAll({ setup, corpus, pretrain, train, sample, total }) };
  await writeFileAtomic(join(out, 'samples.txt'), samples.join('\n') + '\n');
  await writeFileAtomic(join(out, 'summary.json'), JSON.stringify(summary, null, 2) + '\n');
  process.stdout.write(report(summary, samples, out));
}

/** Says whose a folder is: a demo that was stopped before there was a checkpoint begins anew, over what it left, and over nothing else. */
async function claim(out: string): Promise<void> {
  const marker = '.ldlm-demo';
  const names = await namesIn(out);
  if (names.includes(marker)) return;
  if (names.length > 0) throw new LdlmError('ERR_LDLM_IO', `--out must be a new or empty folder, or that of a demo, got ${out} with other files in it (${names[0]}). Choose another`);
  await mkdir(out, { recursive: true });
  await writeFileAtomic(join(out, marker), 'This folder belongs to `ldlm demo`, which writes over what is in it.\n');
}

function tiny(): LdlmConfig {
  return presets.tiny();
}

/** The demo's language model: enough for the corpus, and no more minutes than it needs. */
function demoLm(): ReturnType<typeof lmDefaults> {
  return { ...lmDefaults(), steps: 600, batch: 32 };
}

function writeStories(): string[] {
  const progress = createProgress({ total: STORIES, unit: 'stories', label: 'writing' });
  const stories: string[] = [];
  for (const story of generateStories({ count: STORIES, seed: SEEDS.training })) {
    stories.push(story);
    if (stories.length % 500 === 0) progress.update(stories.length);
  }
  progress.stop();
  return stories;
}

async function makeTokenizer(stories: readonly string[], file: string): Promise<Tokenizer> {
  await writeFileAtomic(file, JSON.stringify(await trainWordLevel(stories, { maxVocabulary: 1000 })));
  return Tokenizer.load(file);
}

async function judge(model: LDLM, stories: readonly string[], signal: AbortSignal): Promise<Omit<DemoSummary, 'steps' | 'seconds'> & { samples: string[] }> {
  const progress = createProgress({ total: SAMPLES, unit: 'texts', label: 'sampling' });
  const onProgress = (done: number): void => progress.update(done);
  const { samples, texts } = await model
    .sample({ count: SAMPLES, steps: SAMPLING_STEPS, seed: SEEDS.sampling, signal, onProgress })
    .finally(() => progress.stop());
  const heldOut = [...generateStories({ count: HELD_OUT, seed: SEEDS.heldOut })];
  const rebuilt = await model.reconstruct(heldOut.slice(0, 200));
  const { sentenceValidity, storyCoherence } = scoreGrammar(texts);
  const ofSamples = scoreEntropy(samples.map((sample) => sample.ids));
  const ofData = scoreEntropy(await model.tokenizer.encodeBatch(heldOut));
  const { verbatimShare } = scoreMemorisation(texts.map((text) => text.split(' ')), splitAll(stories));
  return {
    sentenceValidity,
    storyCoherence,
    entropy: { samples: ofSamples.entropy, data: ofData.entropy, pooledSamples: ofSamples.pooled, pooledData: ofData.pooled },
    memorised: verbatimShare,
    reconstruction: rebuilt.reduce((sum, { accuracy }) => sum + accuracy, 0) / rebuilt.length,
    samples: texts,
  };
}

function* splitAll(texts: readonly string[]): Generator<string[]> {
  for (const text of texts) yield text.split(' ');
}

function report({ seconds, ...s }: DemoSummary, samples: readonly string[], out: string): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const rows = [
    ['sentences that the grammar derives', percent(s.sentenceValidity)],
    ['stories that are coherent', percent(s.storyCoherence)],
    ['entropy of a sample (data)', `${s.entropy.samples.toFixed(3)} (${s.entropy.data.toFixed(3)}) nats`],
    ['entropy of all samples (data)', `${s.entropy.pooledSamples.toFixed(3)} (${s.entropy.pooledData.toFixed(3)}) nats`],
    ['samples that are training stories', percent(s.memorised)],
    ['tokens reconstructed from latents', percent(s.reconstruction)],
    ['seconds', Object.entries(seconds).map(([name, value]) => `${name} ${value}`).join(', ')],
  ];
  const lines = samples.slice(0, 8).map((text) => `  ${text}`);
  const table = rows.map(([name, value]) => `  ${name!.padEnd(36)} ${value}`);
  const files = ['samples.txt', 'summary.json', 'run/metrics.jsonl', 'run/checkpoints/'].map((name) => join(out, name)).join(', ');
  return ['', ...lines, '', ...table, '', `  written: ${files}`, `  next:    npx ldlm sample --model ${join(out, 'run')} --count 4`, ''].join('\n');
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function stopwatch(): { lap(): number; total(): number } {
  const start = performance.now();
  let last = start;
  const lap = (): number => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
  return { lap, total: () => (performance.now() - start) / 1000 };
}

function roundAll<T extends Record<string, number>>(values: T): T {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Math.round(10 * value) / 10])) as T;
}
