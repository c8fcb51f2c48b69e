// Protocol `reconstruction/v1`: how much of a text survives text -> latents -> text. Token accuracy: the share of a text's tokens, the end
// token included, that come back at their place, averaged over the texts; once from the clean latents and once from latents with
// Gaussian noise of deviation sigma_dec, the noise that the decoder is trained with.

import { LdlmError } from '../api/errors.js';

/** The result of `reconstruction/v1`. Accuracies are in [0, 1]. */
export interface ReconstructionScore {
  readonly protocol: 'reconstruction/v1';
  readonly samples: number;
  readonly clean: number;
  readonly noisy: number;
  /** Deviation of the noise of `noisy`: sigma_dec. */
  readonly noise: number;
}

/** Averages the token accuracies of the same texts without and with noise. */
export function scoreReconstruction(clean: readonly number[], noisy: readonly number[], noise: number): ReconstructionScore {
  if (clean.length === 0 || clean.length !== noisy.length) {
    throw new LdlmError('ERR_LDLM_INVALID_ARGUMENT', `accuracies must come for one text or more, with and without noise, got ${clean.length} and ${noisy.length}`);
  }
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { protocol: 'reconstruction/v1', samples: clean.length, clean: mean(clean), noisy: mean(noisy), noise };
}
