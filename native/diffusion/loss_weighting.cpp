#include "diffusion/loss_weighting.h"

namespace ldlm {

namespace {

constexpr int64_t kBins = 40;
constexpr double kDecay = 0.96;  // of old evidence, a step: the loss falls fast at first
// Cleaner than this there is nothing to learn: positions that are settled would outweigh all others.
constexpr double kLeastTime = 2e-3;

Tensor bin_of(const Tensor& times) { return (times * kBins).floor().clamp(0, kBins - 1).to(at::kLong); }

}  // namespace

// One count of the loss 1 a bin, so that the weights begin as 1.
LossWeighting::LossWeighting(const std::optional<double>& floor, const at::Device& device)
    : floor_(floor),
      loss_sum_(at::ones({kBins}, at::TensorOptions(at::kDouble).device(device))),
      weight_sum_(at::ones({kBins}, at::TensorOptions(at::kDouble).device(device))) {}

Tensor LossWeighting::weights(const Tensor& times) const {
  if (!active()) return at::ones_like(times);
  const Tensor weight = 1 / (loss_sum_ / weight_sum_ + *floor_);
  const Tensor mean = (weight * weight_sum_).sum() / weight_sum_.sum();
  const Tensor of_bin = (weight / mean).to(times.scalar_type());
  return of_bin.index_select(0, bin_of(times).flatten()).view_as(times) * times.gt(kLeastTime);
}

void LossWeighting::update(const Tensor& times, const Tensor& loss) {
  if (!active()) return;
  at::NoGradGuard no_grad;
  // A loss that is not finite is no evidence: the optimizer skips its step, and the sums must outlive it.
  const Tensor counts = times.gt(kLeastTime).logical_and(at::isfinite(loss)).flatten();
  const Tensor bins = bin_of(times).flatten(), counted = counts.to(at::kDouble), found = at::where(counts, loss.to(at::kDouble).flatten(), 0.0);
  // The floor keeps a bin that is never visited from fading to 0 / 0.
  loss_sum_.mul_(kDecay).index_add_(0, bins, found).add_(1e-12);
  weight_sum_.mul_(kDecay).index_add_(0, bins, counted).add_(1e-12);
}

TensorMap LossWeighting::state() const {
  if (!active()) return {};
  return {{"loss_weighting.loss_sum", loss_sum_}, {"loss_weighting.weight_sum", weight_sum_}};
}

void LossWeighting::restore(const TensorMap& saved) {
  for (auto& [name, tensor] : state()) {
    const auto found = saved.find(name);
    TORCH_CHECK_VALUE(found != saved.end() && found->second.sizes() == tensor.sizes(), "the optimizer state must hold ", name, " of shape ",
                      tensor.sizes(), ", which the checkpoint has not");
    tensor.copy_(found->second);
  }
}

}  // namespace ldlm
