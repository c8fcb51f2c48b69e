// The Llama family (Touvron et al. 2023): Llama, Qwen2 (biases of query, key and value), Qwen3 (norms of query and key). Causal, no head.
#pragma once

#include "model/layers.h"
#include "model/pretrained_encoder.h"
#include "model/pretrained_layers.h"

namespace ldlm {

// x + attention(norm(x)), then x + feed_forward(norm(x)). [B, L, C] -> [B, L, C]. Several query heads share a head of keys and values.
struct LlamaBlock {
  LlamaBlock(const PretrainedEncoderConfig& config, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x_BLC, const RotaryTable& rotary) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  PretrainedRmsNorm attention_norm, feed_forward_norm, query_norm, key_norm;  // the last two of Qwen3 only, over a head's width
  Linear query, key, value, attention_out, gate, up, down;
  int64_t heads, key_value_heads;
  bool query_key_norm;
  Activation activation;
};

struct Llama {
  Llama(const PretrainedEncoderConfig& config, const at::TensorOptions& options);
  // Causal attention needs no mask for padding at the end of a row.
  Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor tokens;  // [V, C]
  std::vector<LlamaBlock> blocks;
  PretrainedRmsNorm final_norm;
  Tensor frequencies;  // of the rotary positions, [head_width / 2]
};

// What a Llama file may hold beside the parameters: the head and, in old files, the rotary frequencies.
bool llama_may_skip(const std::string& name);

}  // namespace ldlm
