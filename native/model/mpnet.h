// MPNet (Song et al. 2020): BERT without segments, with RoBERTa's positions and T5's biases by distance.
#pragma once

#include "model/post_norm_block.h"

namespace ldlm {

struct MpNet {
  MpNet(const PretrainedEncoderConfig& config, const at::TensorOptions& options);
  Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor tokens, positions, distance_biases;  // [V, C], [padding_id + 1 + positions, C], [buckets, heads]
  LayerNorm embedding_norm;
  std::vector<PostNormBlock> blocks;
  int64_t padding_id, last_distance;
};

// What an MPNet file may hold beside the parameters: pooler, heads, position counters.
bool mpnet_may_skip(const std::string& name);

}  // namespace ldlm
