// Integrators from noise to data. Each is a function of the exact or learned denoiser and of a grid of schedule times, as in
// k-diffusion; none knows a network. All return the last estimate of z0, not the last x: x at the end of the grid still holds noise.
#pragma once

#include "diffusion/noise_schedule.h"

namespace ldlm {

// (x_u, u) -> z0_hat, the conditional mean of z0.
using DenoiseFn = std::function<Tensor(const Tensor& x, double u)>;
// Standard normal noise of the shape of x for the k-th update.
using NoiseFn = std::function<Tensor(int64_t k)>;

// DDIM (Song et al. 2021) with eta = 0, ancestral DDPM with eta = 1, anything between. `grid` falls from 1.
Tensor sample_ddim(const DenoiseFn& denoise, const NoiseSchedule& schedule, const std::vector<double>& grid, Tensor x, double eta,
                   const NoiseFn& noise);

// sample_ddim where every position has its own time (DiT::times). x [B, N, D]; the grid, of S points, is of the time that all share;
// times [S, N, 1] fp64.
Tensor sample_staggered(const DenoiseFn& denoise, const NoiseSchedule& schedule, const std::vector<double>& grid, const Tensor& times_SN1, Tensor x,
                        double eta, const NoiseFn& noise);

// Heun's second-order method on the probability-flow ODE. In y = x / s and lambda = a / s that ODE is dy/dlambda = z0_hat, finite at
// pure noise (lambda = 0). Two evaluations an interval and one at the end.
Tensor sample_heun(const DenoiseFn& denoise, const NoiseSchedule& schedule, const std::vector<double>& grid, Tensor x);

// DPM-Solver++ 2M (Lu et al. 2022) with eta = 0 and its SDE form with eta = 1, one evaluation a step: the change of z0_hat since the step before
// stands for its slope in lambda = log(a / s). The first step is of first order, which is that of sample_ddim.
Tensor sample_dpmpp(const DenoiseFn& denoise, const NoiseSchedule& schedule, const std::vector<double>& grid, Tensor x, double eta,
                    const NoiseFn& noise);

// Euler-Maruyama on the reverse SDE. beta is taken at min(u, 0.95): it diverges at 1.
Tensor sample_sde(const DenoiseFn& denoise, const NoiseSchedule& schedule, const std::vector<double>& grid, Tensor x,
                  const NoiseFn& noise);

}  // namespace ldlm
