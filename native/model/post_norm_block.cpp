#include "model/post_norm_block.h"

namespace ldlm {

PostNormBlock::PostNormBlock(const PretrainedEncoderConfig& config, const PostNormNames& names, const at::TensorOptions& options)
    : query(config.hidden_width, config.hidden_width, true, options),
      key(config.hidden_width, config.hidden_width, true, options),
      value(config.hidden_width, config.hidden_width, true, options),
      attention_out(config.hidden_width, config.hidden_width, true, options),
      up(config.hidden_width, config.feed_forward_width, true, options),
      down(config.feed_forward_width, config.hidden_width, true, options),
      attention_norm(config.hidden_width, config.norm_epsilon, options),
      feed_forward_norm(config.hidden_width, config.norm_epsilon, options),
      names(names),
      heads(config.heads),
      activation(parse_activation(config.activation)) {
  check_heads(config.family.c_str(), config.hidden_width, config.heads);
}

Tensor PostNormBlock::operator()(const Tensor& x_BLC, const Tensor& mask) const {
  const Tensor mixed = at::scaled_dot_product_attention(split_heads(query(x_BLC), heads), split_heads(key(x_BLC), heads),
                                                        split_heads(value(x_BLC), heads), mask);
  const Tensor x = attention_norm(x_BLC + attention_out(merge_heads(mixed)));
  return feed_forward_norm(x + down(activate(up(x), activation)));
}

void PostNormBlock::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  query.visit(join_name(prefix, names.query), visitor);
  key.visit(join_name(prefix, names.key), visitor);
  value.visit(join_name(prefix, names.value), visitor);
  attention_out.visit(join_name(prefix, names.attention_out), visitor);
  attention_norm.visit(join_name(prefix, names.attention_norm), visitor);
  up.visit(join_name(prefix, names.up), visitor);
  down.visit(join_name(prefix, names.down), visitor);
  feed_forward_norm.visit(join_name(prefix, names.feed_forward_norm), visitor);
}

Tensor advance(const std::vector<PostNormBlock>& blocks, Tensor x_BLC, const Tensor& mask, int64_t layer) {
  for (int64_t i = 0; i < layer; ++i) x_BLC = blocks[static_cast<size_t>(i)](x_BLC, mask);
  return x_BLC;
}

}  // namespace ldlm
