// Muon's orthogonalisation and step, and what both optimisers do with a gradient that is not finite.
#include "train/optimizer.h"

#include <cmath>

#include "support.h"
#include "train/muon.h"

namespace ldlm {

namespace {

Tensor seeded(at::IntArrayRef shape, uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kFloat));
}

std::vector<NamedParameter> parameters() {
  return {{"dit.blocks.0.qkv.weight", seeded({24, 8}, 1)},
          {"dit.blocks.0.modulation.weight", seeded({48, 8}, 2)},
          {"dit.output.weight", seeded({8, 8}, 3)},
          {"dit.blocks.0.qkv.bias", seeded({24}, 4)}};
}

OptimizerConfig muon_config() { return {0.9, 0.98, 1e-8, 0.0, 1e9, MuonConfig{2, 0.95}}; }

std::vector<Tensor> gradients() { return {seeded({24, 8}, 5), seeded({48, 8}, 6), seeded({8, 8}, 7), seeded({24}, 8)}; }

}  // namespace

TEST(Muon, LeavesSingularVectorsAndEqualisesSingularValues) {
  for (const auto& shape : {std::vector<int64_t>{16, 40}, {40, 16}, {16, 16}, {1, 7}}) {
    const Tensor m = seeded(shape, 11), o = orthogonalized(m);
    // U and V of m must diagonalise o, with values in the band that the five iterations reach.
    const auto [u, s, vh] = at::linalg_svd(m.to(at::kDouble), /*full_matrices=*/false);
    const Tensor inside = u.t().mm(o.to(at::kDouble)).mm(vh.t());
    const Tensor values = at::diag(inside);
    EXPECT_LT((inside - at::diag(values)).abs().max().item<double>(), 1e-3);  // the Gram matrix squares, and so halves the digits
    // A singular value far below the largest has not risen all the way; above a hundredth of the norm it has.
    const Tensor risen = values.masked_select(s > 0.01 * s.norm());
    EXPECT_GT(risen.min().item<double>(), 0.6);
    EXPECT_LT(values.max().item<double>(), 1.3);
  }
  EXPECT_EQ(orthogonalized(at::zeros({4, 6})).abs().max().item<float>(), 0);
}

TEST(Muon, StepHasTheRootMeanSquareOfAdamW) {
  for (const auto& shape : {std::vector<int64_t>{32, 128}, {128, 32}, {64, 64}}) {
    const Tensor p = at::zeros(shape), momentum = at::zeros(shape);
    muon_update(p, seeded(shape, 12), momentum, 0.95, at::full({}, 0.01f), 0.1);
    EXPECT_NEAR(p.square().mean().sqrt().item<double>(), 0.2 * 0.01, 0.2 * 0.2 * 0.01);
  }
}

TEST(Muon, TakesMatricesOfBlocksAndLeavesTheRestToAdamW) {
  const auto with = parameters(), without = parameters();
  OptimizerConfig plain = muon_config();
  plain.muon = std::nullopt;
  Optimizer muon(muon_config(), with), adam(plain, without);
  auto g = gradients(), h = gradients();
  muon.step(g, 0.01);
  adam.step(h, 0.01);
  EXPECT_FALSE(with[0].tensor.equal(without[0].tensor));
  for (size_t i = 1; i < with.size(); ++i) EXPECT_TRUE(with[i].tensor.equal(without[i].tensor)) << with[i].name;
  EXPECT_TRUE(muon.state().contains("dit.blocks.0.qkv.weight.momentum"));
  EXPECT_FALSE(muon.state().contains("dit.blocks.0.qkv.weight.exp_avg"));
}

TEST(Optimizer, LeavesParametersAndStateWhereAGradientIsNotFinite) {
  const auto moved = parameters();
  Optimizer optimizer(muon_config(), moved);
  auto g = gradients();
  optimizer.step(g, 0.01);
  std::vector<Tensor> before;
  for (const auto& p : moved) before.push_back(p.tensor.clone());
  TensorMap state;
  for (const auto& [name, tensor] : optimizer.state()) state[name] = tensor.clone();
  auto bad = gradients();
  bad[0][3][3] = std::nan("");
  optimizer.step(bad, 0.01);
  for (size_t i = 0; i < moved.size(); ++i) EXPECT_TRUE(moved[i].tensor.equal(before[i])) << moved[i].name;
  for (const auto& [name, tensor] : optimizer.state()) EXPECT_TRUE(tensor.equal(state[name])) << name;
}

}  // namespace ldlm
