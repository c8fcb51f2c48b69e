#include "model/llama.h"

#include <numbers>

namespace ldlm {

namespace {

// [head_width / 2] -> [head_width / 2]. Hugging Face's "llama3" with its three cases in one formula, and "linear".
Tensor scale_frequencies(const Tensor& frequencies, const RotaryScaling& scaling) {
  const Tensor turns = frequencies * (static_cast<double>(scaling.original_positions) / (2 * std::numbers::pi));
  const double low = scaling.low_frequency_factor, high = scaling.high_frequency_factor;
  const Tensor kept = ((turns - low) / (high - low)).clamp(0, 1);
  return frequencies * (kept + (1 - kept) / scaling.factor);
}

Tensor frequencies_of(const PretrainedEncoderConfig& config) {
  const Tensor plain = rotary_frequencies(config.head_width, config.rotary_base);
  return config.rotary_scaling ? scale_frequencies(plain, *config.rotary_scaling) : plain;
}

}  // namespace

LlamaBlock::LlamaBlock(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : attention_norm(config.hidden_width, config.norm_epsilon, options),
      feed_forward_norm(config.hidden_width, config.norm_epsilon, options),
      query(config.hidden_width, config.heads * config.head_width, config.query_key_value_bias, options),
      key(config.hidden_width, config.key_value_heads * config.head_width, config.query_key_value_bias, options),
      value(config.hidden_width, config.key_value_heads * config.head_width, config.query_key_value_bias, options),
      attention_out(config.heads * config.head_width, config.hidden_width, false, options),
      gate(config.hidden_width, config.feed_forward_width, false, options),
      up(config.hidden_width, config.feed_forward_width, false, options),
      down(config.feed_forward_width, config.hidden_width, false, options),
      heads(config.heads),
      key_value_heads(config.key_value_heads),
      query_key_norm(config.query_key_norm),
      activation(parse_activation(config.activation)) {
  if (!query_key_norm) return;
  query_norm = PretrainedRmsNorm(config.head_width, config.norm_epsilon, options);
  key_norm = PretrainedRmsNorm(config.head_width, config.norm_epsilon, options);
}

Tensor LlamaBlock::operator()(const Tensor& x_BLC, const RotaryTable& rotary) const {
  const Tensor n = attention_norm(x_BLC);
  Tensor q = view_heads(query(n), heads), k = view_heads(key(n), key_value_heads);  // [B, L, heads, d]
  if (query_key_norm) q = query_norm(q), k = key_norm(k);
  const Tensor mixed =
      at::scaled_dot_product_attention(rotary(q).transpose(1, 2), rotary(k).transpose(1, 2), split_heads(value(n), key_value_heads), {}, 0.0,
                                       /*is_causal=*/true, /*scale=*/std::nullopt, /*enable_gqa=*/heads != key_value_heads);
  const Tensor x = x_BLC + attention_out(merge_heads(mixed));
  const Tensor m = feed_forward_norm(x);
  return x + down(activate(gate(m), activation) * up(m));
}

void LlamaBlock::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  attention_norm.visit(join_name(prefix, "input_layernorm"), visitor);
  query.visit(join_name(prefix, "self_attn.q_proj"), visitor);
  key.visit(join_name(prefix, "self_attn.k_proj"), visitor);
  value.visit(join_name(prefix, "self_attn.v_proj"), visitor);
  attention_out.visit(join_name(prefix, "self_attn.o_proj"), visitor);
  if (query_key_norm) {
    query_norm.visit(join_name(prefix, "self_attn.q_norm"), visitor);
    key_norm.visit(join_name(prefix, "self_attn.k_norm"), visitor);
  }
  feed_forward_norm.visit(join_name(prefix, "post_attention_layernorm"), visitor);
  gate.visit(join_name(prefix, "mlp.gate_proj"), visitor);
  up.visit(join_name(prefix, "mlp.up_proj"), visitor);
  down.visit(join_name(prefix, "mlp.down_proj"), visitor);
}

Llama::Llama(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : tokens(at::empty({config.vocabulary, config.hidden_width}, options)),
      final_norm(config.hidden_width, config.norm_epsilon, options),
      frequencies(frequencies_of(config)) {
  TORCH_CHECK_VALUE(config.head_width % 2 == 0, "llama: the width of a head must be even (rotary embedding), got ", config.head_width);
  TORCH_CHECK_VALUE(config.key_value_heads >= 1 && config.heads % config.key_value_heads == 0,
                    "llama: key and value heads must divide the ", config.heads, " query heads, got ", config.key_value_heads);
  for (int64_t i = 0; i < config.layers; ++i) blocks.emplace_back(config, options);
}

Tensor Llama::hidden(const Tensor& ids_BL, const Tensor&, int64_t layer) const {
  Tensor x_BLC = at::embedding(tokens, ids_BL);
  // Made for the length at hand: a table of all 131 072 positions that some models have would be 64 MB.
  const RotaryTable rotary(ids_BL.size(1), frequencies, tokens.options());
  for (int64_t i = 0; i < layer; ++i) x_BLC = blocks[static_cast<size_t>(i)](x_BLC, rotary);
  return layer == static_cast<int64_t>(blocks.size()) ? final_norm(x_BLC) : x_BLC;
}

void Llama::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(join_name(prefix, "embed_tokens.weight"), tokens);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(prefix, "layers." + std::to_string(i)), visitor);
  final_norm.visit(join_name(prefix, "norm"), visitor);
}

bool llama_may_skip(const std::string& name) {
  return name == "lm_head.weight" || (name.starts_with("layers.") && name.ends_with(".self_attn.rotary_emb.inv_freq"));
}

}  // namespace ldlm
