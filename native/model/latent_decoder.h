// z [B, N, D] (noised in training, see decoder_input_noise) -> h_hat [B, L, H]: the encoder with the roles swapped, L learned
// queries read the latents. With N = L the queries also take z in.
#pragma once

#include "model/perceiver.h"

namespace ldlm {

struct LatentDecoder {
  LatentDecoder(const ModelConfig& config, const at::TensorOptions& options);
  Tensor operator()(const Tensor& z_BND) const;  // -> h_hat [B, L, H]
  void reset_parameters(at::Generator& generator);
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  bool queries_take_latents;
  Tensor queries_LD, positions_ND;
  std::vector<PerceiverBlock> blocks;
  RmsNorm output_norm;
  Linear output;
};

}  // namespace ldlm
