// Protocol `genppl/mdlm-v1` (after Sahoo et al. 2024): samples as text, tokenized anew by the scorer, cut to the model's length, scored in
// windows that do not overlap, of at most 1024 tokens (the scorer's positions if fewer). The first token of a window is not scored.
// Tokens after a sample's first end-of-text token are left out; that first one counts.
//   perplexity = exp(sum of -log p / number of scored tokens), over the whole corpus
// Scorer gpt2-large unless named. Known to be lowered by repetition: read it beside an entropy.

import { LdlmError } from '../api/errors.js';
import { type LogLikelihoods, negativeSum, requireTokens, type TokenRow } from './token_scores.js';

const LARGEST_WINDOW = 1024;

/** The result of `genppl/mdlm-v1`. */
export interface MdlmPerplexity {
  readonly protocol: 'genppl/mdlm-v1';
  readonly samples: number;
  readonly perplexity: number;
  readonly scoredTokens: number;
  readonly window: number;
  /** Samples without a token to score: they have no part in the perplexity. */
  readonly unscored: number;
}

export interface MdlmPerplexityOptions {
  /** Samples are cut to this many tokens: the model's length L. */
  length: number;
  /** Longest row that the scorer takes. */
  positions: number;
  /** The scorer's end-of-text token. */
  endId: number;
  logLikelihoods: LogLikelihoods;
}

/** Scores samples of the scorer's token ids. */
export async function scoreGenPplMdlm(samples: readonly TokenRow[], options: MdlmPerplexityOptions): Promise<MdlmPerplexity> {
  if (samples.length === 0) throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', 'samples must hold at least one sample, got none');
  const { length, endId } = options;
  const window = Math.min(LARGEST_WINDOW, options.positions);
  const cut = samples.map((ids) => {
    const end = ids.indexOf(endId);
    return ids.slice(0, Math.min(length, end < 0 ? ids.length : end + 1));
  });
  const rows = cut.flatMap((ids) => windows(ids, window)).filter((row) => row.length > 1);
  const sums = (await options.logLikelihoods(rows)).map((row) => negativeSum(row, 1));
  const scoredTokens = sums.reduce((sum, { tokens }) => sum + tokens, 0);
  requireTokens(scoredTokens, 'genppl/mdlm-v1');
  return {
    protocol: 'genppl/mdlm-v1',
    samples: samples.length,
    perplexity: Math.exp(sums.reduce((sum, { nll }) => sum + nll, 0) / scoredTokens),
    scoredTokens,
    window,
    unscored: cut.filter((ids) => ids.length < 2).length,
  };
}

function windows(ids: TokenRow, size: number): TokenRow[] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ids.slice(i * size, (i + 1) * size));
}
