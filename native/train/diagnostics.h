// Collapse diagnostics. In a collapsed run the denoising loss and the reconstruction from clean latents look perfect; what shows the
// collapse is the variance of z0 over the data, its effective rank, and what survives the decoder-input noise.
#pragma once

#include "diffusion/noise_schedule.h"
#include "model/ldlm.h"

namespace ldlm {

struct LatentStatistics {
  double deviation;       // root of the mean over N, D of the variance of z0 over the batch
  double effective_rank;  // exp(entropy of the normalised eigenvalues of the covariance of z0), 1 to D
  std::vector<double> spectrum;  // [D], those eigenvalues, largest first; their mean is deviation^2
};
// z0 [B, N, D]; the mean over the batch at each position is taken out first, so that a vector shared by all data counts as nothing.
LatentStatistics latent_statistics(const Tensor& z0_BND);

struct ReconstructionAccuracy {
  double clean;                        // token accuracy decoding z0
  double noisy;                        // decoding z0 + sigma_dec eps
  // At kOneStepTimes, with stagger of the positions in flight:
  std::vector<double> one_step;        // decoding DiT(x_u, u, 0)
  std::vector<double> relative_error;  // mean (z0_hat - z0)^2 over the variance of z0
};
inline constexpr double kOneStepTimes[] = {0.2, 0.4, 0.6, 0.8};

// h [B, L, H] normalised hidden states, ids [B, L], real [B, L] bool.
ReconstructionAccuracy reconstruction_accuracy(const LDLM& model, const NoiseSchedule& schedule, const Tensor& h_BLH, const Tensor& ids_BL,
                                               const Tensor& real_BL, double decoder_noise, uint64_t seed);

}  // namespace ldlm
