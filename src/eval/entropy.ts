// Protocol `entropy/model-tokens-nats`: how varied the tokens of samples are. Per sample -sum p ln p over the unigram counts of
// the model's own token ids, averaged over the samples. Its ceiling is ln L: compare only at equal length and tokenizer.
// An empty sample has entropy 0. `pooled` is the same sum over the counts of all samples together: it sees samples that are
// varied each but all alike, and its ceiling is ln of the vocabulary size.

import { LdlmError } from '../api/errors.js';

/** The result of `entropy/model-tokens-nats`, in nats. */
export interface EntropyScore {
  readonly protocol: 'entropy/model-tokens-nats';
  readonly samples: number;
  readonly entropy: number;
  readonly pooled: number;
}

function entropyOfCounts(counts: Iterable<number>, total: number): number {
  let entropy = 0;
  for (const count of counts) entropy -= (count / total) * Math.log(count / total);
  return entropy;
}

/** Measures the unigram entropy of samples of token ids, special tokens left out by the caller. Throws `ERR_LDLM_INVALID_ARGUMENT` if there are none. */
export function scoreEntropy(samples: readonly ArrayLike<number>[]): EntropyScore {
  if (samples.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'samples must hold at least one sample, got none');
  const pooled = new Map<number, number>();
  let tokens = 0;
  let sum = 0;
  for (const ids of samples) {
    const counts = new Map<number, number>();
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      counts.set(id, (counts.get(id) ?? 0) + 1);
      pooled.set(id, (pooled.get(id) ?? 0) + 1);
    }
    tokens += ids.length;
    sum += entropyOfCounts(counts.values(), ids.length);
  }
  return {
    protocol: 'entropy/model-tokens-nats',
    samples: samples.length,
    entropy: sum / samples.length,
    pooled: entropyOfCounts(pooled.values(), tokens),
  };
}
