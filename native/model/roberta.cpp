#include "model/roberta.h"

namespace ldlm {
namespace {

// The table has rows for the padding and what is before it.
PretrainedEncoderConfig with_all_rows(PretrainedEncoderConfig config) {
  config.positions += config.padding_id + 1;
  return config;
}

}  // namespace

Roberta::Roberta(const PretrainedEncoderConfig& config, const at::TensorOptions& options)
    : bert(with_all_rows(config), options), padding_id(config.padding_id) {}

Tensor Roberta::hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const {
  const Tensor x_BLC = bert.embed(ids_BL, positions_behind_padding(ids_BL, padding_id));
  return advance(bert.blocks, x_BLC, padding_mask(lengths_B, ids_BL.size(1)), layer);
}

bool roberta_may_skip(const std::string& name) {
  return name.starts_with("pooler.") || name.starts_with("lm_head.") || name.starts_with("classifier.") ||
         name == "embeddings.position_ids";
}

}  // namespace ldlm
