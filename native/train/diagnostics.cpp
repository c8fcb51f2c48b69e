#include "train/diagnostics.h"

#include "ops/philox/philox.h"

namespace ldlm {

LatentStatistics latent_statistics(const Tensor& z0_BND) {
  const Tensor z0 = z0_BND.detach().to(at::kDouble);
  const Tensor centred = (z0 - z0.mean(0, /*keepdim=*/true)).flatten(0, 1);  // [B N, D]
  const Tensor covariance = centred.t().mm(centred) / static_cast<double>(centred.size(0));
  const Tensor spectrum = at::linalg_eigvalsh(covariance).clamp_min(0);
  const Tensor share = spectrum / spectrum.sum().clamp_min(1e-300);
  const Tensor entropy = -(share * at::log(share.clamp_min(1e-300))).sum();
  const Tensor largest_first = spectrum.flip(0).cpu().contiguous();
  return {at::sqrt(at::diag(covariance).mean()).item<double>(), at::exp(entropy).item<double>(),
          {largest_first.const_data_ptr<double>(), largest_first.const_data_ptr<double>() + largest_first.numel()}};
}

ReconstructionAccuracy reconstruction_accuracy(const LDLM& model, const NoiseSchedule& schedule, const Tensor& h_BLH,
                                               const Tensor& ids_BL, const Tensor& real_BL, double decoder_noise, uint64_t seed) {
  at::NoGradGuard no_grad;
  const Tensor z0 = model.encode(h_BLH);
  const auto accuracy = [&](const Tensor& z, const Tensor& counted_BL) {
    return (model.decode(z).eq(ids_BL).logical_and(counted_BL).sum().to(at::kDouble) / counted_BL.sum()).item<double>();
  };
  const auto noise = [&](uint32_t k) {
    return philox_normal({seed, RandomPurpose::kDiagnostics, k}, 0, z0.size(0), z0.sizes().slice(1), z0.device());
  };
  ReconstructionAccuracy result;
  result.clean = accuracy(z0, real_BL);
  result.noisy = accuracy(z0 + decoder_noise * noise(0), real_BL);
  const double variance = (z0 - z0.mean(0, true)).square().mean().item<double>();
  uint32_t k = 1;
  for (const double u : kOneStepTimes) {
    const Tensor u_B = at::full({z0.size(0)}, u, z0.options()), u_BM1 = model.dit.times(u_B);
    const Tensor x = schedule.signal(u_BM1) * z0 + schedule.noise(u_BM1) * noise(k++);
    const Tensor z0_hat = model.denoise(x, u_B, at::zeros_like(z0));
    const Tensor in_flight_BN1 = model.dit.in_flight(u_BM1).expand({-1, z0.size(1), -1});
    // Latent n stands for token n where there are as many; else all tokens are counted.
    const bool one_a_token = z0.size(1) == ids_BL.size(1);
    result.one_step.push_back(accuracy(z0_hat, one_a_token ? real_BL.logical_and(in_flight_BN1.squeeze(-1)) : real_BL));
    const Tensor error = (z0_hat - z0).square().masked_select(in_flight_BN1).mean();
    result.relative_error.push_back(error.item<double>() / std::max(variance, 1e-12));
  }
  return result;
}

}  // namespace ldlm
