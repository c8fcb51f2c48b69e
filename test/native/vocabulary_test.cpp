// Loss and argmax over a vocabulary in chunks of rows.
#include "ops/vocabulary/vocabulary.h"

#include <cmath>

#include "support.h"

namespace ldlm {

namespace {

// Of a sum of a thousand terms the last digit is too coarse to compare two ways to add them: the mean.
test::Function mean_of(Tensor (*f)(const Tensor&, const Tensor&, const Tensor&), const Tensor& targets) {
  return [=](const std::vector<Tensor>& in) { return f(in[0], in[1], targets) / in[0].size(0); };
}

Tensor random_targets(int64_t rows, int64_t vocabulary) {
  return at::randint(0, vocabulary, {rows}, at::kLong).masked_fill(at::rand({rows}).lt(0.2), -1);
}

}  // namespace

TEST(Vocabulary, CrossEntropyHasItsClosedForm) {
  const Tensor targets = at::tensor({0, 4, -1}, at::kLong);
  EXPECT_NEAR(vocabulary_cross_entropy(at::zeros({3, 2}), at::ones({5, 2}), targets).item<float>(), 2 * std::log(5.0), 1e-6);
}

TEST(Vocabulary, ReferenceGradientMatchesFiniteDifferences) {
  const auto options = at::TensorOptions(at::kDouble);
  const Tensor x = at::randn({6, 8}, options).requires_grad_(), head = at::randn({11, 8}, options).requires_grad_(), targets = random_targets(6, 11);
  EXPECT_LT(test::gradient_error([&] { return vocabulary_cross_entropy_reference(x, head, targets); }, {x, head}), 1e-7);
}

TEST(Vocabulary, CrossEntropyIsAsGoodAsTheReferenceInOneChunkAndInSeveral) {
  // 16 777 216 / 500 000 = 33 rows a chunk: 70 rows take three.
  for (const auto& [rows, vocabulary] : {std::pair<int64_t, int64_t>{1, 7}, {989, 298}, {70, 500000}}) {
    const Tensor targets = random_targets(rows, vocabulary);
    test::expect_as_good_as_reference(mean_of(vocabulary_cross_entropy, targets), mean_of(vocabulary_cross_entropy_reference, targets),
                                      {at::randn({rows, 8}), at::randn({vocabulary, 8})});
  }
}

TEST(Vocabulary, ArgmaxIsThatOfTheLogitsInOneChunkAndInSeveral) {
  for (const auto& [rows, vocabulary] : {std::pair<int64_t, int64_t>{48, 298}, {70, 500000}}) {
    const Tensor x = at::randint(-4, 5, {rows, 6}).to(at::kFloat), head = at::randint(-4, 5, {vocabulary, 6}).to(at::kFloat);
    const Tensor logits = at::linear(x, head), best = vocabulary_argmax(x, head);
    EXPECT_TRUE(logits.gather(1, best.unsqueeze(1)).squeeze(1).equal(std::get<0>(logits.max(1))));
  }
}

TEST(Vocabulary, RefusesOtherShapesAndTakesNoRowsOrNoneThatCount) {
  EXPECT_THROW(vocabulary_cross_entropy(at::ones({3, 2}), at::ones({5, 4}), at::zeros({3}, at::kLong)), c10::ValueError);
  EXPECT_THROW(vocabulary_cross_entropy(at::ones({3, 2}), at::ones({5, 2}), at::zeros({2}, at::kLong)), c10::ValueError);
  EXPECT_EQ(vocabulary_cross_entropy(at::ones({0, 2}), at::ones({5, 2}), at::zeros({0}, at::kLong)).item<float>(), 0);
  const Tensor x = at::ones({2, 2}).requires_grad_();
  const Tensor loss = vocabulary_cross_entropy(x, at::ones({5, 2}), at::full({2}, -1, at::kLong));
  EXPECT_EQ(loss.item<float>(), 0);
  EXPECT_TRUE(torch::autograd::grad({loss}, {x})[0].equal(at::zeros({2, 2})));
}

}  // namespace ldlm
