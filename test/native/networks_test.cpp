// Finite differences in fp64 through every trainable network, and the sizes of the base model.
#include "model/ldlm.h"
#include "support.h"

namespace ldlm {

namespace {

const ModelConfig kSmall = {6, 6, 8, 12, 11, {2, 2}, {2, 2}, {1, 3}, {2, 8, 2}};
constexpr double kTolerance = 2e-6;

struct Case {
  ModelConfig config = kSmall;
  LDLM model{kSmall, at::TensorOptions(at::kDouble)};
  at::Generator generator = at::detail::createCPUGenerator(3);

  explicit Case(const ModelConfig& config = kSmall) : config(config), model(config, at::TensorOptions(at::kDouble)) {
    model.reset_parameters(5);
    // adaLN-zero makes most gradients of a fresh DiT exactly zero: move every parameter away from its start.
    model.visit("", [&](const std::string&, Tensor& p) { p.add_(at::randn(p.sizes(), generator, p.options()), 0.1).requires_grad_(); });
  }
  Tensor random(at::IntArrayRef shape) { return at::randn(shape, generator, at::TensorOptions(at::kDouble)).requires_grad_(); }
};

template <typename Module>
std::vector<Tensor> with_parameters(Module& module, std::vector<Tensor> inputs) {
  for (const auto& parameter : parameters_of(module, "")) inputs.push_back(parameter.tensor);
  return inputs;
}

}  // namespace

TEST(Networks, LatentEncoderGradientsMatchFiniteDifferences) {
  Case c;
  const Tensor h = c.random({2, 6, 12});
  EXPECT_LT(test::gradient_error([&] { return c.model.encode(h); }, with_parameters(c.model.latent_encoder, {h}), 4), kTolerance);
}

TEST(Networks, CompressedLatentEncoderAndDecoderGradientsMatchFiniteDifferences) {
  ModelConfig compressed = kSmall;
  compressed.latents = 3;
  Case c(compressed);
  const Tensor h = c.random({2, 6, 12}), z = c.random({2, 3, 8});
  EXPECT_LT(test::gradient_error([&] { return c.model.encode(h); }, with_parameters(c.model.latent_encoder, {h}), 4), kTolerance);
  EXPECT_LT(test::gradient_error([&] { return c.model.latent_decoder(z); }, with_parameters(c.model.latent_decoder, {z}), 4), kTolerance);
}

TEST(Networks, LatentDecoderGradientsMatchFiniteDifferences) {
  Case c;
  const Tensor z = c.random({2, 6, 8});
  EXPECT_LT(test::gradient_error([&] { return c.model.latent_decoder(z); }, with_parameters(c.model.latent_decoder, {z}), 4), kTolerance);
}

TEST(Networks, TokenDecoderGradientsMatchFiniteDifferences) {
  Case c;
  const Tensor h = c.random({2, 6, 12});
  EXPECT_LT(test::gradient_error([&] { return c.model.token_decoder(h); }, with_parameters(c.model.token_decoder, {h}), 4), kTolerance);
}

TEST(Networks, DitGradientsMatchFiniteDifferences) {
  for (const double stagger : {0.0, 1.0}) {
    ModelConfig config = kSmall;
    config.stagger = stagger;
    Case c(config);
    const Tensor x = c.random({2, 6, 8}), self_condition = c.random({2, 6, 8}), u = at::tensor({0.3, 0.8}, at::kDouble);
    EXPECT_LT(test::gradient_error([&] { return c.model.denoise(x, u, self_condition); }, with_parameters(c.model.dit, {x, self_condition}), 4),
              kTolerance);
  }
}

TEST(Networks, FreshDitPredictsTheMeanOfTheLatents) {
  LDLM model(kSmall, at::TensorOptions(at::kFloat));
  model.reset_parameters(5);
  EXPECT_EQ(model.denoise(at::randn({2, 6, 8}), at::tensor({0.3f, 0.8f}), at::zeros({2, 6, 8})).abs().max().item<float>(), 0.0f);
}

TEST(Networks, LatentsHaveUnitRootMeanSquare) {
  LDLM model(kSmall, at::TensorOptions(at::kFloat));
  model.reset_parameters(5);
  const Tensor z0 = model.encode(at::randn({2, 6, 12}));
  EXPECT_LT((z0.square().mean(-1) - 1).abs().max().item<float>(), 1e-4);
}

TEST(Networks, FreeScaleLatentsAreThoseBeforeTheNorm) {
  ModelConfig config = kSmall;
  config.free_scale = true;
  LDLM free(config, at::TensorOptions(at::kFloat)), normed(kSmall, at::TensorOptions(at::kFloat));
  free.reset_parameters(5);
  normed.reset_parameters(5);
  const Tensor h = at::randn({2, 6, 12}), z0 = free.encode(h);
  EXPECT_GT((z0.square().mean(-1) - 1).abs().min().item<float>(), 1e-3);
  EXPECT_LT(test::max_difference(z0 / z0.square().mean(-1, true).sqrt(), normed.encode(h)), 1e-4);
}

TEST(Networks, BaseSizesAreThePapersWithinTwoPercent) {
  const ModelConfig base = {128, 128, 768, 768, 50257, {6, 12}, {6, 12}, {3, 12}, {12, 768, 12}};
  LDLM model(base, at::TensorOptions(at::kMeta));
  EXPECT_NEAR(count_parameters(model.latent_encoder), 50e6, 1e6);
  EXPECT_NEAR(count_parameters(model.latent_decoder), 50e6, 1e6);
  EXPECT_NEAR(count_parameters(model.token_decoder), 66e6, 1.32e6);
  EXPECT_NEAR(count_parameters(model.dit), 131e6, 2.62e6);
}

TEST(Networks, LoadModelNamesWhatDoesNotFit) {
  LDLM model(kSmall, at::TensorOptions(at::kFloat));
  model.reset_parameters(1);
  std::map<std::string, Tensor> tensors = {{"feature_statistics.mean", at::zeros({12})}, {"feature_statistics.deviation", at::ones({12})}};
  model.visit("", [&](const std::string& name, Tensor& p) { tensors[name] = p.clone(); });
  EXPECT_NO_THROW(load_model(model, tensors));
  auto wrong_vocabulary = tensors;
  wrong_vocabulary["token_decoder.head.weight"] = at::zeros({10, 12});
  EXPECT_THROW(load_model(model, wrong_vocabulary), c10::ValueError);
  auto missing = tensors;
  missing.erase("dit.input.weight");
  EXPECT_THROW(load_model(model, missing), c10::ValueError);
  auto unknown = tensors;
  unknown["dit.extra"] = at::zeros({1});
  EXPECT_THROW(load_model(model, unknown), c10::ValueError);
}

}  // namespace ldlm
