// What the perplexity protocols need of a scorer, as a function: a test gives a table in its place.

import { LdlmError } from '../api/errors.js';

export type TokenRow = readonly number[];

/** For every row of token ids, log p(token i | tokens 0..i - 1) in nats; what stands at i = 0 is not read. */
export type LogLikelihoods = (rows: readonly TokenRow[]) => Promise<readonly ArrayLike<number>[]>;

/** -sum and count of the log-likelihoods from `from` on. */
export function negativeSum(values: ArrayLike<number>, from: number): { nll: number; tokens: number } {
  let nll = 0;
  for (let i = from; i < values.length; i++) nll -= values[i]!;
  return { nll, tokens: Math.max(0, values.length - from) };
}

/** @throws LdlmError ERR_LDLM_INVALID_ARGUMENT if nothing could be scored */
export function requireTokens(tokens: number, protocol: string): void {
  if (tokens > 0) return;
  throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `${protocol} must have a token to score, got samples that are all empty or of one token. Train the model longer, or look at its samples`);
}
