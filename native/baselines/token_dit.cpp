#include "baselines/token_dit.h"

#include <cmath>

#include "ops/adaln/adaln.h"

namespace ldlm {

TokenDit::TokenDit(const TokenDitConfig& config, const at::TensorOptions& options)
    : tokens(at::empty({config.inputs, config.width}, options)),
      positions(at::empty({config.length, config.width}, options)),
      rotary(config.length, config.width / config.heads, options),
      time_up(kTimeFeatures, config.condition, true, options),
      time_down(config.condition, config.condition, true, options),
      output_modulation(config.condition, 2 * config.width, true, options),
      head(config.width, config.outputs, true, options) {
  for (int64_t i = 0; i < config.layers; ++i) {
    blocks.emplace_back(config.width, config.heads, options);
    blocks.back().modulation = Linear(config.condition, 6 * config.width, true, options);
  }
}

DitCondition TokenDit::condition(const Tensor& t_B) const {
  const Tensor features = at::silu(time_down(at::silu(time_up(time_features(t_B)))));  // [B, condition]
  const int64_t width = tokens.size(1);
  DitCondition condition;
  for (const DitBlock& block : blocks) condition.blocks.push_back(split_modulation(block.modulation(features), width));
  condition.output = split_modulation(output_modulation(features), width);
  return condition;
}

Tensor TokenDit::hidden(const Tensor& ids_BL, const DitCondition& condition) const {
  Tensor x = at::embedding(tokens, ids_BL) + positions;  // [B, L, C]
  for (size_t i = 0; i < blocks.size(); ++i) x = blocks[i](x, condition.blocks[i], rotary);
  return adaln(x, condition.output[0], condition.output[1], kDitNormEpsilon);
}

void TokenDit::reset_parameters(at::Generator& generator) {
  fill_normal(tokens, 0.55 / std::sqrt(static_cast<double>(tokens.size(1))), generator);  // 0.02 at width 768
  fill_normal(positions, 0.55 / std::sqrt(static_cast<double>(positions.size(1))), generator);
  fill_fan_in(time_up, generator);
  fill_fan_in(time_down, generator);
  for (DitBlock& block : blocks) {
    block.query_norm.gain.fill_(1.0);
    block.key_norm.gain.fill_(1.0);
    for (Linear* linear : {&block.qkv, &block.output, &block.feed_forward.up, &block.feed_forward.down}) fill_fan_in(*linear, generator);
  }
  // adaLN-zero, and a head that starts at the uniform distribution.
  std::vector<Linear*> zeros = {&output_modulation, &head};
  for (DitBlock& block : blocks) zeros.push_back(&block.modulation);
  for (Linear* linear : zeros) linear->weight.zero_(), linear->bias.zero_();
}

void TokenDit::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(join_name(prefix, "tokens.weight"), tokens);
  visitor(join_name(prefix, "positions.weight"), positions);
  time_up.visit(join_name(prefix, "time_up"), visitor);
  time_down.visit(join_name(prefix, "time_down"), visitor);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(prefix, "blocks." + std::to_string(i)), visitor);
  output_modulation.visit(join_name(prefix, "output_modulation"), visitor);
  head.visit(join_name(prefix, "head"), visitor);
}

}  // namespace ldlm
