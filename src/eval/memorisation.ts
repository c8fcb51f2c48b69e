// Protocol `memorisation/v1`: the share of a sample's 4-grams that stand in the training set, averaged over the samples that have
// a 4-gram; and the share of all samples that are, as a whole, a training text. The training set is read once, as a stream:
// memory grows with the samples only. Without any 4-gram in the samples their share is 0; an empty sample is nobody's copy.

import { LdlmError } from '../api/errors.js';
import { ngrams, sequenceKey, type TokenSequence } from './ngrams.js';

const ORDER = 4;

/** The result of `memorisation/v1`. Shares are in [0, 1]. */
export interface MemorisationScore {
  readonly protocol: 'memorisation/v1';
  readonly samples: number;
  readonly trainingTexts: number;
  readonly fourgramShare: number;
  readonly verbatimShare: number;
}

/** The training set is given text by text, so it may be larger than memory. */
export interface MemorisationCounter {
  add(text: TokenSequence): void;
  /** Throws `ERR_LDLM_INVALID_ARGUMENT` if no text was added. */
  score(): MemorisationScore;
}

/**
 * Compares samples with the training texts; both must be cut into tokens in the same way.
 * Throws `ERR_LDLM_INVALID_ARGUMENT` if either is empty.
 */
export function scoreMemorisation(samples: readonly TokenSequence[], training: Iterable<TokenSequence>): MemorisationScore {
  const counter = countMemorised(samples);
  for (const text of training) counter.add(text);
  return counter.score();
}

/** `scoreMemorisation` for training texts that arrive one by one. */
export function countMemorised(samples: readonly TokenSequence[]): MemorisationCounter {
  if (samples.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'samples must hold at least one sample, got none');
  const wantedNgrams = new Set(samples.flatMap((sample) => [...ngrams(sample, ORDER)]));
  const wantedTexts = new Set(samples.filter((sample) => sample.length > 0).map(sequenceKey));
  const knownNgrams = new Set<string>();
  const knownTexts = new Set<string>();
  let trainingTexts = 0;
  return {
    add(text) {
      trainingTexts += 1;
      for (const ngram of ngrams(text, ORDER)) if (wantedNgrams.has(ngram)) knownNgrams.add(ngram);
      const key = sequenceKey(text);
      if (wantedTexts.has(key)) knownTexts.add(key);
    },
    score() {
      if (trainingTexts === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'training must hold at least one text, got none');
      const shares = samples.map((sample) => [...ngrams(sample, ORDER)]).filter((list) => list.length > 0)
        .map((list) => list.filter((ngram) => knownNgrams.has(ngram)).length / list.length);
      return {
        protocol: 'memorisation/v1',
        samples: samples.length,
        trainingTexts,
        fourgramShare: shares.length === 0 ? 0 : shares.reduce((sum, share) => sum + share, 0) / shares.length,
        verbatimShare: samples.filter((sample) => knownTexts.has(sequenceKey(sample))).length / samples.length,
      };
    },
  };
}
