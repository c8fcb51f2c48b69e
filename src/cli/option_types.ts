// Option values that several commands share.

import { InvalidArgumentError, Option } from 'commander';

/** A whole number of at least `least`. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number >= ${least}, got ${text}.`);
  };
}

export function realNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError(`It must be a number, got ${text}.`);
}

export function integer(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`It must be a whole number, got ${text}.`);
}

export function deviceOption(): Option {
  return new Option('--device <name>', 'where to compute').choices(['auto', 'cpu', 'cuda']).default('auto');
}

/** Repeatable options gather into a list. */
export function gather(value: string, gathered: string[] = []): string[] {
  return [...gathered, value];
}
