// The protocols against values that other programs worked out (test/golden/make_eval_fixture.py), and what they refuse.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { callNative } from '../../src/api/call_native.js';
import { loadNative } from '../../src/api/native.js';
import { packageRoot } from '../../src/api/package_root.js';
import { scoreDiversity } from '../../src/eval/diversity.js';
import { scoreGenPplCosmos } from '../../src/eval/gen_ppl_cosmos.js';
import { scoreGenPplMdlm } from '../../src/eval/gen_ppl_mdlm.js';
import { scoreGenPplSedd } from '../../src/eval/gen_ppl_sedd.js';
import { scoreGpt2Entropy } from '../../src/eval/gpt2_entropy.js';
import { areaOf, type Cluster, scoreMauve } from '../../src/eval/mauve.js';
import { scoreMemorisation } from '../../src/eval/memorisation.js';
import { checkRequest, protocolNames } from '../../src/eval/protocols.js';
import { scoreReconstruction } from '../../src/eval/reconstruction.js';
import { notesOn, notesOnLengths } from '../../src/eval/sample_notes.js';

interface MauveCase {
  samples: number[][]; references: number[][]; mean: number; deviation: number; histograms: [number[], number[]]; area: number;
}
interface Golden {
  table: number[][]; endId: number; length: number; positions: number; samples: number[][]; training: number[][];
  mdlm: { perplexity: number; scoredTokens: number }; sedd: number; cosmos: number; entropy: number; distinct: number[]; fourgramShare: number;
  mauve: MauveCase[];
}
const golden = JSON.parse(readFileSync(join(packageRoot(), 'test', 'golden', 'eval.json'), 'utf8')) as Golden;
const { samples, endId, length, positions } = golden;

/** The bigram scorer of the golden file. */
const logLikelihoods = async (rows: readonly (readonly number[])[]): Promise<number[][]> =>
  rows.map((row) => row.map((id, i) => (i === 0 ? 0 : golden.table[row[i - 1]!]![id]!)));

describe('the perplexity protocols', () => {
  it('equal an independent computation', async () => {
    const mdlm = await scoreGenPplMdlm(samples, { length, positions, endId, logLikelihoods });
    expect(mdlm.perplexity).toBeCloseTo(golden.mdlm.perplexity, 8);
    expect(mdlm).toMatchObject({ scoredTokens: golden.mdlm.scoredTokens, window: positions, samples: samples.length });
    expect((await scoreGenPplSedd(samples, logLikelihoods)).perplexity).toBeCloseTo(golden.sedd, 8);
    expect((await scoreGenPplCosmos(samples, { beginId: endId, positions, logLikelihoods })).perplexity).toBeCloseTo(golden.cosmos, 8);
  });

  it('are the size of the vocabulary for a scorer that knows nothing', async () => {
    const uniform = async (rows: readonly (readonly number[])[]): Promise<number[][]> => rows.map((row) => row.map(() => -Math.log(50)));
    expect((await scoreGenPplMdlm(samples, { length, positions, endId, logLikelihoods: uniform })).perplexity).toBeCloseTo(50, 10);
    expect((await scoreGenPplSedd(samples, uniform)).perplexity).toBeCloseTo(50, 10);
    expect((await scoreGenPplCosmos(samples, { beginId: 0, positions, logLikelihoods: uniform })).perplexity).toBeCloseTo(50, 10);
  });

  it('say how many samples had nothing to score, and refuse when that is all of them', async () => {
    const options = { length, positions, endId, logLikelihoods };
    expect(await scoreGenPplMdlm([[1, 2], [3], []], options)).toMatchObject({ samples: 3, scoredTokens: 1, unscored: 2 });
    expect(await scoreGenPplSedd([[1, 2], [3], []], logLikelihoods)).toMatchObject({ unscored: 2 });
    await expect(scoreGenPplMdlm([[], [4]], options)).rejects.toThrow(/genppl\/mdlm-v1 must have a token to score, got samples that are all empty/);
    await expect(scoreGenPplSedd([[]], logLikelihoods)).rejects.toThrow(/must have a token to score/);
    await expect(scoreGenPplMdlm([], options)).rejects.toThrow(/at least one sample, got none/);
  });

  it('leave out what stands behind the first end token, and count that one', async () => {
    const once = await scoreGenPplMdlm([[1, 2, endId]], { length, positions, endId, logLikelihoods });
    expect(await scoreGenPplMdlm([[1, 2, endId, 5, 6, endId]], { length, positions, endId, logLikelihoods })).toEqual(once);
    expect(once.scoredTokens).toBe(2);
  });

  it('cosmos refuses fewer texts than are needed to trim one', async () => {
    const texts = Array.from({ length: 20 }, (_, i) => (i === 0 ? [] : [1, 2]));
    await expect(scoreGenPplCosmos(texts, { beginId: 0, positions, logLikelihoods })).rejects.toThrow(/at least 20 texts that are not empty, or nothing is trimmed; got 19/);
  });
});

describe('the other protocols', () => {
  it('equal an independent computation', () => {
    expect(scoreGpt2Entropy(samples, 9)).toMatchObject({ protocol: 'entropy/gpt2-tokens-nats', vocabulary: 9 });
    expect(scoreGpt2Entropy(samples, 9).entropy).toBeCloseTo(golden.entropy, 12);
    const { distinct2, distinct3, distinct4 } = scoreDiversity(samples);
    [distinct2, distinct3, distinct4].forEach((value, i) => expect(value).toBeCloseTo(golden.distinct[i]!, 12));
    expect(scoreMemorisation(samples, golden.training).fourgramShare).toBeCloseTo(golden.fourgramShare, 12);
  });

  it('reconstruction averages the accuracy of texts with and without noise', () => {
    expect(scoreReconstruction([1, 0.5], [0.5, 0.25], 3)).toEqual({ protocol: 'reconstruction/v1', samples: 2, clean: 0.75, noisy: 0.375, noise: 3 });
    expect(() => scoreReconstruction([], [], 3)).toThrow(/one text or more/);
  });
});

describe('mauve/v1', () => {
  const rows = (list: number[][]): Float32Array[] => list.map((row) => Float32Array.from(row));
  const cluster: Cluster = (options) => callNative(() => loadNative().clusterFeatures(options));

  it('has the area of the reference implementation for the same histograms', () => {
    for (const { histograms: [p, q], area } of golden.mauve) expect(areaOf(p, q)).toBeCloseTo(area, 10);
  });

  it('is 1 for equal histograms and nearly 0 for disjoint ones', () => {
    expect(areaOf([0.5, 0.5], [0.5, 0.5])).toBeCloseTo(1, 10);
    expect(areaOf([1, 0], [0, 1])).toBeLessThan(0.05);
  });

  it('equals the reference implementation within the noise of its seeds', async () => {
    for (const { samples: p, references: q, mean, deviation } of golden.mauve) {
      const score = await scoreMauve(rows(p), rows(q), { maxTokens: 128, cluster });
      expect(score).toMatchObject({ samples: 200, clusters: 20, scale: 5, maxTokens: 128 });
      // The mean of 5 seeds against the mean of 20: three deviations of their difference.
      expect(Math.abs(score.mauve - mean)).toBeLessThan(3 * deviation * Math.sqrt(1 / 5 + 1 / 20));
      expect(score.deviation).toBeLessThan(3 * deviation);
    }
  });

  it('is 1 for texts compared with themselves, also when all of them are equal', async () => {
    const same = Array.from({ length: 100 }, () => Float32Array.of(1, 2, 3));
    expect(await scoreMauve(same, same, { maxTokens: 1, cluster })).toMatchObject({ mauve: expect.closeTo(1, 6), deviation: expect.closeTo(0, 6) });
  });

  it('refuses few samples and another number of references', async () => {
    const few = Array.from({ length: 99 }, () => Float32Array.of(1));
    await expect(scoreMauve(few, few, { maxTokens: 1, cluster })).rejects.toThrow(/at least 100 samples, got 99/);
    const enough = [...few, Float32Array.of(1)];
    await expect(scoreMauve(enough, few, { maxTokens: 1, cluster })).rejects.toThrow(/as many references as samples, 100, got 99/);
  });
});

describe('a request', () => {
  const request = { protocols: ['entropy/model-tokens-nats'], count: 256, scorer: false, references: null };

  it('is refused for an unknown protocol, without a scorer, without references and with too few samples', () => {
    expect(() => checkRequest(request)).not.toThrow();
    expect(() => checkRequest({ ...request, protocols: ['genppl/v2'] })).toThrow(/protocol must be one of genppl\/mdlm-v1, .*, got 'genppl\/v2'/);
    expect(() => checkRequest({ ...request, protocols: [] })).toThrow(/at least one of/);
    expect(() => checkRequest({ ...request, protocols: ['genppl/mdlm-v1'] })).toThrow(/genppl\/mdlm-v1 must have a scorer, got none. Give --scorer DIR/);
    expect(() => checkRequest({ ...request, protocols: ['mauve/v1'], scorer: true })).toThrow(/mauve\/v1 must have reference texts, got none. Give --reference FILE/);
    expect(() => checkRequest({ ...request, protocols: ['mauve/v1'], scorer: true, references: 200 })).toThrow(/as many references as samples, 256, got 200/);
    expect(() => checkRequest({ ...request, protocols: ['mauve/v1'], scorer: true, references: 9, count: 9 })).toThrow(/at least 100 samples, got --count 9/);
    expect(() => checkRequest({ ...request, protocols: ['genppl/cosmos-v1'], scorer: true, count: 19 })).toThrow(/at least 20 samples, got --count 19/);
  });

  it('may name every protocol at once', () => {
    expect(() => checkRequest({ protocols: protocolNames, count: 100, scorer: true, references: 100 })).not.toThrow();
  });
});

describe('notes on samples', () => {
  it('say what is wrong with them, and nothing about healthy ones', () => {
    expect(notesOn([[1, 2], [3, 4]])).toEqual([]);
    expect(notesOn([[1, 2], []])).toEqual(['1 of 2 samples are empty']);
    expect(notesOn([[1, 2], [1, 2]])).toEqual(['all 2 samples are equal']);
    expect(notesOn([[1, 1], [2]])).toEqual(['no sample holds two different tokens: the entropy is 0']);
  });

  it('say when references have another length', () => {
    expect(notesOnLengths([[1, 2, 3]], [[1, 2, 3]])).toEqual([]);
    expect(notesOnLengths([[1]], [[1, 2, 3]])).toEqual([expect.stringContaining('differ in length, 1.0 against 3.0 tokens')]);
  });
});
