// GPT-2 (Radford et al. 2019) of any size: one forward pass for the frozen encoder and for the trainable causal LM.
// Knows no head and no loss.
#pragma once

#include "model/pretrained_encoder.h"
#include "model/pretrained_layers.h"

namespace ldlm {

// x + attention(norm(x)), then x + feed_forward(norm(x)). [B, L, C] -> [B, L, C].
struct Gpt2Block {
  Gpt2Block(const PretrainedEncoderConfig& config, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x_BLC) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  LayerNorm attention_norm, feed_forward_norm;
  Conv1d qkv, attention_out, up, down;
  int64_t heads;
  Activation activation;
};

struct Gpt2 {
  Gpt2(const PretrainedEncoderConfig& config, const at::TensorOptions& options);

  // ids [B, L] -> hidden state 0 [B, L, C]: token plus position embedding.
  Tensor embed(const Tensor& ids_BL) const;
  // Hidden state `from` -> hidden state `to`, counted as in Hugging Face: k is the output of block k, the last after the final norm.
  Tensor advance(Tensor x_BLC, int64_t from, int64_t to) const;
  // ids [B, L] -> hidden state `layer`. Causal attention needs no mask for padding at the end of a row.
  Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const;
  // For training with a head that is tied to `tokens`. The caller turns gradients off.
  void reset_parameters(at::Generator& generator);
  int64_t layers() const { return static_cast<int64_t>(blocks.size()); }
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor tokens, positions;  // [V, C], [positions, C]
  std::vector<Gpt2Block> blocks;
  LayerNorm final_norm;
};

// What a GPT-2 file may hold beside the parameters: the causal masks of old files and the tied head.
bool gpt2_may_skip(const std::string& name);

}  // namespace ldlm
