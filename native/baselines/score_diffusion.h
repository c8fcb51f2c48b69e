// Sampler of SEDD with an absorbing state (Lou et al. 2024): the network gives ratios of probabilities, "concrete scores", and a step is
// their Tweedie denoiser ("analytic" sampling). Log-linear noise, alpha = exp(-sigma) = 1 - (1 - 1e-3) t.
#pragma once

#include "baselines/token_sampler.h"

namespace ldlm {

// The denoiser's outputs are log(score_j) + log(exp(sigma) - 1), which are log-probabilities if the network is exact, and not normalised
// otherwise: so the chance of a mask to go, (exp(sigma_t - sigma_s) - 1) sum_j score_j, needs the sum over V at every mask. fp64.
TokenSample sample_absorbing_score(const TokenDenoiser& denoise, const TokenSampling& sampling, const TokenObserver& observe);

}  // namespace ldlm
