#include "model/relative_positions.h"

#include <cmath>
#include <limits>

namespace ldlm {

Tensor relative_position_bias(const Tensor& biases, int64_t length, int64_t last_distance) {
  const int64_t side = biases.size(0) / 2, exact = side / 2;
  const Tensor place = at::arange(length, biases.options().dtype(at::kLong));
  const Tensor offset = place.unsqueeze(0) - place.unsqueeze(1);  // [L, L], key - query
  const Tensor distance = offset.abs();
  // In fp32, as Hugging Face computes it: a distance at the edge of two buckets must fall into the same one.
  const double span = std::log(static_cast<double>(last_distance) / static_cast<double>(exact));
  const Tensor growth = at::log(distance.to(at::kFloat) / static_cast<double>(exact)) / span * static_cast<double>(side - exact);
  const Tensor far = growth.clamp_min(0).to(at::kLong).add(exact).clamp_max(side - 1);  // log(0) is -inf, which no integer is
  const Tensor bucket = at::where(distance < exact, distance, far) + (offset > 0) * side;
  return at::embedding(biases, bucket).permute({2, 0, 1}).unsqueeze(0);
}

Tensor masked_bias(const Tensor& bias, const Tensor& mask) {
  return bias.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity());
}

}  // namespace ldlm
