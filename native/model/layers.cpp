#include "model/layers.h"

#include <cmath>

#include "ops/gelu/gelu.h"
#include "ops/rms_norm/rms_norm.h"
#include "ops/rotary/rotary.h"

namespace ldlm {

namespace {
constexpr double kNormEpsilon = 1e-6;
}

Linear::Linear(int64_t in, int64_t out, bool with_bias, const at::TensorOptions& options)
    : weight(at::empty({out, in}, options)), bias(with_bias ? at::empty({out}, options) : Tensor()) {}

void Linear::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(join_name(prefix, "weight"), weight);
  if (bias.defined()) visitor(join_name(prefix, "bias"), bias);
}

RmsNorm::RmsNorm(int64_t width, const at::TensorOptions& options) : gain(at::empty({width}, options)) {}

Tensor RmsNorm::operator()(const Tensor& x) const { return rms_norm(x, gain, kNormEpsilon); }

void RmsNorm::visit(const std::string& prefix, const ParameterVisitor& visitor) { visitor(join_name(prefix, "gain"), gain); }

Tensor rms_normalize(const Tensor& x) { return rms_norm(x, {}, kNormEpsilon); }

FeedForward::FeedForward(int64_t width, bool with_bias, const at::TensorOptions& options)
    : up(width, 4 * width, with_bias, options), down(4 * width, width, with_bias, options) {}

Tensor FeedForward::operator()(const Tensor& x) const { return down(linear_gelu_tanh(x, up.weight, up.bias)); }

void FeedForward::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  up.visit(join_name(prefix, "up"), visitor);
  down.visit(join_name(prefix, "down"), visitor);
}

Tensor rotary_frequencies(int64_t head_width, double base) {
  return at::pow(base, -at::arange(0, head_width, 2, at::kDouble) / static_cast<double>(head_width));
}

RotaryTable::RotaryTable(int64_t length, const Tensor& frequencies, const at::TensorOptions& options) {
  const Tensor angle = at::outer(at::arange(length, at::kDouble), frequencies);  // [length, head_width / 2]
  cos = at::cos(angle).to(options);
  sin = at::sin(angle).to(options);
}

Tensor RotaryTable::operator()(const Tensor& x_BLHd) const { return rotary(x_BLHd, cos, sin); }

Tensor view_heads(const Tensor& x_BLC, int64_t heads) {
  return x_BLC.view({x_BLC.size(0), x_BLC.size(1), heads, x_BLC.size(2) / heads});
}

Tensor split_heads(const Tensor& x_BLC, int64_t heads) { return view_heads(x_BLC, heads).transpose(1, 2); }

Tensor merge_heads(const Tensor& x_BHLd) { return x_BHLd.transpose(1, 2).flatten(2); }

void fill_normal(Tensor& weight, double deviation, at::Generator& generator) {
  at::NoGradGuard no_grad;
  if (weight.is_meta()) return;  // a network built only to be counted
  Tensor values = at::randn(weight.sizes(), generator, at::TensorOptions(at::kFloat));
  weight.copy_(values.clamp_(-2.0, 2.0).mul_(deviation));
}

void fill_fan_in(Linear& linear, at::Generator& generator, double gain) {
  fill_normal(linear.weight, gain / std::sqrt(static_cast<double>(linear.weight.size(1))), generator);
  if (linear.bias.defined()) linear.bias.zero_();
}

}  // namespace ldlm
