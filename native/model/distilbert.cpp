#include "model/distilbert.h"

namespace ldlm {
namespace {

constexpr PostNormNames kNames = {.query = "attention.q_lin",
                                  .key = "attention.k_lin",
                                  .value = "attention.v_lin",
                                  .attention_out = "attention.out_lin",
                                  .attention_norm = "sa_layer_norm",
                                  .up = "ffn.lin1",
                                  .down = "ffn.lin2",
                                  .feed_forward_norm = "output_layer_norm"};

}  // namespace

DistilBert::DistilBert(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : tokens(at::empty({config.vocabulary, config.hidden_width}, options)),
      positions(at::empty({config.positions, config.hidden_width}, options)),
      embedding_norm(config.hidden_width, config.norm_epsilon, options) {
  for (int64_t i = 0; i < config.layers; ++i) blocks.emplace_back(config, kNames, options);
}

Tensor DistilBert::hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const {
  const int64_t length = ids_BL.size(1);
  const Tensor x_BLC = embedding_norm(at::embedding(tokens, ids_BL) + positions.narrow(0, 0, length));
  return advance(blocks, x_BLC, padding_mask(lengths_B, length), layer);
}

void DistilBert::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  const std::string embeddings = join_name(prefix, "embeddings");
  visitor(join_name(embeddings, "word_embeddings.weight"), tokens);
  visitor(join_name(embeddings, "position_embeddings.weight"), positions);
  embedding_norm.visit(join_name(embeddings, "LayerNorm"), visitor);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(prefix, "transformer.layer." + std::to_string(i)), visitor);
}

bool distilbert_may_skip(const std::string& name) {
  return name.starts_with("vocab_transform.") || name.starts_with("vocab_layer_norm.") || name.starts_with("vocab_projector.") ||
         name.starts_with("pre_classifier.") || name.starts_with("classifier.") || name.starts_with("qa_outputs.") ||
         name == "embeddings.position_ids";
}

}  // namespace ldlm
