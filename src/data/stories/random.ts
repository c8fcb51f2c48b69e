// A small seeded generator of random numbers (sfc32, 128 bits of state) for the story corpus.
// It is addressed by (seed, stream), so story number i never depends on the stories before it. Not for cryptography.

import { LdlmError } from '../../api/errors.js';

/** A source of uniform numbers in [0, 1). */
export type Random = () => number;

/** Rounds that are thrown away, so that neighbouring seeds and streams share nothing. */
const WARMUP_ROUNDS = 16;

function checkCounter(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `${name} must be an integer from 0 to 2^53 - 1, got ${value}`);
  }
}

const lowBits = (value: number): number => value >>> 0;
const highBits = (value: number): number => Math.floor(value / 2 ** 32);

/** The random numbers of one (seed, stream); both are integers from 0 to 2^53 - 1. Equal arguments, equal numbers. */
export function createRandom(seed: number, stream: number): Random {
  checkCounter('seed', seed);
  checkCounter('stream', stream);
  let a = lowBits(seed);
  let b = lowBits(stream);
  // The 21 high bits of both share one word; a constant keeps (0, 0) away from the all-zero state.
  let c = lowBits((highBits(seed) << 11) ^ highBits(stream) ^ 0x9e3779b9);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let round = 0; round < WARMUP_ROUNDS; round++) next();
  return next;
}

/** One of `items`, with probability proportional to its `weight` (> 0). `items` must not be empty. */
export function pickWeighted<T extends { readonly weight: number }>(items: readonly T[], random: Random): T {
  let rest = random() * items.reduce((sum, item) => sum + item.weight, 0);
  for (const item of items) {
    rest -= item.weight;
    if (rest < 0) return item;
  }
  const last = items.at(-1);
  if (last === undefined) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'items must hold at least one entry, got none');
  return last; // Rounding may leave a rest of exactly 0.
}
