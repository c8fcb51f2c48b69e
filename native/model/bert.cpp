#include "model/bert.h"

namespace ldlm {
namespace {

constexpr PostNormNames kNames = {.query = "attention.self.query",
                                  .key = "attention.self.key",
                                  .value = "attention.self.value",
                                  .attention_out = "attention.output.dense",
                                  .attention_norm = "attention.output.LayerNorm",
                                  .up = "intermediate.dense",
                                  .down = "output.dense",
                                  .feed_forward_norm = "output.LayerNorm"};

}  // namespace

Bert::Bert(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : tokens(at::empty({config.vocabulary, config.hidden_width}, options)),
      positions(at::empty({config.positions, config.hidden_width}, options)),
      token_types(at::empty({config.token_types, config.hidden_width}, options)),
      embedding_norm(config.hidden_width, config.norm_epsilon, options) {
  TORCH_CHECK_VALUE(config.token_types >= 1, config.family, ": token_types must be >= 1, got ", config.token_types);
  for (int64_t i = 0; i < config.layers; ++i) blocks.emplace_back(config, kNames, options);
}

Tensor Bert::embed(const Tensor& ids_BL, const Tensor& places) const {
  return embedding_norm(at::embedding(tokens, ids_BL) + at::embedding(positions, places) + token_types[0]);
}

Tensor Bert::hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const {
  const int64_t length = ids_BL.size(1);
  return advance(blocks, embed(ids_BL, at::arange(length, ids_BL.options())), padding_mask(lengths_B, length), layer);
}

void Bert::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  const std::string embeddings = join_name(prefix, "embeddings");
  visitor(join_name(embeddings, "word_embeddings.weight"), tokens);
  visitor(join_name(embeddings, "position_embeddings.weight"), positions);
  visitor(join_name(embeddings, "token_type_embeddings.weight"), token_types);
  embedding_norm.visit(join_name(embeddings, "LayerNorm"), visitor);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(prefix, "encoder.layer." + std::to_string(i)), visitor);
}

bool bert_may_skip(const std::string& name) {
  return name.starts_with("pooler.") || name.starts_with("cls.") || name == "embeddings.position_ids";
}

}  // namespace ldlm
