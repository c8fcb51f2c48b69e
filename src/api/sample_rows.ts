// From rows of token ids to samples.

import type { Tokenizer } from '../data/tokenizer.js';
import type { Sample } from './ldlm.js';

/** Cuts a row at its first end token; null: rows may hold several documents, and are not cut. */
export function cutAtEnd(ids: number[], endId: number | null): number[] {
  const end = endId === null ? -1 : ids.indexOf(endId);
  return end < 0 ? ids : ids.slice(0, end);
}

/** ids, row-major [rows, length]; the first row is sample number `first`. */
export async function toSamples(
  ids: Int32Array,
  { length, endId, tokenizer, seed, first }: { length: number; endId: number | null; tokenizer: Tokenizer; seed: number; first: number },
): Promise<Sample[]> {
  const rows = Array.from({ length: ids.length / length }, (_, row) => cutAtEnd([...ids.subarray(row * length, (row + 1) * length)], endId));
  const texts = await tokenizer.decodeBatch(rows);
  return rows.map((row, i) => ({ index: first + i, seed, text: texts[i]!, ids: row }));
}
