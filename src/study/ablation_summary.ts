// The runs of an ablation as one table: every measure of every variant, as mean and spread over the seeds.

import type { AblationRun } from './ablation.js';
import { aligned, measures, troubles } from './measures.js';
import { type VariantName, variants } from './variants.js';

/** A column: a figure of the samples, or one of training. */
interface Column {
  name: string;
  digits: number;
  of: (run: AblationRun) => number | undefined;
}

export const columns: readonly Column[] = [
  ...measures.map(({ name, digits, of }) => ({ name, digits, of: ({ evaluation }: AblationRun) => of(evaluation?.results ?? []) })),
  { name: 'sd(z0)', digits: 2, of: ({ latent }) => latent?.std },
  { name: 'rank(z0)', digits: 1, of: ({ latent }) => latent?.effectiveRank },
];

/** Over the seeds. `deviation` (of n - 1) is null with one seed. */
export interface Spread {
  mean: number;
  deviation: number | null;
  values: number[];
  /** The seed of each value. */
  seeds: number[];
  /** Whether every seed lies above, or every one below, the range of the full recipe's seeds, and both have two or more. */
  apart: boolean;
}

interface Measured {
  seed: number;
  value: number;
}

export interface AblationRow {
  variant: VariantName;
  what: string;
  seeds: number[];
  /** By the name of the column; those that no run has are left out. */
  measures: Record<string, Spread>;
  /** What went wrong: failed training, protocols that refused, notes on the samples. */
  notes: string[];
}

/** One row for each variant, in the order of its first run. */
export function summarise(runs: readonly AblationRun[]): AblationRow[] {
  const valuesOf = (variant: VariantName, { of }: Column): Measured[] =>
    runs.filter((run) => run.variant === variant).flatMap((run) => {
      const value = of(run);
      return value === undefined ? [] : [{ seed: run.seed, value }];
    });
  return [...new Set(runs.map(({ variant }) => variant))].map((variant) => {
    const mine = runs.filter((run) => run.variant === variant);
    const spreads = columns.flatMap((column) => {
      const values = valuesOf(variant, column);
      return values.length === 0 ? [] : [[column.name, spread(values, variant === 'full' ? [] : valuesOf('full', column))] as const];
    });
    return { variant, what: variants[variant].what, seeds: mine.map(({ seed }) => seed), measures: Object.fromEntries(spreads), notes: mine.flatMap(notesOf) };
  });
}

/** The table for a terminal. `*` marks what is apart from the full recipe. */
export function ablationTable(rows: readonly AblationRow[]): string {
  const shown = columns.filter(({ name }) => rows.some((row) => row.measures[name]));
  const cell = (row: AblationRow, { name, digits }: Column): string => {
    const found = row.measures[name];
    if (!found) return '-';
    const spread = found.deviation === null ? '' : ` ±${found.deviation.toFixed(digits)}`;
    return `${found.mean.toFixed(digits)}${spread}${found.apart ? '*' : ' '}`;
  };
  const cells = [['variant', ...shown.map(({ name }) => `${name} `)], ...rows.map((row) => [row.variant, ...shown.map((column) => cell(row, column))])];
  const notes = rows.flatMap(({ variant, notes }) => notes.map((note) => `${variant}, ${note}`));
  const seeds = Math.max(0, ...rows.map((row) => row.seeds.length));
  const legend = seeds > 1 ? [`mean ±deviation over ${seeds} seeds; * every seed lies above, or every one below, the range of full`] : ['one seed: nothing is known of the spread'];
  return [...aligned(cells), '', ...legend, ...notes].join('\n') + '\n';
}

function spread(measured: readonly Measured[], ofFull: readonly Measured[]): Spread {
  const [values, full] = [measured, ofFull].map((list) => list.map(({ value }) => value)) as [number[], number[]];
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const apart = values.length > 1 && full.length > 1 && (Math.min(...values) > Math.max(...full) || Math.max(...values) < Math.min(...full));
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : null, values, seeds: measured.map(({ seed }) => seed), apart };
}

function notesOf({ seed, failure, evaluation }: AblationRun): string[] {
  const notes = failure === null ? troubles(evaluation?.results ?? []) : [`training failed: ${failure}`];
  return notes.map((note) => `seed ${seed}: ${note}`);
}
