#include "score/clustering.h"

#include <numeric>
#include <random>

namespace ldlm {
namespace {

// `count` different rows, drawn by our own loop: what std::shuffle gives differs between standard libraries.
Tensor draw_rows(int64_t rows, int64_t count, std::mt19937_64& random) {
  std::vector<int64_t> order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = 0; i < count; ++i) {
    const auto other = i + static_cast<int64_t>(random() % static_cast<uint64_t>(rows - i));
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(other)]);
  }
  return at::tensor(at::ArrayRef<int64_t>(order).slice(0, static_cast<size_t>(count)), at::kLong);
}

struct Assignment {
  Tensor labels_N, distances_N;  // squared distance to the centre
};

Assignment assign(const Tensor& points_NF, const Tensor& squares_N, const Tensor& centres_KF) {
  // |x - c|^2 without |x|^2, which decides nothing.
  const auto [nearest, labels] = at::addmm(centres_KF.square().sum(1), points_NF, centres_KF.t(), 1, -2).min(1);
  return {labels, (nearest + squares_N).clamp_min(0)};
}

Tensor centres_of(const Tensor& points_NF, const Assignment& assigned, int64_t clusters) {
  const Tensor counts_K = at::bincount(assigned.labels_N, {}, clusters).to(points_NF.scalar_type());
  Tensor centres = at::zeros({clusters, points_NF.size(1)}, points_NF.options()).index_add_(0, assigned.labels_N, points_NF);
  centres.div_(counts_K.clamp_min(1).unsqueeze(1));
  const Tensor empty = counts_K.eq(0).nonzero().squeeze(1);
  if (empty.numel() > 0) {
    centres.index_copy_(0, empty, points_NF.index_select(0, std::get<1>(assigned.distances_N.topk(empty.numel()))));
  }
  return centres;
}

Assignment lloyd(const Tensor& points_NF, const Tensor& squares_N, const ClusterConfig& config, std::mt19937_64& random) {
  Tensor centres = points_NF.index_select(0, draw_rows(points_NF.size(0), config.clusters, random));
  Assignment assigned = assign(points_NF, squares_N, centres);
  for (int64_t i = 0; i < config.iterations; ++i) {
    centres = centres_of(points_NF, assigned, config.clusters);
    Assignment next = assign(points_NF, squares_N, centres);
    const bool settled = at::equal(next.labels_N, assigned.labels_N);  // then nothing will change any more
    assigned = std::move(next);
    if (settled) break;
  }
  return assigned;
}

}  // namespace

Tensor principal_components(const Tensor& features_NF, double explained_variance) {
  TORCH_CHECK_VALUE(features_NF.dim() == 2 && features_NF.numel() > 0 && at::isfinite(features_NF).all().item<bool>(),
                    "clustering: features must be finite numbers [N, F], got ", features_NF.sizes());
  const Tensor x = features_NF.to(at::kDouble);
  const Tensor unit = x / x.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
  const Tensor centred = unit - unit.mean({0});
  // Eigenvectors of the smaller of F x F and N x N; of N x N they are the scores themselves, up to their length.
  const bool tall = centred.size(0) >= centred.size(1);
  const auto [ascending, vectors] = at::linalg_eigh(at::matmul(tall ? centred.t() : centred, tall ? centred : centred.t()));
  const Tensor values = ascending.flip(0).clamp_min(0);
  const Tensor share = values.cumsum(0) / values.sum().clamp_min(1e-300);
  const int64_t kept = std::min<int64_t>(share.lt(explained_variance).sum().item<int64_t>() + 1, values.size(0));
  const Tensor axes = vectors.flip(1).narrow(1, 0, kept);
  return (tall ? at::matmul(centred, axes) : axes * values.narrow(0, 0, kept).sqrt()).to(at::kFloat);
}

Tensor k_means(const Tensor& points_NF, const ClusterConfig& config, uint64_t seed) {
  TORCH_CHECK_VALUE(config.clusters >= 1 && config.clusters <= points_NF.size(0), "clustering: clusters must be 1..", points_NF.size(0),
                    " (the points), got ", config.clusters);
  TORCH_CHECK_VALUE(config.restarts >= 1 && config.iterations >= 1, "clustering: restarts and iterations must be at least 1");
  std::mt19937_64 random(seed);
  const Tensor squares_N = points_NF.square().sum(1);
  Tensor best;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < config.restarts; ++i) {
    const Assignment found = lloyd(points_NF, squares_N, config, random);
    const double error = found.distances_N.sum(at::kDouble).item<double>();
    if (!(error < least)) continue;
    least = error;
    best = found.labels_N;
  }
  return best;
}

Tensor cluster_features(const Tensor& features_NF, const ClusterConfig& config, const std::vector<uint64_t>& seeds) {
  at::NoGradGuard no_grad;
  const Tensor points = principal_components(features_NF, config.explained_variance);
  std::vector<Tensor> labels;
  for (const uint64_t seed : seeds) labels.push_back(k_means(points, config, seed));
  return at::stack(labels);
}

}  // namespace ldlm
