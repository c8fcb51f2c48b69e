#include "ops/vocabulary/vocabulary.h"

namespace ldlm {

Tensor vocabulary_cross_entropy_reference(const Tensor& x_RH, const Tensor& head_VH, const Tensor& targets_R) {
  constexpr int64_t kIgnored = -100;
  const Tensor logits_RV = at::linear(x_RH, head_VH), targets = targets_R.masked_fill(targets_R.lt(0), kIgnored);
  const auto dtype = logits_RV.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::cross_entropy_loss(logits_RV.to(dtype), targets, {}, at::Reduction::Sum, kIgnored);
}

}  // namespace ldlm
