#include "diffusion/losses.h"

#include <cmath>

namespace ldlm {

Tensor hidden_mse_sum(const Tensor& h_hat_BLH, const Tensor& h_BLH, const Tensor& real_BL) {
  const Tensor squared_BL = (h_hat_BLH.to(at::kFloat) - h_BLH).square().mean(-1);
  return (squared_BL * real_BL).sum();
}

Tensor diffusion_mse(const Tensor& z0_hat_BND, const Tensor& z0_BND) {
  return (z0_hat_BND.to(at::kFloat) - z0_BND).square().mean({1, 2});
}

Tensor scale_gradient(const Tensor& z, double scale) { return scale_gradient(z, at::scalar_tensor(scale, at::kDouble)); }

Tensor scale_gradient(const Tensor& z, const Tensor& scale) {
  const Tensor still = z.detach();
  return still + scale * (z - still);
}

double diffusion_to_encoder_scale(const EncoderWarmup& warmup, int64_t step) {
  const double progress = static_cast<double>(step) / warmup.steps;
  if (progress >= 1.0) return warmup.max;
  const auto sigmoid = [&](double x) { return 1.0 / (1.0 + std::exp(-warmup.k * (x - warmup.c))); };
  return warmup.min + (warmup.max - warmup.min) * (sigmoid(progress) - sigmoid(0)) / (sigmoid(1) - sigmoid(0));
}

}  // namespace ldlm
