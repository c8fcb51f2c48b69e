// The losses of joint training, and the gate that scales what the diffusion loss may do to the encoder.
// Sums, not means: a batch may be cut into parts, and each part divides by the count of the whole batch.
#pragma once

#include "torch.h"

namespace ldlm {

// Sum over real tokens of mean over H of (h_hat - h)^2. real [B, L] bool.
Tensor hidden_mse_sum(const Tensor& h_hat_BLH, const Tensor& h_BLH, const Tensor& real_BL);

// Per sample mean over N, D of (z0_hat - z0)^2, no SNR weight -> [B]
Tensor diffusion_mse(const Tensor& z0_hat_BND, const Tensor& z0_BND);

// z in value; its gradient times the scale: sg(z) + scale (z - sg(z)).
Tensor scale_gradient(const Tensor& z, double scale);
Tensor scale_gradient(const Tensor& z, const Tensor& scale);

// Diffusion-to-encoder warmup, the paper's eq. 29-30: a sigmoid in step / steps from `min` to `max`, constant afterwards.
//   r(s) = sigmoid(k (s / steps - c)),  gamma(s) = min + (max - min) (r(s) - r(0)) / (r(steps) - r(0))
struct EncoderWarmup {
  double steps, k, c, min, max;
};
double diffusion_to_encoder_scale(const EncoderWarmup& warmup, int64_t step);

}  // namespace ldlm
