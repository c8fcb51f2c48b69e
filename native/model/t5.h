// The encoder of T5 (Raffel et al. 2020) and T5 1.1 (gated feed-forward; also Flan-T5). No decoder, no head.
#pragma once

#include "model/layers.h"
#include "model/pretrained_encoder.h"
#include "model/pretrained_layers.h"

namespace ldlm {

// x + attention(norm(x)), then x + feed_forward(norm(x)), no biases. [B, L, C] -> [B, L, C]. Scores are not scaled by the head's width.
struct T5Block {
  T5Block(const PretrainedEncoderConfig& config, const at::TensorOptions& options);
  // bias [B, heads, L, L], added to the scores.
  Tensor operator()(const Tensor& x_BLC, const Tensor& bias) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  PretrainedRmsNorm attention_norm, feed_forward_norm;
  Linear query, key, value, attention_out, gate, up, down;  // `gate` is empty when the feed-forward has none
  int64_t heads;
  bool gated;
  Activation activation;
};

struct T5 {
  T5(const PretrainedEncoderConfig& config, const at::TensorOptions& options);
  Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor tokens, distance_biases;  // [V, C], [buckets, heads]: stored with the first block, used by all
  std::vector<T5Block> blocks;
  PretrainedRmsNorm final_norm;
  int64_t last_distance;
};

// What a T5 file may hold beside the parameters: the decoder, the head, a second copy of the token embeddings.
bool t5_may_skip(const std::string& name);

}  // namespace ldlm
