// Closed forms of the noise schedule, the warmup, the counter-based generator and the losses.
#include "diffusion/losses.h"
#include "diffusion/noise_schedule.h"
#include <cmath>
#include <numbers>

#include "ops/philox/philox.h"
#include "ops/philox/philox_round.h"
#include "support.h"

namespace ldlm {

TEST(NoiseSchedule, PreservesVarianceAndFollowsTheTangent) {
  const NoiseSchedule schedule = {3.0};
  for (const double u : {0.001, 0.1, 0.3, 0.5, 0.9, 0.999}) {
    const double a = schedule.signal(u), s = schedule.noise(u);
    EXPECT_NEAR(a * a + s * s, 1.0, 1e-14);
    EXPECT_NEAR(s / a, 3.0 * std::tan(std::numbers::pi * u / 2), 1e-9 * s / a);
    const Tensor u1 = at::full({1}, u, at::kDouble);
    EXPECT_NEAR(schedule.signal(u1).item<double>(), a, 1e-14);
    EXPECT_NEAR(schedule.noise(u1).item<double>(), s, 1e-14);
  }
  EXPECT_EQ(schedule.signal(0.0), 1.0);
  EXPECT_NEAR(schedule.noise(1.0), 1.0, 1e-15);
}

TEST(NoiseSchedule, BetaIsTheRateAtWhichTheSignalDecays) {
  const NoiseSchedule schedule = {3.0};
  for (const double u : {0.05, 0.3, 0.7, 0.95}) {
    const double step = 1e-6;
    const double numeric = -2 * (std::log(schedule.signal(u + step)) - std::log(schedule.signal(u - step))) / (2 * step);
    EXPECT_NEAR(schedule.beta(u), numeric, 1e-5 * numeric);
  }
}

TEST(EncoderWarmup, HasTheValuesOfTheClosedForm) {
  const EncoderWarmup warmup = {50000, 10, 0.8, 0.001, 1.0};
  const std::pair<double, double> expected[] = {{0, .001}, {.25, .005}, {.5, .054}, {.6, .136}, {.7, .306}, {.8, .568}, {.9, .830}, {1, 1}};
  for (const auto& [progress, gamma] : expected) {
    EXPECT_NEAR(diffusion_to_encoder_scale(warmup, static_cast<int64_t>(progress * 50000)), gamma, 6e-4) << progress;
  }
  EXPECT_EQ(diffusion_to_encoder_scale(warmup, 70000), 1.0);
  EXPECT_EQ(diffusion_to_encoder_scale({100, 10, 0.8, 0.001, 0.1}, 100), 0.1);
}

TEST(Losses, CountRealTokensOnly) {
  const Tensor real = at::tensor({1, 1, 0}, at::kInt).to(at::kBool).view({1, 3});
  const Tensor h = at::zeros({1, 3, 2}), h_hat = at::ones({1, 3, 2}) * at::tensor({1.f, 2.f, 100.f}).view({1, 3, 1});
  EXPECT_FLOAT_EQ(hidden_mse_sum(h_hat, h, real).item<float>(), 1 + 4);
}

TEST(Losses, ScaleGradientKeepsTheValue) {
  const Tensor z = at::randn({4}).requires_grad_();
  const Tensor scaled = scale_gradient(z, 0.25);
  EXPECT_TRUE(at::equal(scaled, z));
  const auto gradient = torch::autograd::grad({scaled.sum()}, {z});
  EXPECT_TRUE(at::allclose(gradient[0], at::full({4}, 0.25)));
}

TEST(Philox, MatchesTheKnownAnswersOfItsAuthors) {
  // Random123's known-answer vectors for philox4x32-10.
  const PhiloxBlock zero = philox_4x32_10({{0, 0, 0, 0}}, 0, 0);
  EXPECT_EQ(zero.word[0], 0x6627e8d5u);
  EXPECT_EQ(zero.word[1], 0xe169c58du);
  EXPECT_EQ(zero.word[2], 0xbc57ac4cu);
  EXPECT_EQ(zero.word[3], 0x9b00dbd8u);
  const PhiloxBlock ones = philox_4x32_10({{~0u, ~0u, ~0u, ~0u}}, ~0u, ~0u);
  EXPECT_EQ(ones.word[0], 0x408f276du);
  EXPECT_EQ(ones.word[1], 0x41c83b0eu);
  EXPECT_EQ(ones.word[2], 0xa20bc7c6u);
  EXPECT_EQ(ones.word[3], 0x6d5451fdu);
}

TEST(Philox, RowsDoNotDependOnTheBatchAndAreNormal) {
  const RandomStream stream = {42, RandomPurpose::kInitialNoise, 7};
  const int64_t shape[] = {33, 31};
  const Tensor all = philox_normal(stream, 0, 64, shape, at::kCPU);
  EXPECT_TRUE(at::equal(all.narrow(0, 5, 3), philox_normal(stream, 5, 3, shape, at::kCPU)));
  const double count = static_cast<double>(all.numel());
  EXPECT_NEAR(all.mean().item<double>(), 0, 4 / std::sqrt(count));
  EXPECT_NEAR(all.var().item<double>(), 1, 6 / std::sqrt(count));
  EXPECT_NEAR(all.to(at::kDouble).pow(4).mean().item<double>(), 3, 40 / std::sqrt(count));
  EXPECT_FALSE(at::equal(all, philox_normal({42, RandomPurpose::kInitialNoise, 8}, 0, 64, shape, at::kCPU)));
  EXPECT_FALSE(at::equal(all, philox_normal({42, RandomPurpose::kSamplerNoise, 7}, 0, 64, shape, at::kCPU)));
}

}  // namespace ldlm
