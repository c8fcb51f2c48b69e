// Which rows a training step sees: a pure function of (number of rows, batch, seed, step). The position in the data is therefore just the
// step number, and a resumed run continues exactly where it stopped.

import { LdlmError } from '../api/errors.js';

/**
 * The rows of the batch of `step` (counted from 0). Each epoch is a permutation of its own; the batch that an epoch does not fill goes on into
 * the next, so no row is left out and none comes twice in an epoch.
 * @throws LdlmError ERR_LDLM_INVALID_ARGUMENT for sizes that are no whole numbers >= 1 or a negative step or seed
 */
export function batchRows(rows: number, batch: number, seed: number, step: number): Uint32Array {
  requireWhole('rows', rows, 1);
  requireWhole('batch', batch, 1);
  requireWhole('seed', seed, 0);
  requireWhole('step', step, 0);
  const first = step * batch;
  return Uint32Array.from({ length: batch }, (_, i) => {
    const position = first + i;
    return shuffled(position % rows, rows, seed, Math.floor(position / rows));
  });
}

/** The epoch (counted from 0) that the batch of `step` begins in. */
export function epochOf(rows: number, batch: number, step: number): number {
  return Math.floor((step * batch) / rows);
}

const rounds = 6;

/**
 * Where `index` in 0..rows-1 goes in the permutation of (seed, epoch). A Feistel network is a bijection on 2h bits for any round function;
 * walking on while the result is outside makes it one on 0..rows-1 (cycle walking). So an epoch needs neither memory nor time to shuffle.
 */
function shuffled(index: number, rows: number, seed: number, epoch: number): number {
  const half = Math.max(1, Math.ceil(Math.log2(rows) / 2));
  const mask = 2 ** half - 1;
  const key = mix(mix(mix(seed >>> 0) ^ Math.floor(seed / 2 ** 32)) ^ epoch);
  let value = index;
  do {
    let left = Math.floor(value / 2 ** half);
    let right = value & mask;
    for (let round = 0; round < rounds; round++) {
      [left, right] = [right, left ^ (mix(right ^ mix(key + round)) & mask)];
    }
    value = left * 2 ** half + right;
  } while (value >= rows);
  return value;
}

/** A bijective hash of 32 bits with full avalanche (the finaliser of MurmurHash3, after an offset so that 0 is not fixed). */
function mix(value: number): number {
  let x = (value + 0x9e3779b9) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function requireWhole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `${name} must be a whole number >= ${least}, got ${value}`);
}
