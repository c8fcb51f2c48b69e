// The two losses of the causal LM, against Hugging Face, a second formula and finite differences.
#include "train/causal_lm.h"

#include <cmath>

#include "io/pretrained_folder.h"
#include "model/pretrained_parameters.h"
#include "support.h"

namespace ldlm {
namespace {

const std::string kGolden = std::string(LDLM_GOLDEN_DIR) + "/gpt2-tiny";
const LmConfig kTiny{.layers = 3, .width = 32, .heads = 4, .vocabulary = 101, .positions = 24};

// The golden GPT-2 as a CausalLm.
CausalLm golden_lm(at::ScalarType dtype) {
  CausalLm lm(kTiny, -3, at::TensorOptions(dtype));
  TensorMap tensors = read_pretrained_folder(kGolden);
  bind_pretrained([&](const ParameterVisitor& visitor) { lm.network.visit("", visitor); }, tensors, {"transformer.", gpt2_may_skip}, kGolden,
                  at::kCPU);
  lm.identity_log_temperature.zero_();
  return lm;
}

TEST(CausalLm, NextTokenLossEqualsHuggingFace) {
  const TensorMap expected = read_safetensors(kGolden + "/expected.safetensors");
  const LmLosses losses = golden_lm(at::kFloat).losses(expected.at("ids"), expected.at("lengths"));
  const double predicted = (expected.at("lengths") - 1).sum().item<double>();
  EXPECT_NEAR(losses.next_token.item<double>() / predicted, expected.at("loss").item<double>(), 2e-6);
}

TEST(CausalLm, IdentityLossIsTheCrossEntropyOfTheCurrentToken) {
  const TensorMap expected = read_safetensors(kGolden + "/expected.safetensors");
  CausalLm lm = golden_lm(at::kDouble);
  lm.identity_log_temperature.fill_(std::log(0.3));
  const LmLosses losses = lm.losses(expected.at("ids"), expected.at("lengths"));
  const Tensor h = expected.at("hidden_1").to(at::kDouble);  // -3 of 0..3
  const Tensor centred = h - h.mean({2}, true);
  const Tensor logits = at::matmul(centred / (centred.square().mean({2}, true) + 1e-5).sqrt() * 0.3, lm.network.tokens.t());
  const Tensor real = at::arange(12).unsqueeze(0) < expected.at("lengths").unsqueeze(1);
  const Tensor nll = -at::log_softmax(logits, 2).gather(2, expected.at("ids").unsqueeze(2)).squeeze(2);
  EXPECT_NEAR(losses.identity.item<double>(), nll.index({real}).sum().item<double>(), 1e-4);
  EXPECT_EQ(losses.identity_correct.item<int64_t>(),
            (logits.argmax(2) == expected.at("ids")).logical_and(real).sum().item<int64_t>());
}

TEST(CausalLm, GradientEqualsFiniteDifferences) {
  for (const int64_t layer : {int64_t{0}, int64_t{-2}, int64_t{-1}}) {
    const LmConfig config{.layers = 2, .width = 8, .heads = 2, .vocabulary = 11, .positions = 6};
    CausalLm lm(config, layer, at::TensorOptions(at::kDouble));
    auto generator = at::detail::createCPUGenerator(3);
    lm.reset_parameters(generator);
    std::vector<Tensor> leaves;
    for (auto& [name, tensor] : parameters_of(lm, "")) {
      // Away from the start, where many gradients are nearly zero.
      tensor.add_(at::randn(tensor.sizes(), generator, tensor.options()) * 0.3);
      leaves.push_back(tensor.set_requires_grad(true));
    }
    const Tensor ids = at::randint(0, 11, {3, 6}, generator, at::TensorOptions(at::kLong)), lengths = at::tensor({6, 1, 4});
    const auto loss = [&] {
      const LmLosses losses = lm.losses(ids, lengths);
      return losses.next_token + losses.identity * 0.5;
    };
    EXPECT_LT(test::gradient_error(loss, leaves, /*probes=*/3), 1e-6) << "identity layer " << layer;
  }
}

}  // namespace
}  // namespace ldlm
