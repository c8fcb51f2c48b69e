import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';
import type { TrainMetrics } from '../../src/api/train_metrics.js';
import { warningsAt } from '../../src/watch/collapse_alarm.js';
import { collapseWarnings, describeWarning, type LdlmConfig, presets } from '../../src/index.js';

/** The log of a real run, figures cut to four digits. */
function logOf(run: string): TrainMetrics[] {
  const text = readFileSync(join(packageRoot(), 'test', 'golden', 'metrics', `${run}.jsonl`), 'utf8');
  return text.trim().split('\n').map((line) => JSON.parse(line) as TrainMetrics);
}

const kinds = (history: readonly TrainMetrics[], config: LdlmConfig = presets.tiny()): string[] => collapseWarnings(history, config).map(({ kind }) => kind);

/** A healthy run of 20 logged steps with changes from step `from` on. */
function changed(from: number, change: (metrics: TrainMetrics) => void): TrainMetrics[] {
  const history = logOf('tiny').slice(0, 20);
  for (const metrics of history) if (metrics.step >= from) change(metrics);
  return history;
}

describe('the collapse alarm', () => {
  it('rings early in naive joint training, by three signs', () => {
    const warnings = collapseWarnings(logOf('naive'), presets.naive());
    expect(warnings.map(({ kind, step }) => [kind, step])).toEqual([['latents-shrink', 80], ['loss-too-good', 80], ['fragile-latents', 80]]);
    expect(describeWarning(warnings[0]!)).toMatch(/^step 80: the deviation of the latents over the data is 0\.27, it was 0\.87; .+\. Try /);
  });

  it('looks at a log of any length', () => {
    const log = logOf('tiny');
    expect(warningsAt([...log, ...Array.from({ length: 200_000 }, () => log.at(-1)!)], presets.tiny())).toEqual([]);
  });

  it('is quiet in the demo and on wikitext', () => {
    expect(kinds(logOf('tiny'))).toEqual([]);
    const wikitext = presets.tiny();
    wikitext.model.latentWidth = 192;
    expect(kinds(logOf('wikitext'), wikitext)).toEqual([]);
  });

  it.each<[string, (metrics: TrainMetrics) => void]>([
    ['latents-shrink', ({ latent }) => (latent.std = 0.2)],
    ['low-rank', ({ latent }) => (latent.effectiveRank = 3)],
    ['noise-breaks-decoding', (metrics) => (metrics.accuracy = { clean: 0.9, noisy: 0.5, oneStep: [] })],
    ['fragile-latents', (metrics) => (metrics.accuracy = { clean: 0.9, noisy: 0.9, oneStep: [{ u: 0.2, accuracy: 0.4, relativeError: 0.5 }] })],
    ['loss-rises', ({ loss }) => (loss.total = 8)],
    ['gradient-explodes', (metrics) => (metrics.gradNorm = 20)],
    ['samples-repeat', (metrics) => (metrics.samples = ['a', 'a', 'b', 'a'])],
  ])('sees %s, and names no other', (kind, change) => {
    expect(kinds(changed(300, change))).toEqual([kind]);
  });

  it('sees a token loss that stays, only once it has had time to fall', () => {
    const history = changed(0, ({ loss }) => (loss.token = 5));
    expect(kinds(history.slice(0, 9))).toEqual([]);
    expect(kinds(history)).toContain('token-loss-stays');
  });

  it('sees a reconstruction that falls from its best', () => {
    const history = changed(300, (metrics) => (metrics.accuracy = { clean: metrics.step < 350 ? 0.94 : 0.83, noisy: 0.83, oneStep: [] }));
    expect(kinds(history)).toEqual(['reconstruction-falls']);
  });

  it('takes noisy accuracy for nothing where the decoder has no noise', () => {
    const config = presets.tiny();
    config.recipe.decoderNoise = 0;
    expect(kinds(changed(300, (metrics) => (metrics.accuracy = { clean: 0.9, noisy: 0.5, oneStep: [] })), config)).toEqual([]);
  });
});
