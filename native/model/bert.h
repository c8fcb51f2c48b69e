// BERT (Devlin et al. 2019) of any size, without pooler and heads: the frozen encoder only.
#pragma once

#include "model/post_norm_block.h"

namespace ldlm {

struct Bert {
  Bert(const PretrainedEncoderConfig& config, const at::TensorOptions& options);

  // ids [B, L], places [L] or [B, L] -> hidden state 0 [B, L, C]: normed sum of token, position and first-segment embedding.
  Tensor embed(const Tensor& ids_BL, const Tensor& places) const;
  Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor tokens, positions, token_types;  // [V, C], [positions, C], [token types, C]
  LayerNorm embedding_norm;
  std::vector<PostNormBlock> blocks;
};

// What a BERT file may hold beside the parameters: pooler, pretraining heads, position counters.
bool bert_may_skip(const std::string& name);

}  // namespace ldlm
