// What recomputation does to one block; that training keeps its bits is in joint_trainer_test.cpp.
#include "model/recompute.h"

#include "support.h"

namespace ldlm {

namespace {

// y = tanh(x W) * s, which counts its runs and shows whether anybody still holds the tanh.
struct Block {
  Tensor weight;
  std::shared_ptr<int> runs = std::make_shared<int>(0);
  std::shared_ptr<c10::weak_intrusive_ptr<c10::StorageImpl>> activation = std::make_shared<c10::weak_intrusive_ptr<c10::StorageImpl>>(c10::intrusive_ptr<c10::StorageImpl>());

  Tensor operator()(const Tensor& x, const Tensor& scale) const {
    ++*runs;
    const Tensor inner = at::tanh(x.mm(weight));
    *activation = inner.storage().getWeakStorageImpl();
    return inner * scale;
  }
  void visit(const std::string& prefix, const ParameterVisitor& visitor) { visitor(join_name(prefix, "weight"), weight); }
};

Tensor run(const Block& block, const Tensor& x, const Tensor& scale) {
  return run_block(block, {x, scale}, [](const Block& block, const std::vector<Tensor>& in) { return block(in[0], in[1]); });
}

}  // namespace

TEST(Recompute, KeepsNoActivationAndGivesTheSameGradients) {
  auto generator = at::detail::createCPUGenerator(3);
  const auto random = [&](at::IntArrayRef shape) { return at::randn(shape, generator, at::TensorOptions(at::kDouble)).requires_grad_(true); };
  const Block block = {random({4, 4})};
  const Tensor x = random({3, 4}), frozen_scale = random({4}).detach();
  const auto gradients_of = [&](bool recompute, bool& kept) {
    const Recompute guard(recompute);
    const Tensor y = run(block, run(block, x, frozen_scale), frozen_scale);
    kept = !block.activation->expired();
    return torch::autograd::grad({y.square().sum()}, {x, block.weight});
  };
  bool kept = false;
  const auto expected = gradients_of(false, kept);
  EXPECT_TRUE(kept);
  EXPECT_EQ(*block.runs, 2);
  const auto found = gradients_of(true, kept);
  EXPECT_FALSE(kept);
  EXPECT_EQ(*block.runs, 2 + 2 + 2);  // forward, and again backward
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(found[i].equal(expected[i])) << i;
}

TEST(Recompute, DoesNothingWithoutAGradient) {
  const Block block = {at::eye(2)};
  const Recompute guard(true);
  const at::NoGradGuard no_grad;
  run(block, at::ones({1, 2}), at::ones({2}));
  EXPECT_EQ(*block.runs, 1);
}

}  // namespace ldlm
