// The block that LatentEncoder and LatentDecoder are stacks of (Perceiver, Jaegle et al. 2021; details of COSMOS).
// Queries come from the stream x; keys and values from x and from the context, side by side on the sequence axis, so that
// cross- and self-attention are one attention. No biases.
#pragma once

#include "model/config.h"
#include "model/layers.h"

namespace ldlm {

struct PerceiverBlock {
  PerceiverBlock(int64_t width, int64_t context_width, int64_t heads, const at::TensorOptions& options);
  // x [B, N, D], context [B, M, E] -> [B, N, D]
  Tensor operator()(const Tensor& x_BND, const Tensor& context_BME) const;
  void reset_parameters(int64_t depth, at::Generator& generator);
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  int64_t heads;
  RmsNorm stream_norm, context_norm, query_norm, key_norm, feed_forward_norm;
  Linear stream_qkv, context_kv, output;
  FeedForward feed_forward;
};

}  // namespace ldlm
