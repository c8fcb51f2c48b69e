// h_hat [B, L, H] -> logits [B, L, V]: bidirectional pre-norm transformer blocks with SwiGLU (Shazeer 2020) and RoPE, and an
// untied head. It is trained on stop_gradient(h_hat), so it never shapes the latent space.
#pragma once

#include "model/config.h"
#include "model/layers.h"

namespace ldlm {

struct TokenDecoderBlock {
  TokenDecoderBlock(int64_t width, int64_t heads, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x_BLH, const RotaryTable& rotary) const;
  void reset_parameters(int64_t depth, at::Generator& generator);
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  int64_t heads;
  RmsNorm attention_norm, feed_forward_norm;
  Linear qkv, output, gate_up, down;
};

struct TokenDecoder {
  TokenDecoder(const ModelConfig& config, const at::TensorOptions& options);
  Tensor operator()(const Tensor& h_hat_BLH) const { return head(features(h_hat_BLH)); }
  Tensor features(const Tensor& h_hat_BLH) const;  // -> [B, L, H], what the head reads: of a large vocabulary the logits are never held
  void reset_parameters(at::Generator& generator);
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  RotaryTable rotary;
  std::vector<TokenDecoderBlock> blocks;
  RmsNorm output_norm;
  Linear head;
};

}  // namespace ldlm
