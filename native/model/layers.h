// The few layers that every network here is made of. Letters: B batch, L tokens, N latents, C width, see docs/architecture.md.
// Parameters are left uninitialised; each network fills them in its reset_parameters().
#pragma once

#include "model/parameters.h"
#include "ops/linear/linear.h"

namespace ldlm {

// y = x W^T + b. weight [out, in], bias [out] or undefined.
struct Linear {
  Linear() = default;
  Linear(int64_t in, int64_t out, bool with_bias, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x) const { return ldlm::linear(x, weight, bias); }
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor weight, bias;
};

// y = x / rms(x) * gain over the last dimension (Zhang & Sennrich 2019). gain [width].
struct RmsNorm {
  RmsNorm() = default;
  RmsNorm(int64_t width, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor gain;
};

// x / rms(x) without a gain. At width D the result has squared norm D.
Tensor rms_normalize(const Tensor& x);

// GELU feed-forward, width -> 4 width -> width, no biases: the feed-forward of a Perceiver block.
struct FeedForward {
  FeedForward() = default;
  FeedForward(int64_t width, bool with_bias, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Linear up, down;
};

// base^(-2 i / head_width) of every pair i of channels, fp64 [head_width / 2] on the CPU.
Tensor rotary_frequencies(int64_t head_width, double base = 10000.0);

// Rotary position tables (Su et al. 2021), cos and sin [length, head_width / 2]. Pair i turns by position * frequency_i.
struct RotaryTable {
  RotaryTable() = default;
  RotaryTable(int64_t length, const Tensor& frequencies, const at::TensorOptions& options);
  RotaryTable(int64_t length, int64_t head_width, const at::TensorOptions& options) : RotaryTable(length, rotary_frequencies(head_width), options) {}
  // Rotates the pairs (x_i, x_{i + head_width/2}).
  Tensor operator()(const Tensor& x_BLHd) const;

  Tensor cos, sin;
};

// [B, L, heads * d] -> [B, L, heads, d]: what is done to every head's vector is done here, where it lies dense in memory.
Tensor view_heads(const Tensor& x_BLC, int64_t heads);
// [B, L, heads * d] -> [B, heads, L, d], for attention, and back.
Tensor split_heads(const Tensor& x_BLC, int64_t heads);
Tensor merge_heads(const Tensor& x_BHLd);

// Fills `weight` from N(0, deviation^2), cut at 2 deviations, on the CPU so that equal seeds give equal weights on every device.
void fill_normal(Tensor& weight, double deviation, at::Generator& generator);
// The rule for matrices that read a normalised input: deviation 1/sqrt(in), output variance 1.
void fill_fan_in(Linear& linear, at::Generator& generator, double gain = 1.0);

}  // namespace ldlm
