#include "model/gpt2.h"

#include <cmath>

#include "model/layers.h"
#include "model/pretrained_layers.h"
#include "ops/attention/attention.h"

namespace ldlm {

Gpt2Block::Gpt2Block(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : attention_norm(config.hidden_width, config.norm_epsilon, options),
      feed_forward_norm(config.hidden_width, config.norm_epsilon, options),
      qkv(config.hidden_width, 3 * config.hidden_width, options),
      attention_out(config.hidden_width, config.hidden_width, options),
      up(config.hidden_width, config.feed_forward_width, options),
      down(config.feed_forward_width, config.hidden_width, options),
      heads(config.heads),
      activation(parse_activation(config.activation)) {}

Tensor Gpt2Block::operator()(const Tensor& x_BLC) const {
  const Tensor projected = qkv(attention_norm(x_BLC));  // [B, L, 3C]
  const Tensor x = x_BLC + attention_out(attention(projected, {}, {.heads = heads, .causal = true}));
  return x + down(activate(up(feed_forward_norm(x)), activation));
}

void Gpt2Block::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  attention_norm.visit(join_name(prefix, "ln_1"), visitor);
  qkv.visit(join_name(prefix, "attn.c_attn"), visitor);
  attention_out.visit(join_name(prefix, "attn.c_proj"), visitor);
  feed_forward_norm.visit(join_name(prefix, "ln_2"), visitor);
  up.visit(join_name(prefix, "mlp.c_fc"), visitor);
  down.visit(join_name(prefix, "mlp.c_proj"), visitor);
}

Gpt2::Gpt2(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : tokens(at::empty({config.vocabulary, config.hidden_width}, options)),
      positions(at::empty({config.positions, config.hidden_width}, options)),
      final_norm(config.hidden_width, config.norm_epsilon, options) {
  check_heads("gpt2", config.hidden_width, config.heads);
  for (int64_t i = 0; i < config.layers; ++i) blocks.emplace_back(config, options);
}

Tensor Gpt2::embed(const Tensor& ids_BL) const {
  return at::embedding(tokens, ids_BL) + positions.narrow(0, 0, ids_BL.size(1));  // [B, L, C]
}

Tensor Gpt2::advance(Tensor x_BLC, int64_t from, int64_t to) const {
  for (int64_t i = from; i < to; ++i) x_BLC = blocks[static_cast<size_t>(i)](x_BLC);
  return from < to && to == layers() ? final_norm(x_BLC) : x_BLC;
}

Tensor Gpt2::hidden(const Tensor& ids_BL, const Tensor&, int64_t layer) const { return advance(embed(ids_BL), 0, layer); }

void Gpt2::reset_parameters(at::Generator& generator) {
  // GPT-2 starts at 0.02, tuned at width 768; 0.55 / sqrt(in) is the same there and keeps the meaning at other widths.
  const auto fill = [&](Conv1d& matrix, double gain) {
    fill_normal(matrix.weight, gain * 0.55 / std::sqrt(static_cast<double>(matrix.weight.size(0))), generator);
    matrix.bias.zero_();
  };
  const auto reset = [](LayerNorm& norm) { norm.weight.fill_(1.0), norm.bias.zero_(); };
  fill_normal(tokens, 0.02, generator);  // small: the tied head starts near the uniform distribution
  fill_normal(positions, 0.01, generator);
  // Two matrices a block write to the residual stream; its variance should not grow with depth (Radford et al. 2019).
  const double residual = 1.0 / std::sqrt(2.0 * static_cast<double>(std::max<int64_t>(1, layers())));
  for (Gpt2Block& block : blocks) {
    reset(block.attention_norm), reset(block.feed_forward_norm);
    fill(block.qkv, 1.0), fill(block.up, 1.0);
    fill(block.attention_out, residual), fill(block.down, residual);
  }
  reset(final_norm);
}

void Gpt2::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(join_name(prefix, "wte.weight"), tokens);
  visitor(join_name(prefix, "wpe.weight"), positions);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(prefix, "h." + std::to_string(i)), visitor);
  final_norm.visit(join_name(prefix, "ln_f"), visitor);
}

bool gpt2_may_skip(const std::string& name) {
  return name == "lm_head.weight" || (name.starts_with("h.") && (name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias")));
}

}  // namespace ldlm
