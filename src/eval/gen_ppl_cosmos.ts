// Protocol `genppl/cosmos-v1` (after Meshchaninov et al. 2025): texts tokenized by the scorer with its beginning-of-text token before
// them, so that every token of the text is scored; per text exp(mean of -log p); then the mean over the texts without the
// floor(5 %) lowest and the floor(5 %) highest (the trimmed mean of statistics at 0.05).
// Texts longer than the scorer's positions are cut; an empty text has no perplexity and no part in the mean.

import { LdlmError } from '../api/errors.js';
import { type LogLikelihoods, negativeSum, requireTokens, type TokenRow } from './token_scores.js';

const TRIMMED_SHARE = 0.05;
/** With fewer texts nothing would be trimmed, which is another protocol. */
export const FEWEST_COSMOS_TEXTS = 20;

/** The result of `genppl/cosmos-v1`. */
export interface CosmosPerplexity {
  readonly protocol: 'genppl/cosmos-v1';
  readonly samples: number;
  readonly perplexity: number;
  readonly scoredTokens: number;
  readonly unscored: number;
  /** Texts that were cut to the scorer's positions. */
  readonly truncated: number;
}

export interface CosmosPerplexityOptions {
  /** The scorer's beginning-of-text token. */
  beginId: number;
  /** Longest row that the scorer takes. */
  positions: number;
  logLikelihoods: LogLikelihoods;
}

/** Scores texts given as the scorer's token ids. */
export async function scoreGenPplCosmos(texts: readonly TokenRow[], options: CosmosPerplexityOptions): Promise<CosmosPerplexity> {
  const { beginId, positions } = options;
  const rows = texts.filter((ids) => ids.length > 0).map((ids) => [beginId, ...ids].slice(0, positions));
  if (rows.length < FEWEST_COSMOS_TEXTS) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `genppl/cosmos-v1 must have at least ${FEWEST_COSMOS_TEXTS} texts that are not empty, or nothing is trimmed; got ${rows.length}`);
  }
  const sums = (await options.logLikelihoods(rows)).map((row) => negativeSum(row, 1));
  const scoredTokens = sums.reduce((sum, { tokens }) => sum + tokens, 0);
  requireTokens(scoredTokens, 'genppl/cosmos-v1');
  return {
    protocol: 'genppl/cosmos-v1',
    samples: texts.length,
    perplexity: trimmedMean(sums.map(({ nll, tokens }) => Math.exp(nll / tokens)), TRIMMED_SHARE),
    scoredTokens,
    unscored: texts.length - rows.length,
    truncated: texts.filter((ids) => ids.length + 1 > positions).length,
  };
}

/** The mean without the floor(share n) lowest and as many highest values. */
function trimmedMean(values: readonly number[], share: number): number {
  const cut = Math.floor(share * values.length);
  const kept = values.toSorted((a, b) => a - b).slice(cut, values.length - cut);
  return kept.reduce((sum, value) => sum + value, 0) / kept.length;
}
