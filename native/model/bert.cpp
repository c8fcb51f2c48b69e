#include "model/bert.h"

namespace ldlm {

BertBlock::BertBlock(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : query(config.hidden_width, config.hidden_width, true, options),
      key(config.hidden_width, config.hidden_width, true, options),
      value(config.hidden_width, config.hidden_width, true, options),
      attention_out(config.hidden_width, config.hidden_width, true, options),
      up(config.hidden_width, config.feed_forward_width, true, options),
      down(config.feed_forward_width, config.hidden_width, true, options),
      attention_norm(config.hidden_width, config.norm_epsilon, options),
      feed_forward_norm(config.hidden_width, config.norm_epsilon, options),
      heads(config.heads),
      activation(parse_activation(config.activation)) {}

Tensor BertBlock::operator()(const Tensor& x_BLC, const Tensor& mask) const {
  const Tensor mixed = at::scaled_dot_product_attention(split_heads(query(x_BLC), heads), split_heads(key(x_BLC), heads),
                                                        split_heads(value(x_BLC), heads), mask);
  const Tensor x = attention_norm(x_BLC + attention_out(merge_heads(mixed)));
  return feed_forward_norm(x + down(activate(up(x), activation)));
}

void BertBlock::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  query.visit(join_name(prefix, "attention.self.query"), visitor);
  key.visit(join_name(prefix, "attention.self.key"), visitor);
  value.visit(join_name(prefix, "attention.self.value"), visitor);
  attention_out.visit(join_name(prefix, "attention.output.dense"), visitor);
  attention_norm.visit(join_name(prefix, "attention.output.LayerNorm"), visitor);
  up.visit(join_name(prefix, "intermediate.dense"), visitor);
  down.visit(join_name(prefix, "output.dense"), visitor);
  feed_forward_norm.visit(join_name(prefix, "output.LayerNorm"), visitor);
}

Bert::Bert(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : tokens(at::empty({config.vocabulary, config.hidden_width}, options)),
      positions(at::empty({config.positions, config.hidden_width}, options)),
      token_types(at::empty({config.token_types, config.hidden_width}, options)),
      embedding_norm(config.hidden_width, config.norm_epsilon, options) {
  TORCH_CHECK_VALUE(config.heads >= 1 && config.hidden_width % config.heads == 0, "bert: heads must divide the width ",
                    config.hidden_width, ", got ", config.heads);
  TORCH_CHECK_VALUE(config.token_types >= 1, "bert: token_types must be >= 1, got ", config.token_types);
  for (int64_t i = 0; i < config.layers; ++i) blocks.emplace_back(config, options);
}

Tensor Bert::embed(const Tensor& ids_BL) const {
  const Tensor place = positions.narrow(0, 0, ids_BL.size(1)) + token_types[0];  // [L, C]
  return embedding_norm(at::embedding(tokens, ids_BL) + place);
}

void Bert::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  const std::string embeddings = join_name(prefix, "embeddings");
  visitor(join_name(embeddings, "word_embeddings.weight"), tokens);
  visitor(join_name(embeddings, "position_embeddings.weight"), positions);
  visitor(join_name(embeddings, "token_type_embeddings.weight"), token_types);
  embedding_norm.visit(join_name(embeddings, "LayerNorm"), visitor);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(prefix, "encoder.layer." + std::to_string(i)), visitor);
}

Tensor BertEncoder::hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const {
  at::NoGradGuard no_grad;
  check_tokens("bert", ids_BL, lengths_B, network_.tokens.size(0), network_.positions.size(0));
  const int64_t last = resolve_layer("bert", layer, static_cast<int64_t>(network_.blocks.size()));
  const Tensor column = at::arange(ids_BL.size(1), lengths_B.options());
  // An empty row looks at its first position: a softmax over nothing is NaN.
  const Tensor mask = (column.unsqueeze(0) < lengths_B.clamp_min(1).unsqueeze(1)).unsqueeze(1).unsqueeze(1);  // [B, 1, 1, L]
  Tensor x = network_.embed(ids_BL);
  for (int64_t i = 0; i < last; ++i) x = network_.blocks[static_cast<size_t>(i)](x, mask);
  return x;
}

bool bert_may_skip(const std::string& name) {
  return name.starts_with("pooler.") || name.starts_with("cls.") || name == "embeddings.position_ids";
}

}  // namespace ldlm
