#include "model/t5.h"

#include "model/relative_positions.h"

namespace ldlm {

T5Block::T5Block(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : attention_norm(config.hidden_width, config.norm_epsilon, options),
      feed_forward_norm(config.hidden_width, config.norm_epsilon, options),
      query(config.hidden_width, config.heads * config.head_width, false, options),
      key(config.hidden_width, config.heads * config.head_width, false, options),
      value(config.hidden_width, config.heads * config.head_width, false, options),
      attention_out(config.heads * config.head_width, config.hidden_width, false, options),
      up(config.hidden_width, config.feed_forward_width, false, options),
      down(config.feed_forward_width, config.hidden_width, false, options),
      heads(config.heads),
      gated(config.gated_feed_forward),
      activation(parse_activation(config.activation)) {
  if (gated) gate = Linear(config.hidden_width, config.feed_forward_width, false, options);
}

Tensor T5Block::operator()(const Tensor& x_BLC, const Tensor& bias) const {
  const Tensor n = attention_norm(x_BLC);
  const Tensor mixed = at::scaled_dot_product_attention(split_heads(query(n), heads), split_heads(key(n), heads),
                                                        split_heads(value(n), heads), bias, 0.0, /*is_causal=*/false, /*scale=*/1.0);
  const Tensor x = x_BLC + attention_out(merge_heads(mixed));
  const Tensor m = feed_forward_norm(x);
  return x + down(gated ? activate(gate(m), activation) * up(m) : activate(up(m), activation));
}

void T5Block::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  const std::string attention = join_name(prefix, "layer.0"), feed_forward = join_name(prefix, "layer.1");
  query.visit(attention + ".SelfAttention.q", visitor);
  key.visit(attention + ".SelfAttention.k", visitor);
  value.visit(attention + ".SelfAttention.v", visitor);
  attention_out.visit(attention + ".SelfAttention.o", visitor);
  attention_norm.visit(attention + ".layer_norm", visitor);
  if (gated) gate.visit(feed_forward + ".DenseReluDense.wi_0", visitor);
  up.visit(feed_forward + (gated ? ".DenseReluDense.wi_1" : ".DenseReluDense.wi"), visitor);
  down.visit(feed_forward + ".DenseReluDense.wo", visitor);
  feed_forward_norm.visit(feed_forward + ".layer_norm", visitor);
}

T5::T5(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : tokens(at::empty({config.vocabulary, config.hidden_width}, options)),
      distance_biases(at::empty({config.relative_buckets, config.heads}, options)),
      final_norm(config.hidden_width, config.norm_epsilon, options),
      last_distance(config.relative_distance) {
  for (int64_t i = 0; i < config.layers; ++i) blocks.emplace_back(config, options);
}

Tensor T5::hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const {
  const int64_t length = ids_BL.size(1);
  const Tensor bias = masked_bias(relative_position_bias(distance_biases, length, last_distance), padding_mask(lengths_B, length));
  Tensor x_BLC = at::embedding(tokens, ids_BL);
  for (int64_t i = 0; i < layer; ++i) x_BLC = blocks[static_cast<size_t>(i)](x_BLC, bias);
  return layer == static_cast<int64_t>(blocks.size()) ? final_norm(x_BLC) : x_BLC;
}

void T5::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  const std::string encoder = join_name(prefix, "encoder");
  visitor(join_name(prefix, "shared.weight"), tokens);
  visitor(encoder + ".block.0.layer.0.SelfAttention.relative_attention_bias.weight", distance_biases);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(encoder + ".block." + std::to_string(i), visitor);
  final_norm.visit(encoder + ".final_layer_norm", visitor);
}

bool t5_may_skip(const std::string& name) {
  return name.starts_with("decoder.") || name == "lm_head.weight" || name == "encoder.embed_tokens.weight";
}

}  // namespace ldlm
