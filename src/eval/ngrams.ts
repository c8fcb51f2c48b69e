// The n-grams of a sequence of tokens, as strings that are equal exactly when the n-grams are. Shared by diversity and memorisation.

/** A sequence of token ids or of word tokens. */
export type TokenSequence = ArrayLike<number | string>;

// No token of any tokenizer here holds U+0000, so joined n-grams cannot collide.
const SEPARATOR = '\u0000';

/** The n-grams of `tokens`, in order; none if it is shorter than `n`. */
export function* ngrams(tokens: TokenSequence, n: number): Generator<string, void, undefined> {
  const list = Array.from(tokens);
  for (let start = 0; start + n <= list.length; start++) yield list.slice(start, start + n).join(SEPARATOR);
}

/** The whole sequence as one string. */
export function sequenceKey(tokens: TokenSequence): string {
  return Array.from(tokens).join(SEPARATOR);
}
