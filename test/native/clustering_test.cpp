// Principal components and k-means on data whose answer is known.
#include "score/clustering.h"

#include "support.h"

namespace ldlm {
namespace {

// `each` points around each of `count` far corners: the clustering is plain.
Tensor blobs(int64_t count, int64_t each, int64_t width) {
  auto generator = at::detail::createCPUGenerator(5);
  const Tensor corners = at::randn({count, width}, generator, at::TensorOptions(at::kFloat)) * 10;
  return corners.repeat_interleave(each, 0) + at::randn({count * each, width}, generator, at::TensorOptions(at::kFloat)) * 0.05;
}

TEST(Clustering, FindsBlobsThatAreFarApart) {
  const Tensor labels = cluster_features(blobs(5, 20, 8), {5, 0.99, 5, 500}, {3})[0].view({5, 20});
  for (int64_t blob = 0; blob < 5; ++blob) EXPECT_TRUE(labels[blob].eq(labels[blob][0]).all().item<bool>());
  EXPECT_EQ(std::get<0>(at::_unique(labels)).numel(), 5);
}

TEST(Clustering, EqualSeedsGiveEqualLabels) {
  const Tensor labels = cluster_features(blobs(5, 20, 8), {12, 0.9, 2, 500}, {1, 2, 1});
  EXPECT_TRUE(at::equal(labels[0], labels[2]));
  EXPECT_FALSE(at::equal(labels[0], labels[1]));
}

TEST(Clustering, PrincipalComponentsKeepDistancesAndDropWhatExplainsLittle) {
  const Tensor features = blobs(4, 10, 6);
  for (const auto& x : {features, features.narrow(0, 0, 4)}) {  // more rows than columns, and fewer
    const Tensor unit = x / x.norm(2, {1}, true);
    const Tensor all = principal_components(x, 1.0);
    const auto distances = [](const Tensor& points) { return at::cdist(points, points, 2, /*compute_mode=*/2); };  // not by products
    EXPECT_LT(test::max_difference(distances(all), distances(unit)), 1e-5);
  }
  EXPECT_LT(principal_components(features, 0.5).size(1), 4);
}

TEST(Clustering, IdenticalPointsAreOneCluster) {
  const Tensor labels = cluster_features(at::ones({10, 3}), {2, 0.9, 3, 50}, {1})[0];
  EXPECT_TRUE(labels.eq(labels[0]).all().item<bool>());
}

TEST(Clustering, RefusesMoreClustersThanPointsAndFeaturesThatAreNotNumbers) {
  EXPECT_THROW(cluster_features(at::ones({3, 2}), {4, 0.9, 1, 10}, {1}), c10::ValueError);
  EXPECT_THROW(cluster_features(at::full({3, 2}, std::nan("")), {2, 0.9, 1, 10}, {1}), c10::ValueError);
}

}  // namespace
}  // namespace ldlm
