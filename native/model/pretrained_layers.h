// Layers that only the pretrained families (GPT-2, BERT) have. Parameter names are those of Hugging Face.
#pragma once

#include "model/parameters.h"
#include "ops/linear/linear.h"

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

// y = x W + b: GPT-2 stores its matrices the other way round, weight [in, out].
struct Conv1d {
  Conv1d() = default;
  Conv1d(int64_t in, int64_t out, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor weight, bias;
};

enum class Activation { kGelu, kGeluTanh, kRelu };

// "gelu" | "gelu_new" | "relu", as in config.json; anything else is a c10::ValueError.
Activation parse_activation(const std::string& name);
Tensor activate(const Tensor& x, Activation activation);

// Refuses, with a c10::ValueError naming `network`, ids that are not integers [B, L] with B >= 1, 1 <= L <= positions and values in
// 0..vocabulary-1, and lengths that are not [B] in 0..L. On a GPU only the shapes are checked: looking at values would stop it.
void check_tokens(const char* network, const Tensor& ids_BL, const Tensor& lengths_B, int64_t vocabulary, int64_t positions);

// Hugging Face's index into `hidden_states` -> 0..layers; negative counts from the end. A c10::ValueError outside of that.
int64_t resolve_layer(const char* network, int64_t layer, int64_t layers);

}  // namespace ldlm
