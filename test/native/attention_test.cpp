// The attention kernel: closed form, gradients, errors against the reference's own, and independence of the batch.
#include "ops/attention/attention.h"

#include <cmath>

#include "support.h"

namespace ldlm {

namespace {

struct Shape {
  int64_t batch, queries, others, heads, width;
};

std::vector<Tensor> random_inputs(const Shape& s, const at::TensorOptions& options = {}) {
  const int64_t channels = s.heads * s.width;
  std::vector<Tensor> inputs = {at::randn({s.batch, s.queries, 3 * channels}, options), at::rand({s.width}, options) + 0.5,
                                at::rand({s.width}, options) + 0.5};
  if (s.others > 0) inputs.push_back(at::randn({s.batch, s.others, 2 * channels}, options));
  return inputs;
}

// Inputs are qkv, query gain, key gain and perhaps a context.
test::Function call(Tensor (*f)(const Tensor&, const Tensor&, const AttentionOptions&), int64_t heads, bool normed, bool rotary, bool causal) {
  return [=](const std::vector<Tensor>& in) {
    AttentionOptions options = {.heads = heads, .causal = causal};
    if (normed) options.query_gain = in[1], options.key_gain = in[2];
    if (rotary) {
      const int64_t length = in[0].size(1), half = in[1].size(0) / 2;
      const Tensor angle = at::outer(at::arange(length, at::kDouble), at::pow(100.0, -at::arange(half, at::kDouble) / half));
      options.cos = at::cos(angle).to(in[0].scalar_type());
      options.sin = at::sin(angle).to(in[0].scalar_type());
    }
    const Tensor y = f(in[0], in.size() > 3 ? in[3] : Tensor(), options);
    return y + 0 * (in[1].sum() + in[2].sum());  // they have a gradient, also where they were not used
  };
}

}  // namespace

TEST(Attention, HasItsClosedForm) {
  // One head of width 1: q = 1, keys 0 and ln 3, so the weights are 1/4 and 3/4.
  const Tensor qkv = at::tensor({1.0f, 0.0f, 2.0f, 1.0f, std::log(3.0f), 6.0f}).view({1, 2, 3});
  const Tensor y = attention(qkv, {}, {.heads = 1});
  EXPECT_NEAR(y[0][0][0].item<float>(), 0.25 * 2 + 0.75 * 6, 1e-6);
  EXPECT_NEAR(attention(qkv, {}, {.heads = 1, .causal = true})[0][0][0].item<float>(), 2, 1e-6);
}

TEST(Attention, ReferenceGradientMatchesFiniteDifferences) {
  std::vector<Tensor> in = random_inputs({2, 5, 3, 2, 4}, at::kDouble);
  for (Tensor& t : in) t.requires_grad_();
  EXPECT_LT(test::gradient_error([&] { return call(attention_reference, 2, true, false, false)(in); }, in), 1e-7);
  in.pop_back();
  EXPECT_LT(test::gradient_error([&] { return call(attention_reference, 2, true, true, false)(in); }, in), 1e-7);
}

TEST(Attention, KernelIsAsGoodAsTheReferenceOnOddSizes) {
  for (const Shape& s : {Shape{2, 48, 0, 6, 32}, {1, 1, 0, 1, 2}, {3, 19, 0, 2, 10}, {1, 130, 0, 2, 64}, {2, 7, 0, 1, 128}}) {
    for (const bool normed : {false, true}) {
      for (const bool rotary : {false, true}) {
        for (const bool causal : {false, true}) {
          SCOPED_TRACE(testing::Message() << "normed " << normed << ", rotary " << rotary << ", causal " << causal);
          test::expect_as_good_as_reference(call(attention, s.heads, normed, rotary, causal), call(attention_reference, s.heads, normed, rotary, causal),
                                            random_inputs(s));
        }
      }
    }
  }
}

TEST(Attention, KernelLooksAtAContext) {
  for (const Shape& s : {Shape{2, 48, 48, 4, 16}, {1, 5, 100, 2, 12}, {2, 51, 1, 1, 33}}) {
    for (const bool normed : {false, true}) {
      test::expect_as_good_as_reference(call(attention, s.heads, normed, false, false), call(attention_reference, s.heads, normed, false, false),
                                        random_inputs(s));
    }
  }
}

TEST(Attention, ASampleDoesNotDependOnTheOthers) {
  const std::vector<Tensor> in = random_inputs({5, 48, 48, 4, 16});
  const AttentionOptions options = {.heads = 4, .query_gain = in[1], .key_gain = in[2]};
  const Tensor all = attention(in[0], in[3], options);
  EXPECT_TRUE(attention(in[0].narrow(0, 3, 1), in[3].narrow(0, 3, 1), options).equal(all.narrow(0, 3, 1)));
}

TEST(Attention, RefusesOtherShapesAndTakesAnEmptyBatch) {
  EXPECT_THROW(attention(at::ones({1, 2, 10}), {}, {.heads = 2}), c10::ValueError);
  EXPECT_THROW(attention(at::ones({1, 2, 12}), at::ones({1, 3, 12}), {.heads = 2}), c10::ValueError);
  EXPECT_THROW(attention(at::ones({1, 2, 12}), at::ones({1, 3, 8}), {.heads = 2, .causal = true}), c10::ValueError);
  EXPECT_THROW(attention(at::ones({1, 2, 12}), {}, {.heads = 2, .query_gain = at::ones({2})}), c10::ValueError);
  EXPECT_THROW(attention(at::ones({1, 2, 12}), {}, {.heads = 2, .cos = at::ones({1, 1}), .sin = at::ones({1, 1})}), c10::ValueError);
  EXPECT_EQ(attention(at::ones({0, 2, 12}), {}, {.heads = 2}).numel(), 0);
}

}  // namespace ldlm
