// h [B, L, H] -> z0 [B, N, D]: learned queries read the hidden states of the frozen LM (method of the paper, Perceiver of COSMOS).
// With N = L the queries also take h in, query_i = W h_i + 0.3 q_i: from learned queries alone the variance of z0 over the data
// stayed near 1e-4 in small runs (docs/recipe.md). z0 ends in a parameter-free RMS norm per latent vector, which bounds
// its scale, so that a fixed decoder-input noise means something; without it (`free_scale`) the encoder can out-grow the noise.
#pragma once

#include "model/perceiver.h"

namespace ldlm {

struct LatentEncoder {
  LatentEncoder(const ModelConfig& config, const at::TensorOptions& options);
  Tensor operator()(const Tensor& h_BLH) const;  // -> z0 [B, N, D], every vector of squared norm D unless free_scale
  void reset_parameters(at::Generator& generator);
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor queries_ND, positions_LH;
  Linear query_input;  // only with N = L
  std::vector<PerceiverBlock> blocks;
  bool free_scale;
};

}  // namespace ldlm
