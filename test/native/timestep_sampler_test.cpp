// The learned warp: isotonic fit, linear loss in t, fading evidence, and that bad checkpoints are refused.
#include "diffusion/timestep_sampler.h"

#include <cmath>

#include "support.h"

namespace ldlm {

namespace {

const AdaptiveTimesteps kAdaptive = {100, 0.99, 20, 0.05};

// Feeds `steps` stratified batches of the loss curve `loss(u)` to the sampler.
template <typename Curve>
void feed(TimestepSampler& sampler, int64_t first, int64_t steps, Curve loss) {
  constexpr int64_t kBatch = 64;
  for (int64_t step = first; step < first + steps; ++step) {
    std::vector<float> u, values;
    for (int64_t j = 0; j < kBatch; ++j) {
      u.push_back(static_cast<float>(sampler.sample(j, kBatch, std::fmod(0.618 * static_cast<double>(step), 1.0))));
      values.push_back(static_cast<float>(loss(u.back())));
    }
    sampler.update(step, at::tensor(u), at::tensor(values));
  }
}

double curve(double u) { return 1 / (1 + std::exp(-12 * (u - 0.4))); }

}  // namespace

TEST(IsotonicFit, PoolsViolatorsAndInterpolatesGaps) {
  EXPECT_EQ(isotonic_fit({1, 3, 2, 4}, {1, 1, 1, 1}), (std::vector<double>{1, 2.5, 2.5, 4}));
  EXPECT_EQ(isotonic_fit({1, 3, 2, 4}, {1, 3, 1, 1}), (std::vector<double>{1, 2.75, 2.75, 4}));
  EXPECT_EQ(isotonic_fit({1, 99, 3}, {1, 0, 1}), (std::vector<double>{1, 2, 3}));
  EXPECT_TRUE(isotonic_fit({1, 2}, {0, 0}).empty());
}

TEST(TimestepSampler, MakesTheExpectedLossLinearInUniformTime) {
  TimestepSampler sampler(kAdaptive, 100000);
  feed(sampler, 0, 2000, curve);
  const double low = curve(0), high = curve(1);
  for (double t = 0.05; t < 1; t += 0.05) {
    // 5 % of the density stays uniform, so the loss is linear up to that share.
    EXPECT_NEAR((curve(sampler.schedule_time(t)) - low) / (high - low), t, 0.04) << t;
    EXPECT_NEAR(sampler.uniform_time(sampler.schedule_time(t)), t, 1e-9);
  }
}

TEST(TimestepSampler, ForgetsHighLossesOfEarlyTraining) {
  TimestepSampler sampler(kAdaptive, 100000);
  feed(sampler, 0, 200, [](double) { return 1.0; });
  feed(sampler, 200, 2000, curve);
  EXPECT_NEAR((curve(sampler.schedule_time(0.5)) - curve(0)) / (curve(1) - curve(0)), 0.5, 0.05);
}

TEST(TimestepSampler, StaysUniformAtFirstAndFreezesAtTheEnd) {
  TimestepSampler sampler(kAdaptive, 1000);
  feed(sampler, 0, 59, curve);
  EXPECT_NEAR(sampler.schedule_time(0.3), 0.3, 1e-12);
  feed(sampler, 59, 841, curve);
  const double before = sampler.schedule_time(0.3);
  EXPECT_GT(std::abs(before - 0.3), 0.01);
  feed(sampler, 901, 99, [](double u) { return u; });
  EXPECT_EQ(sampler.schedule_time(0.3), before);
}

TEST(TimestepSampler, WithoutAdaptationIsUniform) {
  TimestepSampler sampler(std::nullopt, 1000);
  feed(sampler, 0, 100, curve);
  EXPECT_DOUBLE_EQ(sampler.schedule_time(0.37), 0.37);
  const std::vector<double> grid = sampler.grid(5, 0.2);
  EXPECT_EQ(grid.size(), 5u);
  EXPECT_DOUBLE_EQ(grid.front(), 1.0);
  EXPECT_NEAR(grid.back(), 0.2, 1e-12);
  EXPECT_EQ(sampler.grid(1, 0.2), std::vector<double>{1.0});
}

TEST(TimestepSampler, RestoresItsStateAndRefusesABrokenOne) {
  TimestepSampler sampler(kAdaptive, 100000), other(kAdaptive, 100000);
  feed(sampler, 0, 100, curve);
  other.restore(sampler.state());
  EXPECT_EQ(other.schedule_time(0.3), sampler.schedule_time(0.3));
  TimestepSampler::State broken = sampler.state();
  std::swap(broken.cumulative[3], broken.cumulative[4]);
  EXPECT_THROW(other.restore(broken), c10::ValueError);
  broken = sampler.state();
  broken.loss_sum.pop_back();
  EXPECT_THROW(other.restore(broken), c10::ValueError);
}

}  // namespace ldlm
