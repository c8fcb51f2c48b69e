// Protocol `diversity/v1`: distinct-n = different n-grams / all n-grams, pooled over the samples, for n = 2, 3, 4; their product;
// and the share of samples that repeat an earlier one. distinct-n falls as samples are added: compare only at equal counts.
// Where all samples are shorter than n there is nothing to be distinct, and distinct-n is 0.

import { LdlmError } from '../api/errors.js';
import { ngrams, sequenceKey, type TokenSequence } from './ngrams.js';

/** The result of `diversity/v1`. All values but `samples` are in [0, 1]. */
export interface DiversityScore {
  readonly protocol: 'diversity/v1';
  readonly samples: number;
  readonly distinct2: number;
  readonly distinct3: number;
  readonly distinct4: number;
  /** distinct2 * distinct3 * distinct4 */
  readonly product: number;
  readonly duplicates: number;
}

function distinct(samples: readonly TokenSequence[], n: number): number {
  const seen = new Set<string>();
  let total = 0;
  for (const sample of samples) {
    for (const ngram of ngrams(sample, n)) {
      seen.add(ngram);
      total += 1;
    }
  }
  return total === 0 ? 0 : seen.size / total;
}

/** Measures how much samples repeat themselves and each other. Throws `ERR_LDLM_INVALID_ARGUMENT` if there are none. */
export function scoreDiversity(samples: readonly TokenSequence[]): DiversityScore {
  if (samples.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'samples must hold at least one sample, got none');
  const distinct2 = distinct(samples, 2);
  const distinct3 = distinct(samples, 3);
  const distinct4 = distinct(samples, 4);
  const different = new Set(samples.map(sequenceKey)).size;
  return {
    protocol: 'diversity/v1',
    samples: samples.length,
    distinct2,
    distinct3,
    distinct4,
    product: distinct2 * distinct3 * distinct4,
    duplicates: 1 - different / samples.length,
  };
}
