// The table of variants, and what is made of the runs of an ablation. The figures of the hand-made runs were worked out by hand.

import { describe, expect, it } from 'vitest';
import { withLaterFields } from '../../src/config/later_fields.js';
import { applicableProtocols } from '../../src/eval/applicable.js';
import { parseConfig, presets } from '../../src/index.js';
import type { AblationRun } from '../../src/study/ablation.js';
import { ablationPicture } from '../../src/study/ablation_picture.js';
import { ablationTable, summarise } from '../../src/study/ablation_summary.js';
import { rangeOf, ticks } from '../../src/study/chart.js';
import { configOf, idleBecause, type VariantName, variantNames, variants } from '../../src/study/variants.js';

/** Dotted paths of the sections' fields in which two configurations differ. */
function differences(a: object, b: object): string[] {
  const fields = (config: object): [string, string][] =>
    Object.entries(config).flatMap(([section, values]) => Object.entries(values as object).map(([field, value]) => [`${section}.${field}`, JSON.stringify(value)] as [string, string]));
  const before = new Map(fields(a));
  return fields(b).filter(([name, value]) => before.get(name) !== value).map(([name]) => name);
}

describe('variants', () => {
  it.each(variantNames)('%s differs from full in exactly the fields that it names', (name) => {
    const differing = (['tiny', 'base'] as const).filter((preset) => idleBecause(name, presets[preset]()) === null);
    expect(differing).toEqual({ 'no-stagger': ['tiny'], 'no-loss-weighting': ['tiny'] }[name as string] ?? ['tiny', 'base']);
    for (const preset of differing) {
      const full = presets[preset]();
      expect(differences(full, configOf(name, full))).toEqual(variants[name].fields);
      expect(full).toEqual(presets[preset]());
    }
    const expected = { 'full': 0, 'uniform-grid': 0, 'naive': 4 }[name as string] ?? 1;
    expect(variants[name].fields).toHaveLength(expected);
  });

  it('have sigma_dec 1 and 5 where the paper has 3, and the same ratio elsewhere', () => {
    const noise = (name: VariantName, config = presets.base()): number => configOf(name, config).recipe.decoderNoise;
    expect([noise('less-noise'), noise('more-noise')]).toEqual([1, 5]);
    expect([noise('less-noise', presets.tiny()), noise('more-noise', presets.tiny())]).toEqual([0.25, 1.25]);
  });

  it('naive is the preset naive, and gamma of two-stage is 0 from the first step to the last', () => {
    expect(configOf('naive', presets.tiny())).toEqual(presets.naive());
    expect(configOf('two-stage', presets.tiny()).recipe.encoderWarmup).toMatchObject({ min: 0, max: 0 });
  });

  it('refuse a configuration in which they change nothing', () => {
    const config = presets.naive();
    config.model.stagger = 0;
    config.recipe.lossWeighting = null;
    for (const name of ['no-mse', 'no-warmup', 'no-adaptive-timesteps', 'no-decoder-noise', 'naive', 'less-noise', 'no-stagger', 'no-loss-weighting', 'uniform-grid'] as const) {
      expect(() => configOf(name, config)).toThrow(new RegExp(`variant ${name} must differ from full, got the same: (recipe|model)\\..* --only`));
    }
  });
});

describe('withLaterFields', () => {
  it('completes the configuration of an old checkpoint with what was then the case', () => {
    const { freeScale: _, ...model } = presets.tiny().model;
    const { stoppedTarget: __, ...recipe } = presets.tiny().recipe;
    const old = { ...presets.tiny(), model, recipe };
    expect(() => parseConfig(old)).toThrow(/model\.freeScale is missing/);
    expect(parseConfig(withLaterFields(old))).toEqual(presets.tiny());
    expect(old.model).not.toHaveProperty('freeScale');
  });

  it('needs no loss weighting, and has none then', () => {
    const { lossWeighting: _, ...recipe } = presets.tiny().recipe;
    expect(parseConfig({ ...presets.tiny(), recipe }).recipe.lossWeighting).toBeNull();
  });

  it.each([null, 'text', {}, { model: 3 }])('leaves %j to the parser', (config) => {
    expect(() => parseConfig(withLaterFields(config))).toThrow();
  });
});

function run(variant: VariantName, seed: number, validity: number, entropy: number): AblationRun {
  const conditions = { notes: [] } as unknown as NonNullable<AblationRun['evaluation']>['results'][number];
  const results = [{ ...conditions, protocol: 'grammar/v1', sentenceValidity: validity }, { ...conditions, protocol: 'entropy/model-tokens-nats', entropy }];
  return {
    variant, seed, folder: `out/${variant}/seed-${seed}`, failure: null, latent: { std: 0.5, effectiveRank: 40 },
    evaluation: { question: {}, results: results as NonNullable<AblationRun['evaluation']>['results'], samplingSeconds: 1 },
  };
}

const runs = [run('full', 0, 0.8, 3), run('full', 1, 0.84, 3.2), run('naive', 0, 0.1, 2), run('naive', 1, 0.2, 3.1), run('no-mse', 0, 0.5, 3)];

describe('summarise', () => {
  it('gives mean, deviation of n - 1, and whether all seeds lie outside the range of full', () => {
    const rows = new Map(summarise(runs).map((row) => [row.variant, row.measures]));
    expect(rows.get('full')!['valid %']).toEqual({ mean: expect.closeTo(82, 10) as number, deviation: expect.closeTo(Math.sqrt(8), 10) as number, values: [80, 84], seeds: [0, 1], apart: false });
    expect(rows.get('naive')!['valid %']).toMatchObject({ mean: 15, apart: true });
    expect(rows.get('naive')!['entropy']).toMatchObject({ mean: 2.55, apart: false }); // 3.1 lies within 3 to 3.2
    expect(rows.get('no-mse')!['valid %']).toMatchObject({ mean: 50, deviation: null, apart: false }); // one seed says nothing
    expect(rows.get('full')!['MAUVE']).toBeUndefined();
  });

  it('states failed training and protocols that refused, and counts neither', () => {
    const failed: AblationRun = { ...run('free-scale', 0, 1, 1), evaluation: null, latent: null, failure: 'the token loss must be finite, got nan' };
    const refused = run('free-scale', 1, 0.4, 3);
    refused.evaluation!.results.push({ ...refused.evaluation!.results[0]!, protocol: 'genppl/mdlm-v1', refused: 'no token to score' });
    const [row] = summarise([failed, refused]);
    expect(row!.measures['valid %']).toMatchObject({ values: [40], seeds: [1] });
    expect(row!.notes).toEqual(['seed 0: training failed: the token loss must be finite, got nan', 'seed 1: genppl/mdlm-v1: no token to score']);
    expect(ablationTable([row!])).toContain('free-scale, seed 0: training failed');
  });

  it('is shown as a table and as a picture with a dot for every seed', () => {
    const rows = summarise(runs);
    expect(ablationTable(rows)).toMatch(/full +82\.0 ±2\.8 +3\.100 ±0\.141 /);
    expect(ablationTable(rows)).toMatch(/naive +15\.0 ±7\.1\* +2\.550 ±0\.778 /);
    expect(ablationTable(rows)).not.toMatch(/NaN|undefined/);
    const svg = ablationPicture(rows, 'A & B');
    expect(svg.match(/<circle/g)).toHaveLength(5 * 4); // 5 runs, 4 measures
    expect(svg).toContain('A &amp; B');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('copes with runs that all measured the same', () => {
    const same = summarise([run('full', 0, 0, 0), run('naive', 0, 0, 0)]);
    expect(ablationPicture(same, '')).not.toMatch(/NaN|Infinity/);
    expect(ablationTable(same)).not.toMatch(/NaN/);
  });
});

describe('applicableProtocols', () => {
  it('names what can be measured with what there is', () => {
    expect(applicableProtocols({ stories: true, references: 8, scorer: false, count: 256 })).toEqual(
      ['entropy/model-tokens-nats', 'diversity/v1', 'grammar/v1', 'memorisation/v1', 'reconstruction/v1']);
    expect(applicableProtocols({ stories: false, references: 0, scorer: false, count: 1 })).toEqual(['entropy/model-tokens-nats']);
    expect(applicableProtocols({ stories: false, references: 99, scorer: true, count: 100 })).not.toContain('mauve/v1');
    expect(applicableProtocols({ stories: false, references: 100, scorer: true, count: 100 })).toContain('mauve/v1');
  });
});

describe('ticks', () => {
  it.each([
    [{ min: 0, max: 1 }, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [{ min: 3.1, max: 4.4 }, 3, [3.5, 4]],
    [{ min: -12, max: 27 }, 4, [-10, 0, 10, 20]],
  ])('are round: %j', (range, count, expected) => {
    expect(ticks(range, count)).toEqual(expected);
  });

  it('stand around a single value', () => {
    for (const value of [0, 5, -3]) expect(ticks(rangeOf([value]), 3).length).toBeGreaterThan(0);
  });
});
