// Layers that several of the pretrained families have, and no other network here. Parameter names are those of Hugging Face.
#pragma once

#include "model/parameters.h"
#include "ops/linear/linear.h"
#include "ops/rms_norm/rms_norm.h"

namespace ldlm {

// (x - mean) / sqrt(variance + epsilon) * weight + bias over the last dimension. weight, bias [width].
struct LayerNorm {
  LayerNorm() = default;
  LayerNorm(int64_t width, double epsilon, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x) const { return at::layer_norm(x, {weight.size(0)}, weight, bias, epsilon); }
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor weight, bias;
  double epsilon = 0;
};

// x / sqrt(mean(x^2) + epsilon) * weight over the last dimension (T5, Llama). weight [width].
struct PretrainedRmsNorm {
  PretrainedRmsNorm() = default;
  PretrainedRmsNorm(int64_t width, double epsilon, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x) const { return rms_norm(x, weight, epsilon); }
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor weight;
  double epsilon = 0;
};

// y = x W + b: GPT-2 stores its matrices the other way round, weight [in, out].
struct Conv1d {
  Conv1d() = default;
  Conv1d(int64_t in, int64_t out, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor weight, bias;
};

enum class Activation { kGelu, kGeluTanh, kRelu, kSilu };

// "gelu" | "gelu_new" | "relu" | "silu", as in config.json; anything else is a c10::ValueError.
Activation parse_activation(const std::string& name);
Tensor activate(const Tensor& x, Activation activation);

// lengths [B] -> [B, 1, 1, L] bool, true where attention may look: at the real tokens of a row, and at the first position of an
// empty row, since a softmax over nothing is NaN.
Tensor padding_mask(const Tensor& lengths_B, int64_t length);

// ids [B, L] -> positions [B, L] as RoBERTa counts them: from padding_id + 1 on, over the tokens that are no padding; padding_id at
// the padding.
Tensor positions_behind_padding(const Tensor& ids_BL, int64_t padding_id);

// Refuses a width that the heads do not divide, with a c10::ValueError naming `network`.
void check_heads(const char* network, int64_t hidden_width, int64_t heads);

// Refuses, with a c10::ValueError naming `network`, ids that are not integers [B, L] with B >= 1, 1 <= L <= positions and values in
// 0..vocabulary-1, and lengths that are not [B] in 0..L. On a GPU only the shapes are checked: looking at values would stop it.
void check_tokens(const char* network, const Tensor& ids_BL, const Tensor& lengths_B, int64_t vocabulary, int64_t positions);

// Hugging Face's index into `hidden_states` -> 0..layers; negative counts from the end. A c10::ValueError outside of that.
int64_t resolve_layer(const char* network, int64_t layer, int64_t layers);

}  // namespace ldlm
