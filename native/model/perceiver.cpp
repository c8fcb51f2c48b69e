#include "model/perceiver.h"

#include <cmath>

#include "ops/attention/attention.h"

namespace ldlm {

PerceiverBlock::PerceiverBlock(int64_t width, int64_t context_width, int64_t heads, const at::TensorOptions& options)
    : heads(heads),
      stream_norm(width, options),
      context_norm(context_width, options),
      query_norm(width / heads, options),
      key_norm(width / heads, options),
      feed_forward_norm(width, options),
      stream_qkv(width, 3 * width, false, options),
      context_kv(context_width, 2 * width, false, options),
      output(width, width, false, options),
      feed_forward(width, false, options) {}

Tensor PerceiverBlock::operator()(const Tensor& x_BND, const Tensor& context_BME) const {
  const Tensor own = stream_qkv(stream_norm(x_BND));             // [B, N, 3D]
  const Tensor context = context_kv(context_norm(context_BME));  // [B, M, 2D]
  const Tensor x = x_BND + output(attention(own, context, {heads, query_norm.gain, key_norm.gain}));
  return x + feed_forward(feed_forward_norm(x));
}

void PerceiverBlock::reset_parameters(int64_t depth, at::Generator& generator) {
  for (RmsNorm* norm : {&stream_norm, &context_norm, &query_norm, &key_norm, &feed_forward_norm}) norm->gain.fill_(1.0);
  fill_fan_in(stream_qkv, generator);
  fill_fan_in(context_kv, generator);
  fill_fan_in(feed_forward.up, generator);
  // What is added to the residual stream shrinks with the depth, so that its variance stays near 1 (GPT-2's rule).
  const double residual = 1.0 / std::sqrt(2.0 * static_cast<double>(depth));
  fill_fan_in(output, generator, residual);
  fill_fan_in(feed_forward.down, generator, residual);
}

void PerceiverBlock::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  stream_norm.visit(join_name(prefix, "stream_norm"), visitor);
  context_norm.visit(join_name(prefix, "context_norm"), visitor);
  query_norm.visit(join_name(prefix, "query_norm"), visitor);
  key_norm.visit(join_name(prefix, "key_norm"), visitor);
  feed_forward_norm.visit(join_name(prefix, "feed_forward_norm"), visitor);
  stream_qkv.visit(join_name(prefix, "stream_qkv"), visitor);
  context_kv.visit(join_name(prefix, "context_kv"), visitor);
  output.visit(join_name(prefix, "output"), visitor);
  feed_forward.visit(join_name(prefix, "feed_forward"), visitor);
}

}  // namespace ldlm
