// The Pareto front on points worked out by hand, and what is made of the points of a frontier.

import { describe, expect, it } from 'vitest';
import type { EvaluationResult } from '../../src/eval/evaluate.js';
import type { FrontierPoint } from '../../src/study/frontier.js';
import { frontierPicture } from '../../src/study/frontier_picture.js';
import { frontierTable, place, qualityOf } from '../../src/study/frontier_summary.js';
import { paretoFront } from '../../src/study/pareto.js';
import { published } from '../../src/study/published.js';

const front = (points: [number, number][]): [number, number][] => paretoFront(points, ([x]) => x, ([, y]) => y);

describe('paretoFront', () => {
  it.each<[string, [number, number][], [number, number][]]>([
    ['nothing of nothing', [], []],
    ['a point alone', [[1, 1]], [[1, 1]]],
    ['the one that is better in both', [[1, 1], [2, 2]], [[2, 2]]],
    ['both of two that trade', [[1, 2], [2, 1]], [[1, 2], [2, 1]]],
    ['not what ties in one and loses in the other', [[1, 2], [1, 1], [0, 2]], [[1, 2]]],
    ['equal points together', [[1, 1], [1, 1], [0, 0]], [[1, 1], [1, 1]]],
    ['a staircase, without the points below it', [[1, 5], [2, 4], [2, 3], [3, 4], [4, 1], [3, 0]], [[1, 5], [3, 4], [4, 1]]],
  ])('keeps %s', (_, points, expected) => {
    expect(front(points)).toEqual(expected);
  });
});

interface Figures { entropy: number; perplexity?: number; valid?: number; distinct4?: number }

function point(model: string, steps: number, { entropy, perplexity, valid, distinct4 = 0.5 }: Figures, notes: string[] = []): FrontierPoint {
  const result = (protocol: string, figures: object): EvaluationResult => ({ protocol, notes: [], ...figures }) as unknown as EvaluationResult;
  return {
    model, steps, sampler: 'ddpm', eta: 1, temperature: 1, grid: 'learned', secondsPerSample: steps / 1000,
    results: [
      result('entropy/model-tokens-nats', { entropy, pooled: entropy, notes }),
      result('diversity/v1', { distinct4, duplicates: 0 }),
      ...(valid === undefined ? [] : [result('grammar/v1', { sentenceValidity: valid, storyCoherence: 0 })]),
      ...(perplexity === undefined ? [] : [result('genppl/cosmos-v1', { perplexity })]),
    ],
  };
}

describe('a frontier', () => {
  it('wants low perplexity and much entropy', () => {
    const points = [point('a', 8, { entropy: 3, perplexity: 60 }), point('a', 16, { entropy: 3.1, perplexity: 40 }), point('a', 32, { entropy: 3.2, perplexity: 45 })];
    expect(qualityOf(points)).toMatchObject({ measure: { name: 'gen-PPL' }, better: 'less' });
    expect(place(points).map(({ onFront }) => onFront)).toEqual([false, true, true]);
  });

  it('takes validity without a scorer, and distinct 4-grams without a grammar', () => {
    const stories = [point('a', 8, { entropy: 3, valid: 0.5 }), point('a', 16, { entropy: 3, valid: 0.7 })];
    expect(qualityOf(stories)).toMatchObject({ measure: { name: 'valid %' }, better: 'more' });
    expect(place(stories).map(({ onFront }) => onFront)).toEqual([false, true]);
    expect(qualityOf([point('a', 8, { entropy: 3 })])).toMatchObject({ measure: { name: 'distinct-4' } });
  });

  it('shows a point whose perplexity was refused in the table, with the reason, and not in the picture', () => {
    const broken = point('a', 16, { entropy: 0 }, ['all 8 samples are equal']);
    broken.results.push({ ...broken.results[0]!, notes: [], protocol: 'genppl/cosmos-v1', refused: 'samples must have a token to score' });
    const points = [point('a', 8, { entropy: 3, perplexity: 60 }), broken];
    expect(place(points)).toHaveLength(1);
    const table = frontierTable(points);
    expect(table).toMatch(/^a +8 +1 +1 .*60\.0 .* 8\.0 +\*$/m);
    expect(table).toMatch(/^a +16 +1 +1 +learned +- +0\.000/m);
    expect(table).toContain('a, 16 steps, eta 1, temperature 1, learned grid: all 8 samples are equal');
    expect(table).toContain('genppl/cosmos-v1: samples must have a token to score');
    expect(table).not.toMatch(/NaN|undefined/);
    expect(frontierPicture(points, { title: '', by: '' }).match(/<title>a: /g)).toHaveLength(1);
  });

  it('is drawn with every model, the front and the published figures', () => {
    const points = [8, 16].flatMap((steps) => ['a<b', 'c'].map((model, i) => point(model, steps, { entropy: 5.3 + i / 10 + steps / 100, perplexity: 90 - steps })));
    const svg = frontierPicture(points, { title: 'T', by: ' (scorer)', published: published.owt });
    expect(svg.match(/<title>(a&lt;b|c): /g)).toHaveLength(4);
    for (const { system } of published.owt.figures) expect(svg).toContain(`>${system}</text>`);
    expect(svg).toContain('second-hand');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('is drawn with a line for each grid', () => {
    const points = (['learned', 'uniform'] as const).flatMap((grid) => [8, 16].map((steps) => ({ ...point('a', steps, { entropy: 5 + steps / 100, perplexity: 90 - steps }), grid })));
    const svg = frontierPicture(points, { title: '', by: '' });
    expect(svg.match(/stroke-opacity="0\.4"/g)).toHaveLength(2);
    for (const grid of ['learned', 'uniform']) expect(svg.match(new RegExp(`, ${grid} grid: `, 'g'))).toHaveLength(2);
  });

  it('has no published perplexities where quality is something else', () => {
    const svg = frontierPicture([8, 16].map((steps) => point('a', steps, { entropy: 5.3, valid: steps })), { title: 'T', by: ' (scorer)', published: published.owt });
    expect(svg).toContain('>valid %</text>');
    expect(svg).not.toContain('second-hand');
    for (const { system } of published.owt.figures) expect(svg).not.toContain(system);
  });

  it('is drawn when all its points are one, and when it has none', () => {
    const same = [point('a', 8, { entropy: 0, perplexity: 1 }), point('a', 16, { entropy: 0, perplexity: 1 })];
    for (const points of [same, []]) expect(frontierPicture(points, { title: '', by: '' })).not.toMatch(/NaN|Infinity/);
    expect(frontierTable([])).toContain('model');
  });
});
