#include "model/token_decoder.h"

#include <cmath>

#include "model/recompute.h"
#include "ops/attention/attention.h"
#include "ops/recorded.h"

namespace ldlm {

TokenDecoderBlock::TokenDecoderBlock(int64_t width, int64_t heads, const at::TensorOptions& options)
    : heads(heads),
      attention_norm(width, options),
      feed_forward_norm(width, options),
      qkv(width, 3 * width, false, options),
      output(width, width, false, options),
      gate_up(width, 8 * width, false, options),
      down(4 * width, width, false, options) {}

Tensor TokenDecoderBlock::operator()(const Tensor& x_BLH, const RotaryTable& rotary) const {
  const Tensor projected = qkv(attention_norm(x_BLH));  // [B, L, 3H]
  const Tensor x = x_BLH + output(attention(projected, {}, {heads, {}, {}, rotary.cos, rotary.sin}));
  const auto gated = gate_up(feed_forward_norm(x)).chunk(2, -1);  // 2 x [B, L, 4H]
  return x + down(at::silu(gated[0]) * gated[1]);
}

void TokenDecoderBlock::reset_parameters(int64_t depth, at::Generator& generator) {
  attention_norm.gain.fill_(1.0);
  feed_forward_norm.gain.fill_(1.0);
  fill_fan_in(qkv, generator);
  fill_fan_in(gate_up, generator);
  const double residual = 1.0 / std::sqrt(2.0 * static_cast<double>(depth));  // as in PerceiverBlock
  fill_fan_in(output, generator, residual);
  fill_fan_in(down, generator, residual);
}

void TokenDecoderBlock::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  attention_norm.visit(join_name(prefix, "attention_norm"), visitor);
  feed_forward_norm.visit(join_name(prefix, "feed_forward_norm"), visitor);
  qkv.visit(join_name(prefix, "qkv"), visitor);
  output.visit(join_name(prefix, "output"), visitor);
  gate_up.visit(join_name(prefix, "gate_up"), visitor);
  down.visit(join_name(prefix, "down"), visitor);
}

TokenDecoder::TokenDecoder(const ModelConfig& config, const at::TensorOptions& options)
    : rotary(config.max_length, config.hidden_width / config.token_decoder.heads, options),
      output_norm(config.hidden_width, options),
      head(config.hidden_width, config.vocabulary, false, options) {
  for (int64_t i = 0; i < config.token_decoder.layers; ++i) {
    blocks.emplace_back(config.hidden_width, config.token_decoder.heads, options);
  }
}

Tensor TokenDecoder::features(const Tensor& h_hat_BLH) const {
  const RecordedModule record("token_decoder");
  Tensor x = h_hat_BLH;
  for (const TokenDecoderBlock& block : blocks) {
    x = run_block(block, {x}, [rotary = rotary](const TokenDecoderBlock& block, const std::vector<Tensor>& in) { return block(in[0], rotary); });
  }
  return output_norm(x);
}

void TokenDecoder::reset_parameters(at::Generator& generator) {
  for (TokenDecoderBlock& block : blocks) block.reset_parameters(static_cast<int64_t>(blocks.size()), generator);
  output_norm.gain.fill_(1.0);
  fill_fan_in(head, generator);
}

void TokenDecoder::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(prefix, "blocks." + std::to_string(i)), visitor);
  output_norm.visit(join_name(prefix, "output_norm"), visitor);
  head.visit(join_name(prefix, "head"), visitor);
}

}  // namespace ldlm
