// Option values that several commands share.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { LdlmError } from '../api/errors.js';
import { MOST_THREADS } from '../api/threads.js';

/** A whole number of at least `least`, and of at most `most`. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = most === Number.MAX_SAFE_INTEGER ? `>= ${least}` : `in ${least}..${most}`;
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number ${range}, got ${text}.`);
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

/** Of every command that computes; main.ts applies it before the command runs. */
export function threadsOption(): Option {
  return new Option('--threads <n>', 'CPU cores to use (default: the physical ones)').argParser(wholeNumber(1, MOST_THREADS));
}

/** Repeatable options gather into a list. */
export function gather(value: string, gathered: string[] = []): string[] {
  return [...gathered, value];
}

/** Checks what was asked for on the command line, before any work: what `check` refuses is wrong usage (exit code 2), not a failure. */
export function checkUsage<T>(command: Command, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof LdlmError) command.error(`error: ${error.message}`);
    throw error;
  }
}
