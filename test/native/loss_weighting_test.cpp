// The weights of the denoiser's gradient by time: the inverse of a known loss, their mean, and that they survive a checkpoint.
#include "diffusion/loss_weighting.h"

#include "support.h"

namespace ldlm {

namespace {

constexpr double kFloor = 0.1;

Tensor times_of(int64_t step) {
  auto generator = at::detail::createCPUGenerator(static_cast<uint64_t>(step));
  return at::rand({8, 6, 1}, generator, at::TensorOptions(at::kFloat));
}

Tensor loss_at(const Tensor& times) { return times.lt(0.5).to(at::kFloat) * 0.1 + times.ge(0.5).to(at::kFloat) * 0.9; }

LossWeighting fed(int64_t steps) {
  LossWeighting weighting(kFloor, at::kCPU);
  for (int64_t step = 0; step < steps; ++step) weighting.update(times_of(step), loss_at(times_of(step)));
  return weighting;
}

}  // namespace

TEST(LossWeighting, IsTheInverseOfTheLossAtATimeAndItsMeanIsOne) {
  const LossWeighting weighting = fed(400);
  const Tensor weights = weighting.weights(at::tensor({0.1f, 0.4f, 0.6f, 1.0f}));
  // 1 / (0.1 + 0.1) against 1 / (0.9 + 0.1); half of the times have each.
  EXPECT_NEAR((weights[0] / weights[3]).item<double>(), 5, 0.01);
  EXPECT_TRUE(at::allclose(weights[0], weights[1], 1e-3));
  EXPECT_NEAR(weighting.weights(at::linspace(0.0125, 0.9875, 40)).mean().item<double>(), 1, 0.1);
}

TEST(LossWeighting, BeginsAtOneAndKeepsTheShape) {
  const LossWeighting weighting(kFloor, at::kCPU);
  const Tensor times = at::linspace(0.01, 1, 12).view({2, 6, 1});
  EXPECT_TRUE(at::allclose(weighting.weights(times), at::ones({2, 6, 1})));
}

TEST(LossWeighting, CleanPositionsHaveNoWeightAndAreNotCounted) {
  LossWeighting weighting(kFloor, at::kCPU);
  for (int64_t step = 0; step < 200; ++step) weighting.update(at::tensor({0.001f, 0.01f}), at::tensor({0.0f, 0.4f}));
  const Tensor weights = weighting.weights(at::tensor({0.001f, 0.01f}));  // of one bin
  EXPECT_EQ(weights[0].item<float>(), 0);
  EXPECT_NEAR((weighting.state().at("loss_weighting.loss_sum")[0] / weighting.state().at("loss_weighting.weight_sum")[0]).item<double>(), 0.4, 1e-3);
}

TEST(LossWeighting, ABinThatIsNeverVisitedStaysFinite) {
  LossWeighting weighting(kFloor, at::kCPU);
  for (int64_t step = 0; step < 30000; ++step) weighting.update(at::tensor({0.9f}), at::tensor({0.5f}));
  EXPECT_TRUE(at::isfinite(weighting.weights(at::tensor({0.1f, 0.9f}))).all().item<bool>());
}

TEST(LossWeighting, WithoutAFloorWeighsAllAlikeAndHasNoState) {
  const LossWeighting none(std::nullopt, at::kCPU);
  EXPECT_TRUE(at::equal(none.weights(at::tensor({0.0f, 0.7f})), at::ones({2})));
  EXPECT_TRUE(none.state().empty());
}

TEST(LossWeighting, RestoresItsStateAndRefusesAnother) {
  const LossWeighting weighting = fed(50);
  TensorMap saved;
  for (const auto& [name, tensor] : weighting.state()) saved[name] = tensor.clone();
  LossWeighting other(kFloor, at::kCPU);
  other.restore(saved);
  const Tensor times = at::linspace(0, 1, 50);
  EXPECT_TRUE(at::equal(other.weights(times), weighting.weights(times)));
  saved["loss_weighting.loss_sum"] = at::ones({3}, at::kDouble);
  EXPECT_THROW(other.restore(saved), c10::ValueError);
  EXPECT_THROW(other.restore({}), c10::ValueError);
}

}  // namespace ldlm
