// Samples in the scorer's tokens, for protocols that go through text. The end-of-text token has another name in every tokenizer, so the
// text is made and tokenized piece by piece between the ends, and the scorer's own end token is put in their place.

import { splitAtEnds } from '../api/sample_rows.js';
import type { Tokenizer } from '../data/tokenizer.js';

export interface RetokenizeOptions {
  /** The model's tokenizer, which the ids are of. */
  tokenizer: Tokenizer;
  /** Ids of texts by the scorer's tokenizer. */
  encode: (texts: readonly string[]) => Promise<number[][]>;
  /** The scorer's end-of-text token. */
  endId: number;
  /** A sample of fewer ids than this had ended (its end token was cut away). */
  length: number;
}

/** The model's ids -> text -> the scorer's ids. */
export async function retokenize(samples: readonly (readonly number[])[], options: RetokenizeOptions): Promise<number[][]> {
  const pieces = samples.map((ids) => [...splitAtEnds(ids, options.tokenizer.endId), ...(ids.length < options.length ? [[]] : [])]);
  const texts = await options.tokenizer.decodeBatch(pieces.flat());
  const encoded = await options.encode(texts);
  let next = 0;
  return pieces.map((list) => list.flatMap((_, i) => [...(i > 0 ? [options.endId] : []), ...encoded[next++]!]));
}
