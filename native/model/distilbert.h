// DistilBERT (Sanh et al. 2019): BERT without segments, under names of its own.
#pragma once

#include "model/post_norm_block.h"

namespace ldlm {

struct DistilBert {
  DistilBert(const PretrainedEncoderConfig& config, const at::TensorOptions& options);
  Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor tokens, positions;  // [V, C], [positions, C]
  LayerNorm embedding_norm;
  std::vector<PostNormBlock> blocks;
};

// What a DistilBERT file may hold beside the parameters: heads, position counters.
bool distilbert_may_skip(const std::string& name);

}  // namespace ldlm
