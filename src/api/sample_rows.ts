// From rows of token ids to samples.

import type { Tokenizer } from '../data/tokenizer.js';
import type { Sample } from './ldlm.js';

/** [a, b, end, c] -> [[a, b], [c]] */
export function splitAtEnds(ids: readonly number[], endId: number | null): number[][] {
  const pieces: number[][] = [[]];
  for (const id of ids) {
    if (id === endId) pieces.push([]);
    else pieces.at(-1)!.push(id);
  }
  return pieces;
}

/** Cuts a row at its first end token where rows hold one document; wrapped rows may hold several, and are not cut. */
export function cutAtEnd(ids: number[], packing: 'wrap' | 'pad', endId: number | null): number[] {
  const end = packing === 'pad' && endId !== null ? ids.indexOf(endId) : -1;
  return end < 0 ? ids : ids.slice(0, end);
}

/** The texts of rows: documents of one row stand on lines of their own. */
export async function textsOf(rows: readonly (readonly number[])[], tokenizer: Tokenizer, endId: number | null): Promise<string[]> {
  const documents = rows.map((ids) => splitAtEnds(ids, endId).filter((piece) => piece.length > 0));
  const texts = await tokenizer.decodeBatch(documents.flat());
  let next = 0;
  return documents.map((pieces) => pieces.map(() => texts[next++]!).join('\n'));
}

/** ids, row-major [rows, length]; the first row is sample number `first`. */
export async function toSamples(
  ids: Int32Array,
  { length, packing, endId, tokenizer, seed, first }: { length: number; packing: 'wrap' | 'pad'; endId: number | null; tokenizer: Tokenizer; seed: number; first: number },
): Promise<Sample[]> {
  const rows = Array.from({ length: ids.length / length }, (_, row) => cutAtEnd([...ids.subarray(row * length, (row + 1) * length)], packing, endId));
  const texts = await textsOf(rows, tokenizer, endId);
  return rows.map((row, i) => ({ index: first + i, seed, text: texts[i]!, ids: row }));
}
