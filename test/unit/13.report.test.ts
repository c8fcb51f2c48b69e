import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/api/package_root.js';
import type { TrainMetrics } from '../../src/api/train_metrics.js';
import { samplingGrid, scheduleTime, uniformTime } from '../../src/config/schedules.js';
import { collapseWarnings, presets } from '../../src/index.js';
import type { EvaluationResult } from '../../src/eval/evaluate.js';
import { linePlot } from '../../src/report/line_plot.js';
import { reportPage } from '../../src/report/report_page.js';
import { type RunRecord, spread } from '../../src/report/run_record.js';
import type { RunTexts } from '../../src/report/run_texts.js';
import { findChromium, visit } from './browser.js';

const hostile = '</script><img src=x onerror="alert(1)"> & "quoted" <!-- \u2028';
const STEPS = 12;

function record(run: 'tiny' | 'naive'): RunRecord {
  const text = readFileSync(join(packageRoot(), 'test', 'golden', 'metrics', `${run}.jsonl`), 'utf8');
  const metrics = text.trim().split('\n').map((line) => JSON.parse(line) as TrainMetrics);
  metrics.at(-1)!.latent.spectrum = [2, 1, 0.5, 0];
  metrics.at(-1)!.samples = [hostile];
  const config = presets[run]();
  const timesteps = [300, 600].map((step) => ({ step, lossByU: [null, 0.1, 0.3, 0.9], density: [0.1, 0.2, 0.3, 0.4] }));
  return { path: `runs/${hostile}`, config, step: metrics.at(-1)!.step, metrics, timesteps, warnings: collapseWarnings(metrics, config) };
}

function texts(): RunTexts {
  const words = ['a', 'dog', 'saw', hostile];
  const conditions = { sampler: 'ddpm', steps: STEPS, eta: 1, temperature: 1, grid: 'learned', seed: 0, count: 4, precision: 'float32', scorer: null, machine: { processor: hostile, device: 'cpu' } };
  return {
    // A word settles every third step.
    trajectory: { steps: Array.from({ length: STEPS }, (_, i) => ({ u: 1 - i / STEPS, texts: [0, 1].map((sample) => words.map((word, w) => (i >= 3 * w ? word : `?${i}${sample}`)).join(' ')) })) },
    samples: [hostile],
    reconstructions: { value: [{ text: 'same', reconstructed: 'same', accuracy: 1 }, { text: `a ${hostile}`, reconstructed: 'b <b>', accuracy: 0.5 }] },
    results: [{ ...conditions, protocol: 'diversity/v1', notes: [hostile], distinct2: 0.5 } as unknown as EvaluationResult],
    left: [hostile],
  };
}

describe('the report page', () => {
  it('stands alone, and escapes whatever comes from data, a model or a path', () => {
    const page = reportPage(record('naive'), texts());
    expect(page).not.toMatch(/https?:|<link|<img|@import|url\(/);
    expect(page.split('<script>')[0]).not.toMatch(/NaN|undefined|Infinity/);
    expect(page.match(/<script/g)).toHaveLength(2);
    expect(page).toContain('&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; &quot;quoted&quot;');
  });

  it('shows the warnings of a collapsed run, and that there are none in a good one', () => {
    expect(reportPage(record('naive'), null)).toMatch(/role="alert".*Collapse alarm.*Step 80: the deviation of the latents over the data is 0\.27/s);
    expect(reportPage(record('tiny'), null)).toContain('The collapse alarm saw nothing.');
  });

  it('says why a part is missing', () => {
    expect(reportPage(record('tiny'), { ...texts(), reconstructions: { reason: 'no held-out texts' } })).toContain('no held-out texts');
  });

  it('marks the words that a reconstruction changed', () => {
    expect(reportPage(record('tiny'), texts())).toContain('50.0 %:</span> <mark>b</mark> <mark>&lt;b&gt;</mark>');
  });
});

const chromium = findChromium();
if (!chromium) console.log('skipped: opening the report in a browser, as there is no chromium (apt-get install chromium, or set CHROMIUM)');

describe.skipIf(!chromium)('in Chromium', () => {
  it('plays the trajectory step by step, without an error or a request', () => {
    const { result, console: written, requests } = visit(chromium!, reportPage(record('naive'), texts()), `
      const now = () => ({ at: document.getElementById('at').value, where: document.getElementById('where').textContent, first: document.querySelector('#texts p').textContent,
        marked: document.querySelectorAll('#texts mark').length, pale: document.querySelectorAll('#texts .unsettled').length, button: document.getElementById('play').textContent });
      const seen = [now()];
      document.getElementById('play').click();
      seen.push(now());
      for (let i = 0; i < 60 && now().button === 'Pause'; i++) { await wait(100); if (now().at !== seen.at(-1).at) seen.push(now()); }
      const slider = document.getElementById('at');
      slider.value = 4;
      slider.dispatchEvent(new Event('input'));
      seen.push(now());
      return seen;`);
    expect({ written, requests }).toEqual({ written: [], requests: [] });
    const seen = result as { at: string; where: string; first: string; marked: number; pale: number; button: string }[];
    expect(seen.map(({ at }) => Number(at))).toEqual([12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 4]);
    const words = hostile.split(/\s+/).length;
    expect(seen[0]!).toMatchObject({ button: 'Play', where: '12 of 12, u = 0.08', pale: 0 });
    expect(seen[1]!).toMatchObject({ button: 'Pause', where: '1 of 12, u = 1.00', first: 'a ?00 ?00 ?00', marked: 0, pale: 6 });
    expect(seen[10]!).toMatchObject({ at: '10', marked: 2 * words, first: `a dog saw ${hostile.split(/\s+/).join(' ')}` });
    expect(seen.at(-2)!.button).toBe('Play');
    expect(seen.at(-1)!).toMatchObject({ at: '4', pale: 4 });
  });

  it.each([1000, 400])('fits a window %i wide, and its plots read out by the arrow keys', (width) => {
    const { result, console: written } = visit(chromium!, reportPage(record('tiny'), texts()), `
      const plot = document.querySelector('figure.plot');
      const press = (key) => plot.querySelector('svg').dispatchEvent(new KeyboardEvent('keydown', { key }));
      const read = () => plot.querySelector('output').textContent;
      press('Home'); const first = read();
      press('ArrowRight'); const second = read();
      press('End');
      const svg = plot.querySelector('svg').getBoundingClientRect();
      return { first, second, last: read(), overflow: document.documentElement.scrollWidth - window.innerWidth, width: window.innerWidth, letters: 12 * svg.width / 440 };`, width);
    expect(written).toEqual([]);
    expect(result).toMatchObject({ width, first: 'step 20: diffusion 0.7667, hidden 1.382, token 5.296', second: expect.stringMatching(/^step 40: /), last: expect.stringMatching(/^step 2800: /) });
    const { overflow, letters } = result as { overflow: number; letters: number };
    expect(overflow).toBeLessThanOrEqual(0);
    expect(letters).toBeGreaterThan(9);
  });
});

describe('line plots', () => {
  it('leave out what cannot be drawn, and are nothing without a point', () => {
    expect(linePlot({ title: 't', x: 'x', curves: [{ name: 'a', points: [{ x: 0, y: NaN }] }] })).toBe('');
    const plot = linePlot({ title: 't', x: 'x', logarithmic: true, curves: [{ name: 'a', points: [{ x: 1, y: 0 }, { x: 2, y: 10 }, { x: 3, y: 1000 }] }] });
    expect(plot).toMatch(/points="48\.0,[\d.]+ 422\.0,[\d.]+"/); // from the left edge: the point at 0 is gone
    expect(plot).not.toMatch(/NaN|Infinity/);
  });

  it('draw constant curves and single points', () => {
    expect(linePlot({ title: 't', x: 'x', curves: [{ name: 'a', points: [{ x: 5, y: 2 }] }] })).toContain('<circle');
    expect(linePlot({ title: 't', x: 'x', curves: [{ name: 'a', points: [{ x: 5, y: 0 }, { x: 6, y: 0 }] }] })).not.toMatch(/NaN|Infinity/);
  });
});

describe('schedules', () => {
  const cumulative = [0, 0.1, 0.2, 0.7, 1];
  it('invert each other, and give a grid from 1 down to the last schedule time', () => {
    for (const t of [0, 0.05, 0.15, 0.5, 0.99, 1]) expect(uniformTime(cumulative, scheduleTime(cumulative, t))).toBeCloseTo(t, 12);
    const grid = samplingGrid(cumulative, 5, 0.05);
    expect([grid[0], grid.length]).toEqual([1, 5]);
    expect(grid.at(-1)).toBeCloseTo(0.05, 12);
    expect(samplingGrid([0, 1], 3, 0)).toEqual([1, 0.5, 0]);
  });

  it('spread keeps the first and the last', () => {
    expect(spread([1, 2, 3, 4, 5, 6, 7], 3)).toEqual([1, 4, 7]);
    expect(spread([1, 2], 3)).toEqual([1, 2]);
  });
});
