// AdamW (Loshchilov & Hutter 2019) over all parameters at once, by libtorch's fused kernels, with clipping and the guard against
// non-finite gradients folded into the same pass: nothing waits for the device.
#pragma once

#include "io/safetensors.h"
#include "model/parameters.h"

namespace ldlm {

struct AdamWConfig {
  double beta1, beta2, eps;
  double weight_decay;  // on matrices (names ending in "weight", not the gains of norms) only
  double clip;          // largest norm of the whole gradient
};

class AdamW {
 public:
  AdamW(const AdamWConfig& config, const std::vector<NamedParameter>& parameters);

  // One update. `gradients` are in the order of the parameters and are overwritten (clipped). Returns the norms of the single
  // gradients before clipping [P] on the device. A gradient that is not finite leaves parameters and state untouched.
  Tensor step(std::vector<Tensor>& gradients, double lr);

  TensorMap state() const;
  void restore(const TensorMap& state);

 private:
  struct Group {
    std::vector<size_t> members;
    std::vector<Tensor> parameters, exp_avg, exp_avg_sq, steps;
    double weight_decay;
  };

  AdamWConfig config_;
  std::vector<NamedParameter> parameters_;
  Group decayed_, plain_;
  Tensor step_;  // fp32 scalar on the device: updates made so far
};

}  // namespace ldlm
