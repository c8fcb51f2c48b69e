// The collapse alarm: what the logged figures of a run say against it. A pure function of them; the rules are in collapse_rules.ts.

import type { TrainMetrics } from '../api/train_metrics.js';
import type { LdlmConfig } from '../config/types.js';
import { type AlarmContext, type CollapseRule, collapseRules } from './collapse_rules.js';

export type WarningKind = keyof typeof collapseRules;

export interface CollapseWarning {
  kind: WarningKind;
  /** The step that gave rise to it. */
  step: number;
  /** What is seen, with its figures. */
  seen: string;
  /** What that means. */
  meaning: string;
  /** What to try. */
  remedy: string;
}

/** The warnings of a whole run: of each kind the first. `history`: its logged steps in their order. */
export function collapseWarnings(history: readonly TrainMetrics[], config: LdlmConfig): CollapseWarning[] {
  const first = new Map<WarningKind, CollapseWarning>();
  for (let end = 1; end <= history.length; end++) {
    for (const warning of warningsAt(history.slice(0, end), config)) if (!first.has(warning.kind)) first.set(warning.kind, warning);
  }
  return [...first.values()];
}

/** What the last of the logged steps (one at least) gives rise to. */
export function warningsAt(history: readonly TrainMetrics[], config: LdlmConfig): CollapseWarning[] {
  const { model: { latentWidth }, recipe: { decoderNoise }, train: { warmupSteps } } = config;
  const context: AlarmContext = { latentWidth, decoderNoise, warmupSteps };
  return Object.entries<CollapseRule>(collapseRules).flatMap(([kind, { rule, meaning, remedy }]) => {
    const seen = rule(history, context);
    return seen === null ? [] : [{ kind: kind as WarningKind, step: history.at(-1)!.step, seen, meaning, remedy }];
  });
}

/** One line for a log. */
export function describeWarning({ step, seen, meaning, remedy }: CollapseWarning): string {
  return `step ${step}: ${seen}; ${meaning}. Try ${remedy}`;
}
