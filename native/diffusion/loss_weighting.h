// Loss weighting by time: the denoiser's gradient at a schedule time is divided by what its loss is there, so that every time weighs alike.
// Else the noisy times, most of whose loss cannot be learned away, drown those where words are decided. Karras et al. (2024, EDM2)
// learn that loss with a small network; here it is a running mean in bins of the time.
#pragma once

#include "io/safetensors.h"
#include "torch.h"

namespace ldlm {

class LossWeighting {
 public:
  // `floor` > 0 is added to the loss before it divides, and so bounds the weights; nothing: all weights are 1.
  LossWeighting(const std::optional<double>& floor, const at::Device& device);

  bool active() const { return floor_.has_value(); }
  // Weights of the gradient at schedule times in [0, 1] of any shape; their mean over the times seen is 1, and 0 that of clean positions.
  Tensor weights(const Tensor& times) const;
  // Takes the mean squared errors of one step at `times`, of the same shape.
  void update(const Tensor& times, const Tensor& loss);

  // loss_weighting.loss_sum and loss_weighting.weight_sum, fp64, faded by step; without a floor none.
  TensorMap state() const;
  void restore(const TensorMap& saved);

 private:
  std::optional<double> floor_;
  Tensor loss_sum_, weight_sum_;  // [bins] fp64
};

}  // namespace ldlm
