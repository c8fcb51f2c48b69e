// Every sampler with the exact denoiser of a Gaussian must reproduce its mean and variance: no network, and nearly every bug shows.
#include "diffusion/samplers.h"

#include <cmath>

#include "ops/philox/philox.h"
#include "support.h"

namespace ldlm {

namespace {

constexpr double kMean = 0.7, kVariance = 0.25, kLastTime = 0.02;
constexpr int64_t kCount = 20000;
const NoiseSchedule kSchedule = {3.0};

// E[z0 | x_u] for z0 ~ N(kMean, kVariance).
Tensor exact_denoiser(const Tensor& x, double u) {
  const double a = kSchedule.signal(u), s = kSchedule.noise(u);
  return (kMean / kVariance + a / (s * s) * x) / (1 / kVariance + a * a / (s * s));
}

std::vector<double> uniform_grid(int64_t points) {
  std::vector<double> grid;
  for (int64_t i = 0; i < points; ++i) grid.push_back(1 + (kLastTime - 1) * static_cast<double>(i) / static_cast<double>(points - 1));
  return grid;
}

Tensor start() { return philox_normal({1, RandomPurpose::kInitialNoise, 0}, 0, kCount, {1}, at::kCPU).to(at::kDouble); }
Tensor noise(int64_t k) {
  return philox_normal({1, RandomPurpose::kSamplerNoise, static_cast<uint32_t>(k)}, 0, kCount, {1}, at::kCPU).to(at::kDouble);
}

// The last z0_hat is a conditional mean: its variance is that of z0 less what x at the last time leaves unknown.
void expect_gaussian(const Tensor& z0_hat, double tolerance) {
  const double a = kSchedule.signal(kLastTime), s = kSchedule.noise(kLastTime);
  const double explained = a * a * kVariance / (a * a * kVariance + s * s);
  EXPECT_NEAR(z0_hat.mean().item<double>(), kMean, tolerance);
  EXPECT_NEAR(z0_hat.var().item<double>() / (kVariance * explained), 1.0, 2 * tolerance);
}

}  // namespace

TEST(Samplers, DdimReproducesAGaussian) { expect_gaussian(sample_ddim(exact_denoiser, kSchedule, uniform_grid(400), start(), 0, noise), 0.02); }

// Positions that become clean one after another, from the exact denoiser of each one's own time.
TEST(Samplers, StaggeredReproducesAGaussianAtEveryPosition) {
  constexpr int64_t kPositions = 3;
  const auto times = [](double u) {
    const double share = (u - kLastTime) / (1 - kLastTime);
    return (3 * share - 2 + at::arange(kPositions, at::kDouble)).clamp(kLastTime, 0.999).unsqueeze(-1);
  };
  const DenoiseFn denoise = [&](const Tensor& x, double u) {
    const Tensor a = kSchedule.signal(times(u)), s = kSchedule.noise(times(u));
    return (kMean / kVariance + a / s.square() * x) / (1 / kVariance + (a / s).square());
  };
  const auto noise_at = [](RandomPurpose purpose, int64_t k) {
    return philox_normal({1, purpose, static_cast<uint32_t>(k)}, 0, kCount, {kPositions, 1}, at::kCPU).to(at::kDouble);
  };
  const Tensor x = noise_at(RandomPurpose::kInitialNoise, 0);
  const auto grid = uniform_grid(2400);
  std::vector<Tensor> times_S;
  for (const double u : grid) times_S.push_back(times(u));
  for (const double eta : {0.0, 0.5, 1.0}) {
    const auto noise = [&](int64_t k) { return noise_at(RandomPurpose::kSamplerNoise, k); };
    const Tensor z0_hat = sample_staggered(denoise, kSchedule, grid, at::stack(times_S), x, eta, noise);
    for (int64_t n = 0; n < kPositions; ++n) expect_gaussian(z0_hat.select(1, n), 0.02);
  }
}

TEST(Samplers, StaggeredIsDdimWhereAllPositionsHaveTheSameTime) {
  auto grid = uniform_grid(20);
  grid[0] = 0.999;
  const Tensor x = start().unsqueeze(-1);
  const auto wider = [](int64_t k) { return noise(k).unsqueeze(-1); };
  for (const double eta : {0.0, 0.5, 1.0}) {
    const Tensor ours = sample_staggered(exact_denoiser, kSchedule, grid, at::tensor(grid, at::kDouble).view({-1, 1, 1}), x, eta, wider);
    EXPECT_LT(test::max_difference(ours, sample_ddim(exact_denoiser, kSchedule, grid, x, eta, wider)), 1e-10);
  }
}

TEST(Samplers, DdpmReproducesAGaussian) { expect_gaussian(sample_ddim(exact_denoiser, kSchedule, uniform_grid(400), start(), 1, noise), 0.02); }

TEST(Samplers, HalfwayEtaReproducesAGaussian) {
  expect_gaussian(sample_ddim(exact_denoiser, kSchedule, uniform_grid(400), start(), 0.5, noise), 0.02);
}

TEST(Samplers, SdeReproducesAGaussian) { expect_gaussian(sample_sde(exact_denoiser, kSchedule, uniform_grid(1000), start(), noise), 0.03); }

TEST(Samplers, HeunReproducesAGaussianInFewSteps) {
  expect_gaussian(sample_heun(exact_denoiser, kSchedule, uniform_grid(60), start()), 0.02);
}

TEST(Samplers, DpmppReproducesAGaussianInFewSteps) {
  expect_gaussian(sample_dpmpp(exact_denoiser, kSchedule, uniform_grid(100), start(), 0, noise), 0.02);
  expect_gaussian(sample_dpmpp(exact_denoiser, kSchedule, uniform_grid(200), start(), 1, noise), 0.02);
}

// With one step there is no step before: first order, and so DDIM's and DDPM's.
TEST(Samplers, DpmppTakesItsFirstStepAsDdimDoes) {
  for (const double eta : {0.0, 1.0}) {
    const Tensor x = start(), ours = sample_dpmpp(exact_denoiser, kSchedule, {0.9, 0.4}, x, eta, noise);
    EXPECT_LT(test::max_difference(ours, sample_ddim(exact_denoiser, kSchedule, {0.9, 0.4}, x, eta, noise)), 1e-12);
  }
}

TEST(Samplers, HeunAndDpmppAreOfSecondOrderAndDdimOfFirst) {
  const Tensor x = start();
  const Tensor exact = sample_heun(exact_denoiser, kSchedule, uniform_grid(4001), x);
  const auto error = [&](const Tensor& z) { return (z - exact).abs().max().item<double>(); };
  const auto heun = [&](int64_t intervals) { return error(sample_heun(exact_denoiser, kSchedule, uniform_grid(intervals + 1), x)); };
  const auto ddim = [&](int64_t intervals) { return error(sample_ddim(exact_denoiser, kSchedule, uniform_grid(intervals + 1), x, 0, noise)); };
  const auto dpmpp = [&](int64_t intervals) { return error(sample_dpmpp(exact_denoiser, kSchedule, uniform_grid(intervals + 1), x, 0, noise)); };
  EXPECT_NEAR(std::log2(heun(80) / heun(160)), 2, 0.4);
  EXPECT_NEAR(std::log2(dpmpp(80) / dpmpp(160)), 2, 0.4);
  EXPECT_NEAR(std::log2(ddim(80) / ddim(160)), 1, 0.3);
}

TEST(Samplers, OneEvaluationReturnsTheMeanGivenPureNoise) {
  EXPECT_NEAR(sample_ddim(exact_denoiser, kSchedule, {1.0}, start(), 1, noise).mean().item<double>(), kMean, 1e-6);
}

}  // namespace ldlm
