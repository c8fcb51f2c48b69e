// A sample does not depend on the batch it is drawn in, nor on the number of cores, bit for bit, at the sizes of the preset `tiny`: there
// the products are large enough to take the paths whose rounding could depend on either.
#include "generate/generate.h"

#include "support.h"

namespace ldlm {

namespace {

constexpr int64_t kLatents = 48, kWidth = 96;

LDLM random_model(double stagger = 0) {
  LDLM model({kLatents, kLatents, kWidth, 128, 300, {1, 4}, {1, 4}, {1, 4}, {2, 128, 4}, false, stagger}, at::TensorOptions(at::kFloat));
  model.reset_parameters(1);
  auto generator = at::detail::createCPUGenerator(2);
  model.visit("", [&](const std::string&, Tensor& p) { p.add_(at::randn(p.sizes(), generator, at::TensorOptions(at::kFloat)), 0.05); });
  return model;
}

// Estimate of z0 and logits, from noise.
std::vector<Tensor> outputs(const LDLM& model, const DitCondition& condition, const Tensor& x_BND, int64_t together = 1) {
  const Tensor z0_hat = for_each_sample(
      model.config, {x_BND, 0.5 * x_BND}, [&](const auto& in) { return model.dit(in[0], condition, in[1]); }, together);
  return {z0_hat, for_each_sample(model.config, {z0_hat}, [&](const auto& in) { return model.token_decoder(model.latent_decoder(in[0])); })};
}

}  // namespace

TEST(Generate, EstimatesAreBitwiseIndependentOfTheBatchAndOfTheCores) {
  const c10::InferenceMode inference;
  const LDLM model = random_model();
  const Tensor x = at::randn({5, kLatents, kWidth}, at::detail::createCPUGenerator(3), at::TensorOptions(at::kFloat));
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const DitCondition condition = model.dit.condition(at::full({1}, 0.7));
  const auto expected = outputs(model, condition, x);
  for (const int cores : {1, 2, 3}) {
    at::set_num_threads(cores);
    const auto whole = outputs(model, condition, x), last = outputs(model, condition, x.narrow(0, 4, 1));
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(at::equal(whole[i], expected[i])) << cores << " cores, output " << i;
      EXPECT_TRUE(at::equal(last[i], expected[i].narrow(0, 4, 1))) << cores << " cores, output " << i << ", alone";
    }
  }
  at::set_num_threads(threads);
}

TEST(Generate, SamplesThatGoTogetherComeOutAsAlone) {
  const c10::InferenceMode inference;
  const LDLM model = random_model();
  const int threads = at::get_num_threads();
  for (const int cores : {1, 2}) {
    at::set_num_threads(cores);
    const int64_t together = samples_together(model);
    EXPECT_TRUE(together == 1 || together == 2 || together == 4) << together;
    const DitCondition condition = model.dit.condition(at::full({1}, 0.7));
    for (const int64_t count : {1, 2, 4, 7, 8, 11}) {  // with and without some left over
      const Tensor x = at::randn({count, kLatents, kWidth});
      EXPECT_TRUE(outputs(model, condition, x, together)[0].equal(outputs(model, condition, x)[0])) << count << " samples on " << cores;
    }
  }
  at::set_num_threads(threads);
}

// The condition of one u for all samples is that of every sample's own.
TEST(Generate, OneConditionServesAllSamples) {
  const c10::InferenceMode inference;
  for (const double stagger : {0.0, 2.0}) {
    const LDLM model = random_model(stagger);
    const Tensor x = at::randn({3, kLatents, kWidth}), none = at::zeros_like(x);
    const Tensor shared = model.dit(x, model.dit.condition(at::full({1}, 0.4)), none), own = model.denoise(x, at::full({3}, 0.4), none);
    EXPECT_LT(test::max_difference(shared, own), 1e-5 * own.abs().max().item<double>());
  }
}

// A sampling step takes its vectors out of those of many steps.
TEST(Generate, AStepsConditionIsThatOfManyStepsTakenApart) {
  const c10::InferenceMode inference;
  for (const double stagger : {0.0, 2.0}) {
    const LDLM model = random_model(stagger);
    const Tensor x = at::randn({2, kLatents, kWidth}), none = at::zeros_like(x);
    const DitCondition many = model.dit.condition(at::tensor({0.9f, 0.6f, 0.2f}));
    const DitCondition second = taken_apart(joined(many).narrow(0, 1, 1), many);
    EXPECT_LT(test::max_difference(model.dit(x, second, none), model.dit(x, model.dit.condition(at::full({1}, 0.6)), none)), 1e-5);
  }
}

TEST(Generate, WithStaggerEveryPositionHasItsOwnTime) {
  const DiT dit = random_model(3).dit;
  const Tensor u_B = at::tensor({0.0, 0.5, 1.0}, at::kDouble), times = dit.times(u_B).squeeze(-1);  // [3, N]
  EXPECT_LT(test::max_difference(times[0], at::full({kLatents}, 1e-3, at::kDouble)), 1e-12);
  EXPECT_LT(test::max_difference(times[2], at::full({kLatents}, 1 - 1e-3, at::kDouble)), 1e-12);
  // Halfway (1 + 3) 0.5 - 3 (1 - n / 47): clean up to the 15th position, untouched from the 32nd on.
  EXPECT_NEAR(times[1][15].item<double>(), 1e-3, 1e-12);
  EXPECT_NEAR(times[1][20].item<double>(), 2 - 3 * (1 - 20.0 / 47), 1e-12);
  EXPECT_NEAR(times[1][32].item<double>(), 1 - 1e-3, 1e-12);
  EXPECT_TRUE(random_model(0).dit.times(u_B).flatten().equal(u_B));
}

}  // namespace ldlm
