#include "diffusion/samplers.h"

#include <algorithm>
#include <cmath>

namespace ldlm {

Tensor sample_ddim(const DenoiseFn& denoise, const NoiseSchedule& schedule, const std::vector<double>& grid, Tensor x, double eta,
                   const NoiseFn& noise) {
  Tensor z0_hat = denoise(x, grid[0]);
  for (size_t k = 0; k + 1 < grid.size(); ++k) {
    const double a = schedule.signal(grid[k]), s = schedule.noise(grid[k]);
    const double a_next = schedule.signal(grid[k + 1]), s_next = schedule.noise(grid[k + 1]);
    const double deviation =
        eta * std::sqrt(std::max(0.0, (1 - a_next * a_next) / (1 - a * a) * (1 - a * a / (a_next * a_next))));
    const double direction = std::sqrt(std::max(0.0, s_next * s_next - deviation * deviation));
    const Tensor eps_hat = (x - a * z0_hat) / s;
    x = a_next * z0_hat + direction * eps_hat;
    if (deviation > 0) x = x + deviation * noise(static_cast<int64_t>(k));
    z0_hat = denoise(x, grid[k + 1]);
  }
  return z0_hat;
}

Tensor sample_staggered(const DenoiseFn& denoise, const NoiseSchedule& schedule, const std::vector<double>& grid, const Tensor& times_SN1, Tensor x,
                        double eta, const NoiseFn& noise) {
  // Of all steps at once, before the loop: a GPU gets them in three copies.
  const auto steps = static_cast<int64_t>(grid.size()) - 1;
  const Tensor a_SN1 = schedule.signal(times_SN1), s_SN1 = schedule.noise(times_SN1);
  const Tensor a = a_SN1.narrow(0, 0, steps), s = s_SN1.narrow(0, 0, steps), a_next = a_SN1.narrow(0, 1, steps), s_next = s_SN1.narrow(0, 1, steps);
  // 0 for a position whose time stays: it is clean already, or its turn has not come.
  const Tensor deviation = eta * s_next / s * at::sqrt((1 - (a / a_next).square()).clamp_min(0));
  const Tensor kept = at::sqrt((s_next.square() - deviation.square()).clamp_min(0)) / s;
  const Tensor of_x = kept.to(x.options()), of_z0 = (a_next - kept * a).to(x.options()), of_noise = deviation.to(x.options());
  Tensor z0_hat = denoise(x, grid[0]);
  for (int64_t k = 0; k < steps; ++k) {
    x = of_x[k] * x + of_z0[k] * z0_hat;
    if (eta > 0) x = x + of_noise[k] * noise(k);
    z0_hat = denoise(x, grid[static_cast<size_t>(k) + 1]);
  }
  return z0_hat;
}

Tensor sample_heun(const DenoiseFn& denoise, const NoiseSchedule& schedule, const std::vector<double>& grid, Tensor x) {
  Tensor z0_hat = denoise(x, grid[0]);
  for (size_t k = 0; k + 1 < grid.size(); ++k) {
    const double s = schedule.noise(grid[k]), s_next = schedule.noise(grid[k + 1]);
    const double rise = schedule.signal(grid[k + 1]) / s_next - schedule.signal(grid[k]) / s;  // of lambda = a / s
    const Tensor predicted = s_next * (x / s + rise * z0_hat);
    const Tensor slope_there = denoise(predicted, grid[k + 1]);
    x = s_next * (x / s + rise * 0.5 * (z0_hat + slope_there));
    z0_hat = denoise(x, grid[k + 1]);
  }
  return z0_hat;
}

Tensor sample_dpmpp(const DenoiseFn& denoise, const NoiseSchedule& schedule, const std::vector<double>& grid, Tensor x, double eta,
                    const NoiseFn& noise) {
  Tensor z0_hat = denoise(x, grid[0]), before;
  double h_before = 0;
  for (size_t k = 0; k + 1 < grid.size(); ++k) {
    const double a = schedule.signal(grid[k]), s = schedule.noise(grid[k]);
    const double a_next = schedule.signal(grid[k + 1]), s_next = schedule.noise(grid[k + 1]);
    const double shrink = a * s_next / (s * a_next);  // exp(-h), h the step in lambda; 0 from pure noise, where lambda is -infinity
    const double h = -std::log(shrink), kept = std::pow(shrink, eta);
    Tensor target = z0_hat;
    if (before.defined() && std::isfinite(h_before)) target = z0_hat + h / (2 * h_before) * (z0_hat - before);
    x = s_next / s * kept * x + a_next * (1 - shrink * kept) * target;
    if (eta > 0) x = x + s_next * std::sqrt(1 - kept * kept) * noise(static_cast<int64_t>(k));
    before = z0_hat;
    h_before = h;
    z0_hat = denoise(x, grid[k + 1]);
  }
  return z0_hat;
}

Tensor sample_sde(const DenoiseFn& denoise, const NoiseSchedule& schedule, const std::vector<double>& grid, Tensor x,
                  const NoiseFn& noise) {
  constexpr double kHighestTime = 0.95;
  Tensor z0_hat = denoise(x, grid[0]);
  for (size_t k = 0; k + 1 < grid.size(); ++k) {
    const double a = schedule.signal(grid[k]), s = schedule.noise(grid[k]);
    const double beta = schedule.beta(std::min(grid[k], kHighestTime));
    const double span = grid[k + 1] - grid[k];  // negative: time runs from noise to data
    const Tensor score = (a * z0_hat - x) / (s * s);
    const Tensor drift = -0.5 * beta * x - beta * score;
    x = x + span * drift + std::sqrt(beta * -span) * noise(static_cast<int64_t>(k));
    z0_hat = denoise(x, grid[k + 1]);
  }
  return z0_hat;
}

}  // namespace ldlm
