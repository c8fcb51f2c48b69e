// The points of a frontier as a table, and which of them are on the Pareto front of quality and entropy.

import type { FrontierPoint } from './frontier.js';
import { aligned, type Measure, measures, troubles } from './measures.js';
import { paretoFront } from './pareto.js';

/** What stands for quality: the best that was measured. */
export interface Quality {
  measure: Measure;
  better: 'more' | 'less';
}

const candidates: readonly [name: string, better: Quality['better']][] = [['gen-PPL', 'less'], ['valid %', 'more'], ['distinct-4', 'more']];

export const entropyMeasure = measureOf('entropy');

/** gen-PPL where there was a scorer, else validity of stories, else distinct n-grams; null if no point has any of them. */
export function qualityOf(points: readonly FrontierPoint[]): Quality | null {
  const found = candidates.find(([name]) => points.some(({ results }) => measureOf(name).of(results) !== undefined));
  return found ? { measure: measureOf(found[0]), better: found[1] } : null;
}

/** A point of the picture. */
export interface Placed {
  point: FrontierPoint;
  entropy: number;
  quality: number;
  /** No other point has as much entropy and as good a quality, and more of one. */
  onFront: boolean;
}

/** The points that have both figures, in their order. */
export function place(points: readonly FrontierPoint[]): Placed[] {
  const quality = qualityOf(points);
  if (!quality) return [];
  const sign = quality.better === 'more' ? 1 : -1;
  const placed = points.flatMap((point) => {
    const [entropy, value] = [entropyMeasure.of(point.results), quality.measure.of(point.results)];
    return entropy === undefined || value === undefined ? [] : [{ point, entropy, quality: value, onFront: false }];
  });
  const front = new Set(paretoFront(placed, (p) => p.entropy, (p) => sign * p.quality));
  return placed.map((p) => ({ ...p, onFront: front.has(p) }));
}

/** The table for a terminal. */
export function frontierTable(points: readonly FrontierPoint[]): string {
  const front = new Set(place(points).filter(({ onFront }) => onFront).map(({ point }) => point));
  const shown = measures.filter(({ of }) => points.some(({ results }) => of(results) !== undefined));
  const head = ['model', 'steps', 'eta', 'temperature', 'grid', ...shown.map(({ name }) => name), 'ms/sample', 'front'];
  const cells = points.map((point) => [
    point.model, String(point.steps), point.eta === null ? '-' : String(point.eta), String(point.temperature), point.grid,
    ...shown.map(({ of, digits }) => of(point.results)?.toFixed(digits) ?? '-'),
    (1000 * point.secondsPerSample).toFixed(1), front.has(point) ? '*' : '',
  ]);
  const notes = points.flatMap(({ model, steps, eta, temperature, grid, results }) => troubles(results).map((note) => `${model}, ${steps} steps, eta ${eta ?? '-'}, temperature ${temperature}, ${grid} grid: ${note}`));
  const quality = qualityOf(points)?.measure.name;
  return [...aligned([head, ...cells]), '', `* on the Pareto front of ${quality ?? 'quality'} and entropy`, ...notes].join('\n') + '\n';
}

function measureOf(name: string): Measure {
  return measures.find((measure) => measure.name === name)!;
}
