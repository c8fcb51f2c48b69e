// The figures of an evaluation that the tables and pictures of a study show, by the name of their column.

import type { EvaluationResult } from '../eval/evaluate.js';

export interface Measure {
  name: string;
  digits: number;
  /** Undefined where it was not measured. */
  of: (results: readonly EvaluationResult[]) => number | undefined;
}

/** The columns, in their order. Shares are in percent. */
export const measures: readonly Measure[] = [
  { name: 'valid %', digits: 1, of: percent('grammar/v1', 'sentenceValidity') },
  { name: 'coherent %', digits: 1, of: percent('grammar/v1', 'storyCoherence') },
  { name: 'gen-PPL', digits: 1, of: perplexity },
  { name: 'MAUVE', digits: 3, of: figure('mauve/v1', 'mauve') },
  { name: 'entropy', digits: 3, of: figure('entropy/model-tokens-nats', 'entropy') },
  { name: 'pooled', digits: 3, of: figure('entropy/model-tokens-nats', 'pooled') },
  { name: 'distinct-4', digits: 3, of: figure('diversity/v1', 'distinct4') },
  { name: 'duplicates %', digits: 1, of: percent('diversity/v1', 'duplicates') },
  { name: 'memorised %', digits: 1, of: percent('memorisation/v1', 'verbatimShare') },
  { name: 'rebuilt %', digits: 1, of: percent('reconstruction/v1', 'clean') },
];

/** Notes on the samples, and protocols that refused them. */
export function troubles(results: readonly EvaluationResult[]): string[] {
  const refusals = results.filter((result) => result['refused'] !== undefined).map((result) => `${result.protocol}: ${String(result['refused'])}`);
  return [...new Set(results.flatMap(({ notes }) => notes)), ...refusals];
}

/** Columns side by side, the first to the left, the others to the right. */
export function aligned(cells: readonly (readonly string[])[]): string[] {
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  return cells.map(([name, ...values]) => [name!.padEnd(widths[0]!), ...values.map((value, i) => value.padStart(widths[i + 1]!))].join('  ').trimEnd());
}

function figure(protocol: string, field: string): Measure['of'] {
  return (results) => {
    const value = results.find((result) => result.protocol === protocol)?.[field];
    return typeof value === 'number' ? value : undefined;
  };
}

function percent(protocol: string, field: string): Measure['of'] {
  const share = figure(protocol, field);
  return (results) => {
    const value = share(results);
    return value === undefined ? undefined : 100 * value;
  };
}

/** Of whichever of the three protocols was asked for. */
function perplexity(results: readonly EvaluationResult[]): number | undefined {
  const name = results.find(({ protocol }) => protocol.startsWith('genppl/'))?.protocol;
  return name === undefined ? undefined : figure(name, 'perplexity')(results);
}
