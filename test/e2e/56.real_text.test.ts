// The whole chain on real text, by the command line alone: a language model and its tokenizer from the first lines of WikiText-2, packed
// rows, a few steps of joint training, reconstruction of held-out lines, samples. It shows that the chain holds, not what it can learn.
// The text is no part of the repository; without it beside the checkout the tests are skipped.

import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';
import { openShards, presets, type Reconstruction, type Sample, Tokenizer } from '../../src/index.js';
import { ldlm, ldlmOutput, parseLines, readMetrics, SETUP_MS } from './fixture.js';

const texts = resolve(packageRoot(), '..', 'shared', 'data', 'wikitext-2');
const missing = ['valid.txt', 'test.txt'].map((name) => join(texts, name)).filter((file) => !existsSync(file));
if (missing.length > 0) process.stderr.write(`56.real_text: skipped, because there is no ${missing.join(' and no ')}\n`);

const LENGTH = 32;
const VOCABULARY = 512;

let folder: string;
let tokenizer: Tokenizer;
/** What `ldlm pretrain` said. */
let pretrained: string;
/** Held-out lines that fill a row. */
let heldOut: string[];
const path = (name: string): string => join(folder, name);

async function firstLines(name: string, count: number): Promise<string[]> {
  return (await readFile(join(texts, name), 'utf8')).split('\n').slice(0, count);
}

/** The smallest LDLM with every part of the recipe switched on. */
function tinyConfig(): ReturnType<typeof presets.tiny> {
  const config = presets.tiny();
  const blocks = { layers: 1, heads: 2 };
  config.encoder = { source: path('lm'), layer: -2 };
  config.model = {
    maxLength: LENGTH,
    latents: LENGTH,
    latentWidth: 32,
    latentEncoder: blocks,
    latentDecoder: blocks,
    tokenDecoder: blocks,
    dit: { ...blocks, width: 32 },
    freeScale: false,
    stagger: 0,
  };
  config.recipe.adaptiveTimesteps = { bins: 10, decay: 0.9, every: 2, floor: 0.05 };
  config.data = { path: path('data'), packing: 'wrap' };
  const brief = { steps: 5, batch: 32, accumulate: 2, lr: 1e-2, warmupSteps: 0, ema: 0.5, logEvery: 1, saveEvery: 5, device: 'cpu' } as const;
  Object.assign(config.train, brief);
  return config;
}

describe.skipIf(missing.length > 0)('real text', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ldlm-real-text-'));
    await writeFile(path('text.txt'), (await firstLines('valid.txt', 200)).join('\n'));
    const sizes = { layers: 2, width: 32, heads: 2, steps: 20, batch: 16, length: LENGTH, vocabulary: VOCABULARY, 'identity-layer': -2 };
    const flags = Object.entries(sizes).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const { code, stderr } = await ldlm(['pretrain', '--input', path('text.txt'), '--out', path('lm'), ...flags]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    pretrained = stderr;
    const layout = ['--length', String(LENGTH), '--packing', 'wrap', '--out', path('data')];
    await ldlmOutput(['prepare', '--input', path('text.txt'), '--tokenizer', path('lm'), ...layout]);
    await writeFile(path('config.json'), JSON.stringify(tinyConfig()));
    await ldlmOutput(['train', '--config', path('config.json'), '--out', path('run')]);
    tokenizer = await Tokenizer.load(path('lm'));
    heldOut = (await firstLines('test.txt', 200)).filter((line) => line.length > 400).slice(0, 8);
  }, SETUP_MS);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('pretrains a language model that is better than guessing', () => {
    const perplexity = Number(/validation perplexity ([\d.]+)/.exec(pretrained)?.[1]);
    expect(perplexity).toBeGreaterThan(1);
    expect(perplexity).toBeLessThan(VOCABULARY);
  });

  it('trains a byte-level tokenizer that gives held-out lines back to the letter', async () => {
    expect(heldOut).toHaveLength(8);
    for (const line of heldOut) expect(await tokenizer.decode(await tokenizer.encode(line))).toBe(line);
  });

  it('packs full rows whose tokens are the text, document after document', async () => {
    await using data = await openShards(path('data'));
    const { rows, documents, realTokens, tokens, endId, tokenizer: madeBy } = data.manifest;
    const lines = (await readFile(path('text.txt'), 'utf8')).split('\n').filter((line) => line.trim() !== '');
    expect(documents).toBe(lines.length);
    expect(realTokens).toBe(tokens);
    expect(tokens).toBe(rows * LENGTH);
    expect(madeBy.sha256).toBe(tokenizer.sha256);
    const joined = (await tokenizer.encodeBatch(lines)).flatMap((ids) => [...ids, endId]);
    expect(rows).toBe(Math.floor(joined.length / LENGTH));
    const { ids } = await data.read(Uint32Array.of(0, rows - 1));
    expect([...ids.slice(0, LENGTH)]).toEqual(joined.slice(0, LENGTH));
    expect([...ids.slice(LENGTH)]).toEqual(joined.slice((rows - 1) * LENGTH, rows * LENGTH));
  });

  it('trains: every loss is finite, and they fall', async () => {
    const lines = await readMetrics(path('run'));
    expect(lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    for (const { loss } of lines) for (const value of Object.values(loss)) expect(value).toSatisfy(Number.isFinite);
    const [first, last] = [lines[0]!.loss, lines.at(-1)!.loss];
    expect(first.token / Math.log(tokenizer.vocabularySize)).toSatisfy((ratio: number) => ratio > 0.8 && ratio < 1.2); // it guesses
    expect(last.hidden).toBeLessThan(first.hidden);
    expect(last.token).toBeLessThan(first.token);
    expect(last.total).toBeLessThan(first.total);
  });

  it('reconstructs held-out lines better than chance', async () => {
    const output = await ldlmOutput(['reconstruct', '--model', path('run'), '--format', 'jsonl', '--device', 'cpu'], heldOut.join('\n') + '\n');
    const results = parseLines<Reconstruction>(output);
    expect(results.map(({ text }) => text)).toEqual(heldOut);
    for (const { accuracy } of results) expect(accuracy * LENGTH).toSatisfy(Number.isInteger); // a share of one full row
    const mean = results.reduce((sum, { accuracy }) => sum + accuracy, 0) / results.length;
    expect(mean).toBeGreaterThan(5 / VOCABULARY); // 8 % when this was written
    expect(mean).toBeLessThanOrEqual(1);
  });

  it('samples texts of known tokens, the same for the same seed', async () => {
    const flags = ['sample', '--model', path('run'), '--count', '4', '--steps', '4', '--seed', '3', '--format', 'jsonl', '--device', 'cpu'];
    const output = await ldlmOutput(flags);
    const samples = parseLines<Sample>(output);
    expect(samples).toHaveLength(4);
    for (const { ids, text } of samples) {
      expect(ids.length).toBeLessThanOrEqual(LENGTH);
      for (const id of ids) expect(id).toBeLessThan(VOCABULARY);
      expect(await tokenizer.decode(ids)).toBe(text);
    }
    expect(await ldlmOutput(flags)).toBe(output);
  });
});
