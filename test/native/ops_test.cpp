// The CPU kernels against their references: closed forms, gradients, and errors no larger than a small multiple of the reference's own.
#include <cmath>

#include "ops/adaln/adaln.h"
#include "ops/gelu/gelu.h"
#include "ops/linear/linear.h"
#include "ops/rms_norm/rms_norm.h"
#include "ops/rotary/rotary.h"
#include "support.h"

namespace ldlm {

TEST(RmsNorm, HasItsClosedForm) {
  const Tensor y = rms_norm(at::tensor({3.0f, 4.0f}).view({1, 2}), at::tensor({1.0f, 2.0f}), 0.0);
  EXPECT_NEAR(y[0][0].item<float>(), 3 / std::sqrt(12.5), 1e-6);
  EXPECT_NEAR(y[0][1].item<float>(), 8 / std::sqrt(12.5), 1e-6);
}

TEST(RmsNorm, ReferenceGradientMatchesFiniteDifferences) {
  const auto options = at::TensorOptions(at::kDouble);
  const Tensor x = at::randn({3, 8}, options).requires_grad_(), gain = at::randn({8}, options).requires_grad_();
  EXPECT_LT(test::gradient_error([&] { return rms_norm_reference(x, gain, 1e-6); }, {x, gain}), 1e-7);
}

TEST(RmsNorm, KernelIsAsGoodAsTheReferenceOnOddSizes) {
  for (const int64_t rows : {1, 19, 989}) {
    for (const int64_t width : {8, 768, 1000, 4096}) {
      const std::vector<Tensor> inputs = {at::randn({rows, width}), at::rand({width}) + 0.5};
      test::expect_as_good_as_reference([](const auto& in) { return rms_norm(in[0], in[1], 1e-6); },
                                  [](const auto& in) { return rms_norm_reference(in[0], in[1], 1e-6); }, inputs);
    }
  }
}

TEST(RmsNorm, KernelReadsSlicesOfAFusedProjection) {
  const auto heads_of = [](const Tensor& x) { return x.chunk(3, -1)[1].view({2, 5, 3, 8}); };
  test::expect_as_good_as_reference([&](const auto& in) { return rms_norm(heads_of(in[0]), in[1], 1e-6); },
                              [&](const auto& in) { return rms_norm_reference(heads_of(in[0]), in[1], 1e-6); },
                              {at::randn({2, 5, 72}), at::rand({8}) + 0.5});
  test::expect_as_good_as_reference([](const auto& in) { return rms_norm(in[0].transpose(0, 1), {}, 1e-6); },
                              [](const auto& in) { return rms_norm_reference(in[0].transpose(0, 1), {}, 1e-6); }, {at::randn({6, 4, 8})});
}

TEST(RmsNorm, RefusesAGainOfAnotherWidthAndTakesAnEmptyBatch) {
  EXPECT_THROW(rms_norm(at::ones({2, 8}), at::ones({4}), 1e-6), c10::ValueError);
  EXPECT_EQ(rms_norm(at::ones({0, 8}), at::ones({8}), 1e-6).numel(), 0);
}

TEST(Linear, HasItsClosedForm) {
  const Tensor y = ldlm::linear(at::tensor({1.0f, 2.0f}).view({1, 2}), at::tensor({3.0f, 4.0f, 5.0f, 6.0f}).view({2, 2}), at::tensor({0.5f, -0.5f}));
  EXPECT_EQ(y[0][0].item<float>(), 11.5f);
  EXPECT_EQ(y[0][1].item<float>(), 16.5f);
}

TEST(Linear, ReferenceGradientMatchesFiniteDifferences) {
  const auto options = at::TensorOptions(at::kDouble);
  const Tensor x = at::randn({3, 4, 8}, options).requires_grad_(), weight = at::randn({5, 8}, options).requires_grad_(), bias = at::randn({5}, options).requires_grad_();
  EXPECT_LT(test::gradient_error([&] { return linear_reference(x, weight, bias); }, {x, weight, bias}), 1e-7);
}

TEST(Linear, KernelIsAsGoodAsTheReferenceOnOddSizes) {
  for (const int64_t rows : {1, 19, 989}) {
    for (const int64_t width : {8, 768, 1000}) {
      test::expect_as_good_as_reference([](const auto& in) { return ldlm::linear(in[0], in[1], in[2]); },
                                  [](const auto& in) { return linear_reference(in[0], in[1], in[2]); },
                                  {at::randn({rows, width}), at::randn({77, width}) / std::sqrt(width), at::randn({77})});
    }
  }
}

TEST(Linear, KernelTakesTransposedWeightsSlicesAndNoBias) {
  test::expect_as_good_as_reference([](const auto& in) { return ldlm::linear(in[0].chunk(3, -1)[1], in[1].t(), {}); },
                              [](const auto& in) { return linear_reference(in[0].chunk(3, -1)[1], in[1].t(), {}); },
                              {at::randn({2, 5, 72}), at::randn({24, 40})});
}

// The flag is gone when the gradients are made: the backward pass must do what the forward pass did.
TEST(Linear, ProductsInBf16AreAsGoodAsTheReference) {
  if (!Bf16Products::supported()) GTEST_SKIP() << "needs a CPU with AVX512-BF16";
  const auto in_bf16 = [](Tensor (*op)(const Tensor&, const Tensor&, const Tensor&)) {
    return [=](const std::vector<Tensor>& in) {
      const Bf16Products bf16(true);
      return op(in[0].chunk(2, -1)[1], in[1], in[2]);
    };
  };
  for (const int64_t rows : {1, 19, 989}) {
    for (const int64_t width : {8, 77, 768}) {
      test::expect_as_good_as_reference(in_bf16(ldlm::linear), in_bf16(linear_reference),
                                        {at::randn({3, rows, 2 * width}), at::randn({77, width}) / std::sqrt(width), at::randn({77})});
    }
  }
  const Tensor x = at::randn({5, 8}), weight = at::randn({4, 8});
  const auto product = [&] { return ldlm::linear(x, weight, {}); };
  const Tensor exact = product();
  {
    const Bf16Products on(true), inner(false);
    EXPECT_FALSE(product().equal(exact));
  }
  EXPECT_TRUE(product().equal(exact));
}

TEST(Linear, TakesWeightsKeptInBf16) {
  if (!Bf16Products::supported()) GTEST_SKIP() << "needs a CPU with AVX512-BF16";
  const Tensor x = at::randn({5, 77}), weight = at::randn({33, 77}).to(at::kBFloat16), bias = at::randn({33}), y = ldlm::linear(x, weight, bias);
  const Bf16Products bf16(true);
  EXPECT_EQ(y.scalar_type(), at::kFloat);
  EXPECT_TRUE(y.equal(ldlm::linear(x, weight.to(at::kFloat), bias)));
}

TEST(Linear, RowsDoNotDependOnTheirNumber) {
  for (const auto& [in, out] : {std::pair{128, 384}, {128, 512}, {512, 128}, {96, 288}, {768, 3072}}) {
    const Tensor x = at::randn({8 * 48, in}), weight = at::randn({out, in}), all = ldlm::linear(x, weight, {});
    for (const int64_t samples : {1, 2, 3, 5}) {
      EXPECT_TRUE(ldlm::linear(x.narrow(0, 48, 48 * samples), weight, {}).equal(all.narrow(0, 48, 48 * samples))) << in << " to " << out;
    }
  }
}

// A part of a training batch is one thread's, be it the only one or one of several at once.
TEST(Linear, GradientsDoNotDependOnTheThreadsBesideThem) {
  for (const auto& [in, out] : {std::pair{64, 192}, {192, 576}, {192, 768}, {768, 192}, {256, 1024}, {1024, 256}}) {
    for (const int64_t rows : {768, 1536}) {
      const Tensor x = at::randn({rows, in}).requires_grad_(), weight = at::randn({out, in}).requires_grad_(), dy = at::randn({rows, out});
      const auto gradients = [&] { return torch::autograd::grad({ldlm::linear(x, weight, {})}, {x, weight}, {dy}); };
      const int threads = at::get_num_threads();
      at::set_num_threads(1);
      const auto alone = gradients();
      at::set_num_threads(threads);
      std::vector<torch::autograd::variable_list> beside(4);
      at::parallel_for(0, 4, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) beside[static_cast<size_t>(i)] = gradients();
      });
      for (const auto& each : beside) EXPECT_TRUE(each[0].equal(alone[0]) && each[1].equal(alone[1])) << rows << " rows, " << in << " to " << out;
    }
  }
}

TEST(Linear, RefusesOtherShapesAndTakesAnEmptyBatch) {
  EXPECT_THROW(ldlm::linear(at::ones({2, 8}), at::ones({3, 4}), {}), c10::Error);
  EXPECT_THROW(ldlm::linear(at::ones({2, 8}), at::ones({3, 8}), at::ones({4})), c10::Error);
  EXPECT_EQ(ldlm::linear(at::ones({0, 8}), at::ones({3, 8}), at::ones({3})).numel(), 0);
}

TEST(Gelu, HasItsClosedForm) {
  const Tensor y = gelu_tanh(at::tensor({-30.0f, -1.0f, 0.0f, 1.0f, 30.0f}));
  EXPECT_NEAR(y[0].item<float>(), 0, 1e-6);
  EXPECT_NEAR(y[1].item<float>(), -0.158808, 1e-6);
  EXPECT_EQ(y[2].item<float>(), 0);
  EXPECT_NEAR(y[3].item<float>(), 0.841192, 1e-6);
  EXPECT_NEAR(y[4].item<float>(), 30, 1e-5);
}

TEST(Gelu, KernelIsAsGoodAsTheReferenceOnOddSizes) {
  for (const int64_t count : {1, 19, 989, 40000}) {
    test::expect_as_good_as_reference([](const auto& in) { return gelu_tanh(in[0]); }, [](const auto& in) { return gelu_tanh_reference(in[0]); },
                                {3 * at::randn({count})});
  }
  const Tensor transposed = at::randn({5, 7}).t();
  EXPECT_TRUE(at::allclose(gelu_tanh(transposed), gelu_tanh_reference(transposed), 1e-5, 1e-6));
  EXPECT_EQ(gelu_tanh(at::ones({0, 8})).numel(), 0);
}

TEST(Gelu, DoesNotDependOnTheThreads) {
  const Tensor x = 3 * at::randn({1 << 17 | 37});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Tensor alone = gelu_tanh(x);
  at::set_num_threads(5);
  EXPECT_TRUE(at::equal(gelu_tanh(x), alone));
  at::set_num_threads(threads);
}

TEST(Adaln, HasItsClosedForm) {
  const Tensor y = adaln(at::tensor({1.0f, 3.0f}).view({1, 1, 2}), at::tensor({5.0f, 0.0f}).view({1, 1, 2}), at::tensor({0.0f, 1.0f}).view({1, 1, 2}), 0);
  EXPECT_NEAR(y[0][0][0].item<float>(), 4, 1e-6);
  EXPECT_NEAR(y[0][0][1].item<float>(), 2, 1e-6);
}

TEST(Adaln, ReferenceGradientMatchesFiniteDifferences) {
  const auto options = at::TensorOptions(at::kDouble);
  const Tensor x = at::randn({2, 3, 8}, options).requires_grad_(), shift = at::randn({2, 1, 8}, options).requires_grad_();
  const Tensor scale = at::randn({2, 1, 8}, options).requires_grad_();
  EXPECT_LT(test::gradient_error([&] { return adaln_reference(x, shift, scale, 1e-6); }, {x, shift, scale}), 1e-7);
}

TEST(Adaln, KernelIsAsGoodAsTheReferenceOnOddSizes) {
  const auto ours = [](const auto& in) { return adaln(in[0], in[1], in[2], 1e-6); };
  const auto theirs = [](const auto& in) { return adaln_reference(in[0], in[1], in[2], 1e-6); };
  for (const int64_t rows : {1, 19, 989}) {
    for (const int64_t width : {8, 768, 1000, 4096}) {
      test::expect_as_good_as_reference(ours, theirs, {at::randn({2, rows, width}) + 3, at::randn({2, 1, width}), at::randn({2, 1, width})});
    }
  }
  test::expect_as_good_as_reference(ours, theirs, {at::randn({3, 5, 8}), at::randn({1, 1, 8}), at::randn({1, 1, 8})});  // shared by the samples
}

TEST(Adaln, ReadsSlicesOfAFusedProjection) {
  const auto slices = [](const auto& in, auto f) {
    const auto m = in[1].unsqueeze(1).split(16, -1);
    return f(in[0], m[1], m[2], 1e-6);
  };
  test::expect_as_good_as_reference([&](const auto& in) { return slices(in, adaln); }, [&](const auto& in) { return slices(in, adaln_reference); },
                              {at::randn({3, 7, 16}), at::randn({3, 48})});
  const at::NoGradGuard sampling;
  const std::vector<Tensor> in = {at::randn({3, 7, 16}), at::randn({1, 48})};
  EXPECT_LT(test::max_difference(slices(in, adaln), slices(in, adaln_reference)), 1e-5);
}

TEST(Adaln, RefusesOtherShapesAndTakesAnEmptyBatch) {
  EXPECT_THROW(adaln(at::ones({2, 3, 8}), at::ones({2, 1, 8}), at::ones({2, 1, 4}), 1e-6), c10::ValueError);
  EXPECT_THROW(adaln(at::ones({2, 3, 8}), at::ones({2, 8}), at::ones({2, 8}), 1e-6), c10::ValueError);
  EXPECT_EQ(adaln(at::ones({0, 3, 8}), at::ones({0, 1, 8}), at::ones({0, 1, 8}), 1e-6).numel(), 0);
}

TEST(Rotary, HasItsClosedForm) {
  const Tensor cos = at::tensor({0.6f}).view({1, 1}), sin = at::tensor({0.8f}).view({1, 1});
  const Tensor y = rotary(at::tensor({1.0f, 2.0f}).view({1, 1, 1, 2}), cos, sin);
  EXPECT_NEAR(y.flatten()[0].item<float>(), -1, 1e-6);
  EXPECT_NEAR(y.flatten()[1].item<float>(), 2, 1e-6);
}

TEST(Rotary, KernelIsAsGoodAsTheReferenceOnSlicesAndOddSizes) {
  for (const int64_t length : {1, 19, 989}) {
    for (const int64_t heads : {1, 3}) {
      for (const int64_t width : {2, 10, 64}) {
        const Tensor angle = at::rand({length, width / 2}) * 7, cos = at::cos(angle), sin = at::sin(angle);
        const auto with = [&](auto f) {
          return [=](const auto& in) {
            const Tensor slice = in[0].chunk(3, -1)[1].view({2, length, heads, width});
            return at::cat({f(slice, cos.to(slice.scalar_type()), sin.to(slice.scalar_type())),
                            f(slice.contiguous(), cos.to(slice.scalar_type()), sin.to(slice.scalar_type()))});
          };
        };
        test::expect_as_good_as_reference(with(rotary), with(rotary_reference), {at::randn({2, length, 3 * heads * width})});
      }
    }
  }
  const Tensor transposed = at::randn({2, 3, 5, 8}).transpose(1, 2), table = at::rand({5, 4});
  EXPECT_LT(test::max_difference(rotary(transposed, table, table), rotary_reference(transposed, table, table)), 1e-6);
}

TEST(Rotary, RefusesTablesOfAnotherLengthAndTakesAnEmptyBatch) {
  EXPECT_THROW(rotary(at::ones({1, 5, 2, 8}), at::ones({4, 4}), at::ones({4, 4})), c10::ValueError);
  EXPECT_EQ(rotary(at::ones({0, 5, 2, 8}), at::ones({5, 4}), at::ones({5, 4})).numel(), 0);
}

}  // namespace ldlm
