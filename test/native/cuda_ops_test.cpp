// The CUDA kernels against their references, in bf16 and fp32, on sizes of the presets and odd ones. They need a GPU: bench/gpu.sh runs them.
#include <cmath>

#include "model/autocast.h"
#include "ops/adaln/adaln.h"
#include "ops/attention/attention.h"
#include "ops/gated_add/gated_add.h"
#include "ops/gelu/gelu.h"
#include "ops/linear/linear.h"
#include "ops/philox/philox.h"
#include "ops/rms_norm/rms_norm.h"
#include "ops/vocabulary/vocabulary.h"
#include "support.h"

namespace ldlm {

namespace {

class Cuda : public testing::Test {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "needs a build with CUDA and a GPU";
  }
  static at::TensorOptions on_gpu(at::ScalarType dtype) { return at::TensorOptions(dtype).device(at::kCUDA); }
};

constexpr at::ScalarType kDtypes[] = {at::kFloat, at::kBFloat16};

}  // namespace

TEST_F(Cuda, RmsNormIsAsGoodAsTheReference) {
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t width : {8, 64, 768, 1000, 2048, 4096}) {
      test::expect_as_good_as_reference([](const auto& in) { return rms_norm(in[0], in[1], 1e-6); },
                                        [](const auto& in) { return rms_norm_reference(in[0], in[1], 1e-6); },
                                        {at::randn({3, 67, width}), at::rand({width}) + 0.5}, on_gpu(dtype));
    }
    test::expect_as_good_as_reference([](const auto& in) { return rms_norm(in[0], {}, 1e-6); },
                                      [](const auto& in) { return rms_norm_reference(in[0], {}, 1e-6); }, {at::randn({2, 5, 768})}, on_gpu(dtype));
  }
}

TEST_F(Cuda, AdalnIsAsGoodAsTheReferenceOnSlicesOfAProjection) {
  const auto with = [](Tensor (*op)(const Tensor&, const Tensor&, const Tensor&, double)) {
    return [=](const std::vector<Tensor>& in) {
      const auto vectors = in[1].unsqueeze(1).chunk(6, -1);
      return op(in[0], vectors[3], vectors[4], 1e-6);
    };
  };
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t width : {8, 192, 768, 1000, 1024, 2048}) {
      test::expect_as_good_as_reference(with(adaln), with(adaln_reference), {at::randn({3, 131, width}) + 1, at::randn({3, 6 * width})}, on_gpu(dtype));
    }
  }
}

TEST_F(Cuda, GatedAddIsAsGoodAsTheReferenceOnSlicesOfAProjection) {
  const auto with = [](Tensor (*op)(const Tensor&, const Tensor&, const Tensor&)) {
    return [=](const std::vector<Tensor>& in) { return op(in[0], in[1].unsqueeze(1).chunk(6, -1)[2], in[2]); };
  };
  for (const at::ScalarType dtype : kDtypes) {
    for (const int64_t width : {8, 192, 768, 1000, 2048}) {
      const auto x = [&] { return at::randn({3, 131, width}); };
      test::expect_as_good_as_reference(with(gated_add), with(gated_add_reference), {x(), at::randn({3, 6 * width}), x()}, on_gpu(dtype));
    }
  }
}

TEST_F(Cuda, GatedAddTakesAGateThatSamplesShare) {
  const Tensor x = at::randn({3, 131, 768}, on_gpu(at::kFloat)), gate = at::randn({1, 1, 768}, x.options()), f = at::randn_like(x);
  EXPECT_LT(test::max_difference(gated_add(x, gate, f).cpu(), gated_add_reference(x, gate, f).cpu()), 1e-6);
  const Tensor wanted = gate.clone().requires_grad_(), given = gate.clone().requires_grad_();
  gated_add_reference(x, wanted, f).sum().backward();
  gated_add(x, given, f).sum().backward();
  EXPECT_LT(test::max_difference(given.grad().cpu(), wanted.grad().cpu()), 1e-4);
}

TEST_F(Cuda, AttentionIsAsGoodAsTheReference) {
  constexpr int64_t kHeads = 3;
  for (const int64_t width : {16, 32, 64, 128}) {
    for (const int64_t queries : {1, 48, 129}) {
      const int64_t channels = kHeads * width;
      const auto gain = [&] { return at::rand({width}) + 0.5; };
      const Tensor angle = at::randn({queries + 2, width / 2}, on_gpu(at::kFloat)), cos = at::cos(angle), sin = at::sin(angle);
      // The fp64 reference runs on the CPU.
      const auto normed_and_turned = [&](Tensor (*op)(const Tensor&, const Tensor&, const AttentionOptions&)) {
        return [=](const std::vector<Tensor>& in) {
          const auto table = [&](const Tensor& t) { return in[0].is_cuda() ? t : t.to(at::kCPU, at::kDouble); };
          return op(in[0], {}, {kHeads, in[1], in[2], table(cos), table(sin)});
        };
      };
      test::expect_as_good_as_reference(normed_and_turned(attention), normed_and_turned(attention_reference),
                                        {at::randn({2, queries, 3 * channels}), gain(), gain()}, on_gpu(at::kBFloat16));
      const auto with_context = [&](Tensor (*op)(const Tensor&, const Tensor&, const AttentionOptions&)) {
        return [=](const std::vector<Tensor>& in) { return op(in[0], in[1], {kHeads, in[2], in[3]}); };
      };
      test::expect_as_good_as_reference(with_context(attention), with_context(attention_reference),
                                        {at::randn({2, queries, 3 * channels}), at::randn({2, 37, 2 * channels}), gain(), gain()}, on_gpu(at::kBFloat16));
      const auto plain = [&](Tensor (*op)(const Tensor&, const Tensor&, const AttentionOptions&)) {
        return [=](const std::vector<Tensor>& in) { return op(in[0], {}, {.heads = kHeads, .causal = true}); };
      };
      test::expect_as_good_as_reference(plain(attention), plain(attention_reference), {at::randn({2, queries, 3 * channels})}, on_gpu(at::kBFloat16));
    }
  }
}

TEST_F(Cuda, CrossEntropyIsAsGoodAsTheReferenceInOneChunkAndInSeveral) {
  // 536 870 912 / 2 000 003 = 268 rows, 256 in whole tiles: 300 rows take two chunks.
  for (const auto& [rows, vocabulary] : {std::pair<int64_t, int64_t>{1, 7}, {989, 298}, {300, 50257}, {300, 2000003}}) {
    const Tensor targets = at::randint(0, vocabulary, {rows}, at::kLong).masked_fill(at::rand({rows}).lt(0.2), -1);
    const auto mean_of = [&](Tensor (*op)(const Tensor&, const Tensor&, const Tensor&)) {
      return [=, &targets](const std::vector<Tensor>& in) { return op(in[0], in[1], targets.to(in[0].device())) / in[0].size(0); };
    };
    test::expect_as_good_as_reference(mean_of(vocabulary_cross_entropy), mean_of(vocabulary_cross_entropy_reference),
                                      {at::randn({rows, 16}), at::randn({vocabulary, 16})}, on_gpu(at::kBFloat16));
  }
}

TEST_F(Cuda, GeluInTheProductIsAsGoodAsTheReference) {
  const at::NoGradGuard no_gradient;
  for (const auto& [rows, in, out] : {std::tuple<int64_t, int64_t, int64_t>{1, 8, 8}, {131, 192, 768}, {1024, 768, 3072}}) {
    const auto rounded = [](const Tensor& t) { return t.to(at::kBFloat16); };
    const Tensor x = rounded(at::randn({2, rows, in})), weight = rounded(at::randn({out, in}) / std::sqrt(in)), bias = rounded(at::randn({out}));
    const Tensor exact = linear_gelu_tanh(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble));
    const auto error = [&](const Tensor& y) { return (y.cpu().to(at::kDouble) - exact).square().mean().sqrt().item<double>(); };
    const Tensor x_gpu = x.cuda(), weight_gpu = weight.cuda(), bias_gpu = bias.cuda();
    EXPECT_LE(error(linear_gelu_tanh(x_gpu, weight_gpu, bias_gpu)), error(gelu_tanh_reference(linear_reference(x_gpu, weight_gpu, bias_gpu))));
  }
}

// What autocast makes of them: bf16 products with fp32 parameters, whose gradients are fp32.
TEST_F(Cuda, UnderAutocastOpsKeepFp32ParametersAndTheirGradients) {
  const auto options = on_gpu(at::kFloat);
  const Tensor x = at::randn({2, 64, 768}, options), gain = (at::rand({768}, options) + 0.5).requires_grad_(), head = at::randn({999, 768}, options).requires_grad_();
  const Tensor targets = at::randint(0, 999, {128}, on_gpu(at::kLong));
  const auto loss = [&](bool bf16) {
    const Autocast autocast(bf16);
    return vocabulary_cross_entropy(rms_norm(x, gain, 1e-6).flatten(0, 1), head, targets) / 128;
  };
  const Tensor exact = loss(false), rounded = loss(true);
  EXPECT_NEAR(exact.item<double>(), rounded.item<double>(), 2e-2 * exact.item<double>());
  const auto expected = torch::autograd::grad({exact}, {gain, head}), got = torch::autograd::grad({rounded}, {gain, head});
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].scalar_type(), at::kFloat);
    EXPECT_LT((got[i] - expected[i]).norm().item<double>(), 2e-2 * expected[i].norm().item<double>());
  }
}

TEST_F(Cuda, PhiloxDrawsTheNumbersOfTheCpu) {
  const RandomStream stream = {7, RandomPurpose::kInitialNoise, 3};
  const Tensor cpu = philox_normal(stream, 5, 9, {33, 7}, at::kCPU), gpu = philox_normal(stream, 5, 9, {33, 7}, at::kCUDA);
  EXPECT_LT(test::max_difference(cpu, gpu.cpu()), 1e-5);
}

}  // namespace ldlm
