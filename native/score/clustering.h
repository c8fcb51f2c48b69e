// Vector quantisation of features, the first half of MAUVE (Pillutla et al. 2021, section 3): unit length, principal components,
// k-means. The second half, the divergence curve between two histograms of the labels, is numbers only (src/eval/mauve.ts).
#pragma once

#include "torch.h"

namespace ldlm {

struct ClusterConfig {
  int64_t clusters;          // 1..N
  double explained_variance;  // keeps the fewest principal components that explain this share of the variance
  int64_t restarts;          // k-means from new points, of which the one with the least error is kept
  int64_t iterations;        // at most, of each
};

// features [N, F] fp32, finite -> rows scaled to length 1, centred and rotated into principal components [N, F'], F' <= F.
Tensor principal_components(const Tensor& features_NF, double explained_variance);

// points [N, F] -> the cluster of each, int64 [N] in 0..clusters-1. Lloyd's algorithm from random points; equal seeds, equal labels.
// An empty cluster takes the point that is farthest from its centre. Identical points may leave clusters empty.
Tensor k_means(const Tensor& points_NF, const ClusterConfig& config, uint64_t seed);

// Labels for every seed, int64 [seeds, N].
Tensor cluster_features(const Tensor& features_NF, const ClusterConfig& config, const std::vector<uint64_t>& seeds);

}  // namespace ldlm
