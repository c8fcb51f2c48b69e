// The transformer block of BERT and its descendants: the norm comes after the sum. They differ in the names of its parameters only.
#pragma once

#include "model/layers.h"
#include "model/pretrained_encoder.h"
#include "model/pretrained_layers.h"

namespace ldlm {

struct PostNormNames {
  const char *query, *key, *value, *attention_out, *attention_norm, *up, *down, *feed_forward_norm;
};

// norm(x + attention(x)), then norm(x + feed_forward(x)). [B, L, C] -> [B, L, C].
struct PostNormBlock {
  PostNormBlock(const PretrainedEncoderConfig& config, const PostNormNames& names, const at::TensorOptions& options);
  // mask [B, 1, 1, L] bool, true where to look; or [B, heads, L, L] float, added to the scores.
  Tensor operator()(const Tensor& x_BLC, const Tensor& mask) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Linear query, key, value, attention_out, up, down;
  LayerNorm attention_norm, feed_forward_norm;
  PostNormNames names;
  int64_t heads;
  Activation activation;
};

// Hidden state 0 -> hidden state `layer`.
Tensor advance(const std::vector<PostNormBlock>& blocks, Tensor x_BLC, const Tensor& mask, int64_t layer);

}  // namespace ldlm
