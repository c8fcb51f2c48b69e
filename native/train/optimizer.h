// The update of all parameters at once. AdamW (Loshchilov & Hutter 2019) by libtorch's fused kernels, with clipping and the guard against
// non-finite gradients folded into the same pass: nothing waits for the device. Muon, where it is configured, takes the matrices of the
// blocks; embeddings, heads, modulations, biases and gains stay AdamW's.
#pragma once

#include "io/safetensors.h"
#include "model/parameters.h"

namespace ldlm {

struct MuonConfig {
  double lr_scale;  // its learning rate over AdamW's
  double momentum;
};

struct OptimizerConfig {
  double beta1, beta2, eps;
  double weight_decay;  // on matrices (names ending in "weight", not the gains of norms) only
  double clip;          // largest norm of the whole gradient
  std::optional<MuonConfig> muon;
};

class Optimizer {
 public:
  Optimizer(const OptimizerConfig& config, const std::vector<NamedParameter>& parameters);

  // One update. `gradients` are in the order of the parameters and are overwritten (clipped). Returns the norms of the single
  // gradients before clipping [P] on the device. A gradient that is not finite leaves parameters and state untouched.
  Tensor step(std::vector<Tensor>& gradients, double lr);

  TensorMap state() const;
  void restore(const TensorMap& state);

 private:
  struct AdamGroup {
    std::vector<size_t> members;
    std::vector<Tensor> parameters, exp_avg, exp_avg_sq, steps;
    double weight_decay;
  };
  struct MuonGroup {
    std::vector<size_t> members;
    std::vector<Tensor> parameters, momentum;
  };

  // `shrink` divides the gradients; where `finite` is false nothing moves.
  void step_adam(AdamGroup& group, const std::vector<Tensor>& gradients, double lr, const Tensor& shrink, const Tensor& finite);
  void step_muon(const std::vector<Tensor>& gradients, double lr, const Tensor& shrink, const Tensor& finite);

  OptimizerConfig config_;
  std::vector<NamedParameter> parameters_;
  AdamGroup decayed_, plain_;
  MuonGroup muon_;
  Tensor step_;  // fp32 scalar on the device: updates made so far
};

}  // namespace ldlm
