// Protocol `entropy/gpt2-tokens-nats`: as `entropy/model-tokens-nats`, on the ids of the GPT-2 tokenizer after tokenizing the text anew.
// So models with different tokenizers can be compared, at equal length of text. With a scorer that has another tokenizer the figure can
// be compared only to figures with that one: `vocabulary` says which it was (GPT-2: 50257).

import { type EntropyScore, scoreEntropy } from './entropy.js';

/** Token ids of the GPT-2 tokenizer. */
export const GPT2_VOCABULARY = 50257;

/** The result of `entropy/gpt2-tokens-nats`, in nats. */
export interface Gpt2EntropyScore extends Omit<EntropyScore, 'protocol'> {
  readonly protocol: 'entropy/gpt2-tokens-nats';
  /** Token ids of the tokenizer that was used. */
  readonly vocabulary: number;
}

/** Measures the unigram entropy of texts given as ids of a tokenizer with `vocabulary` ids. */
export function scoreGpt2Entropy(texts: readonly ArrayLike<number>[], vocabulary: number): Gpt2EntropyScore {
  return { ...scoreEntropy(texts), protocol: 'entropy/gpt2-tokens-nats', vocabulary };
}
