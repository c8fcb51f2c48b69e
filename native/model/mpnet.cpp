#include "model/mpnet.h"

#include "model/relative_positions.h"

namespace ldlm {
namespace {

constexpr PostNormNames kNames = {.query = "attention.attn.q",
                                  .key = "attention.attn.k",
                                  .value = "attention.attn.v",
                                  .attention_out = "attention.attn.o",
                                  .attention_norm = "attention.LayerNorm",
                                  .up = "intermediate.dense",
                                  .down = "output.dense",
                                  .feed_forward_norm = "output.LayerNorm"};

}  // namespace

MpNet::MpNet(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : tokens(at::empty({config.vocabulary, config.hidden_width}, options)),
      positions(at::empty({config.padding_id + 1 + config.positions, config.hidden_width}, options)),
      distance_biases(at::empty({config.relative_buckets, config.heads}, options)),
      embedding_norm(config.hidden_width, config.norm_epsilon, options),
      padding_id(config.padding_id),
      last_distance(config.relative_distance) {
  for (int64_t i = 0; i < config.layers; ++i) blocks.emplace_back(config, kNames, options);
}

Tensor MpNet::hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const {
  const int64_t length = ids_BL.size(1);
  const Tensor place = at::embedding(positions, positions_behind_padding(ids_BL, padding_id));
  const Tensor x_BLC = embedding_norm(at::embedding(tokens, ids_BL) + place);
  const Tensor bias = relative_position_bias(distance_biases, length, last_distance);
  return advance(blocks, x_BLC, masked_bias(bias, padding_mask(lengths_B, length)), layer);
}

void MpNet::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  const std::string embeddings = join_name(prefix, "embeddings"), encoder = join_name(prefix, "encoder");
  visitor(join_name(embeddings, "word_embeddings.weight"), tokens);
  visitor(join_name(embeddings, "position_embeddings.weight"), positions);
  embedding_norm.visit(join_name(embeddings, "LayerNorm"), visitor);
  visitor(join_name(encoder, "relative_attention_bias.weight"), distance_biases);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i].visit(join_name(encoder, "layer." + std::to_string(i)), visitor);
}

bool mpnet_may_skip(const std::string& name) {
  return name.starts_with("pooler.") || name.starts_with("lm_head.") || name.starts_with("classifier.") ||
         name == "embeddings.position_ids";
}

}  // namespace ldlm
