// Sampler of uniform-state diffusion (Duo, Sahoo et al. 2025; posterior of Austin et al. 2021 and Schiff et al. 2024): noise replaces
// tokens by uniform ones, so every token may change in every step, and its chance to stay needs the softmax over V at every position.
// Log-linear schedule, alpha = 1 - t.
#pragma once

#include "baselines/token_sampler.h"

namespace ldlm {

// With x the network's distribution at a position that holds z, a = alpha_t / alpha_s and K = V:
//   p(z_s = j) = (a [j = z] + (1 - a)/K) (alpha_s x_j + (1 - alpha_s)/K) / Z,   Z = a (alpha_s x_z + (1 - alpha_s)/K) + (1 - a)/K
// Exact where x is that of the clean token given the *other* positions, which is the optimum of the model's bound. A mixture of
// three: keep z; draw from x; draw uniformly. So only the sum of the softmax and x_z are needed where z is kept. fp64.
TokenSample sample_uniform_state(const TokenDenoiser& denoise, const TokenSampling& sampling, const TokenObserver& observe);

}  // namespace ldlm
