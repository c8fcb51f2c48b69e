// Protocol `genppl/sedd-v1` (after Lou et al. 2024): the model's own token ids, without a round trip through text, all tokens but the
// first of a sample, which nothing precedes.
//   perplexity = mean over samples of exp(mean of -log p)
// The model and the scorer must have the same tokenizer. A few samples with a huge perplexity can dominate this mean.

import { LdlmError } from '../api/errors.js';
import { type LogLikelihoods, negativeSum, requireTokens, type TokenRow } from './token_scores.js';

/** The result of `genppl/sedd-v1`. */
export interface SeddPerplexity {
  readonly protocol: 'genppl/sedd-v1';
  readonly samples: number;
  readonly perplexity: number;
  readonly scoredTokens: number;
  /** Samples of less than two tokens: they have no part in the perplexity. */
  readonly unscored: number;
}

/** Scores samples of the model's token ids, which must be the scorer's. */
export async function scoreGenPplSedd(samples: readonly TokenRow[], logLikelihoods: LogLikelihoods): Promise<SeddPerplexity> {
  if (samples.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'samples must hold at least one sample, got none');
  const rows = samples.filter((ids) => ids.length > 1);
  const sums = (await logLikelihoods(rows)).map((row) => negativeSum(row, 1));
  const scoredTokens = sums.reduce((sum, { tokens }) => sum + tokens, 0);
  requireTokens(scoredTokens, 'genppl/sedd-v1');
  return {
    protocol: 'genppl/sedd-v1',
    samples: samples.length,
    perplexity: sums.reduce((sum, { nll, tokens }) => sum + Math.exp(nll / tokens), 0) / sums.length,
    scoredTokens,
    unscored: samples.length - rows.length,
  };
}
