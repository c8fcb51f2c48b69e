// The text-level metrics against values worked out by hand.

import { describe, expect, it } from 'vitest';
import { scoreDiversity } from '../../src/eval/diversity.js';
import { scoreEntropy } from '../../src/eval/entropy.js';
import { scoreGrammar } from '../../src/eval/grammar.js';
import { scoreMemorisation } from '../../src/eval/memorisation.js';
import { ngrams, sequenceKey } from '../../src/eval/ngrams.js';

describe('n-grams', () => {
  it('are all windows in order, and none of a shorter sequence', () => {
    expect([...ngrams([1, 2, 3, 4], 3)]).toHaveLength(2);
    expect([...ngrams([1, 2], 3)]).toEqual([]);
    expect([...ngrams(Int32Array.of(1, 2), 2)]).toEqual([...ngrams([1, 2], 2)]);
  });

  it('do not confuse 1, 23 with 12, 3', () => {
    expect(sequenceKey([1, 23])).not.toBe(sequenceKey([12, 3]));
  });
});

describe('grammar/v1', () => {
  const good = 'Anna had a ball. She liked it very much. It was a great day.';
  const broken = 'Anna had an ball. She liked it very much.';

  it('pools sentences over the texts and counts coherent texts', () => {
    expect(scoreGrammar([good, broken, ''])).toEqual({
      protocol: 'grammar/v1', samples: 3, sentences: 5, sentenceValidity: 4 / 5, storyCoherence: 1 / 3,
    });
  });

  it('is 0 for texts without a sentence and refuses no texts', () => {
    expect(scoreGrammar(['', ' '])).toMatchObject({ sentences: 0, sentenceValidity: 0, storyCoherence: 0 });
    expect(() => scoreGrammar([])).toThrow(/at least one sample, got none/);
  });
});

describe('entropy/model-tokens-nats', () => {
  it('is ln n for n different tokens, 0 for one token repeated, averaged over the samples', () => {
    expect(scoreEntropy([[1, 2, 3, 4]]).entropy).toBeCloseTo(Math.log(4), 12);
    expect(scoreEntropy([[7, 7, 7]]).entropy).toBe(0);
    expect(scoreEntropy([Int32Array.of(1, 2, 3, 4), [7, 7]]).entropy).toBeCloseTo(Math.log(4) / 2, 12);
  });

  it('weights tokens by their share', () => {
    expect(scoreEntropy([[1, 1, 1, 2]]).entropy).toBeCloseTo(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25)), 12);
  });

  it('pools counts over the samples, so samples that differ add entropy', () => {
    expect(scoreEntropy([[1, 1], [2, 2]])).toMatchObject({ samples: 2, entropy: 0, pooled: Math.log(2) });
  });

  it('is 0 for empty samples and refuses no samples', () => {
    expect(scoreEntropy([[], []])).toMatchObject({ entropy: 0, pooled: 0 });
    expect(() => scoreEntropy([])).toThrow(/at least one sample, got none/);
  });
});

describe('diversity/v1', () => {
  it('counts different n-grams over all n-grams, and repeated samples', () => {
    // [a b a b]: bigrams ab ba ab (2 of 3), trigrams aba bab (2 of 2), 4-gram abab (1 of 1); the second sample repeats all of it.
    const sample = ['a', 'b', 'a', 'b'];
    expect(scoreDiversity([sample, sample])).toEqual({
      protocol: 'diversity/v1', samples: 2, distinct2: 2 / 6, distinct3: 2 / 4, distinct4: 1 / 2, product: (2 / 6) * (2 / 4) * (1 / 2), duplicates: 1 / 2,
    });
  });

  it('is 1 where nothing repeats', () => {
    expect(scoreDiversity([[1, 2, 3, 4], [5, 6, 7, 8]])).toMatchObject({ distinct2: 1, distinct3: 1, distinct4: 1, product: 1, duplicates: 0 });
  });

  it('is 0 for samples without n-grams and refuses no samples', () => {
    expect(scoreDiversity([[], [1]])).toMatchObject({ distinct2: 0, distinct4: 0, product: 0, duplicates: 0 });
    expect(() => scoreDiversity([])).toThrow(/at least one sample, got none/);
  });
});

describe('memorisation/v1', () => {
  const training = [[1, 2, 3, 4, 5], [9, 9, 9]];

  it('averages the share of known 4-grams and counts copies of whole texts', () => {
    // [1 2 3 4 6]: 1234 is known, 2346 is not. [1 2 3 4 5] is a copy. [9 9 9] has no 4-gram, but is a copy too.
    expect(scoreMemorisation([[1, 2, 3, 4, 6], [1, 2, 3, 4, 5], [9, 9, 9]], training)).toEqual({
      protocol: 'memorisation/v1', samples: 3, trainingTexts: 2, fourgramShare: (0.5 + 1) / 2, verbatimShare: 2 / 3,
    });
  });

  it('does not take a part of a training text for a copy', () => {
    expect(scoreMemorisation([[1, 2, 3, 4]], training)).toMatchObject({ fourgramShare: 1, verbatimShare: 0 });
  });

  it('reads the training set once, as a stream', () => {
    function* stream() { yield* training; }
    expect(scoreMemorisation([[1, 2, 3, 4, 5]], stream()).verbatimShare).toBe(1);
  });

  it('takes no empty sample for a copy, and refuses no samples or no training texts', () => {
    expect(scoreMemorisation([[]], [[], [1]])).toMatchObject({ fourgramShare: 0, verbatimShare: 0 });
    expect(() => scoreMemorisation([], training)).toThrow(/samples must hold at least one sample, got none/);
    expect(() => scoreMemorisation([[1]], [])).toThrow(/training must hold at least one text, got none/);
  });
});
