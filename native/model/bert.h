// BERT (Devlin et al. 2019) of any size, without pooler and heads: the frozen encoder only.
#pragma once

#include "model/layers.h"
#include "model/pretrained_encoder.h"
#include "model/pretrained_layers.h"

namespace ldlm {

// norm(x + attention(x)), then norm(x + feed_forward(x)). Padding is left out by `mask`, [B, 1, 1, L], true where to look.
struct BertBlock {
  BertBlock(const PretrainedEncoderConfig& config, const at::TensorOptions& options);
  Tensor operator()(const Tensor& x_BLC, const Tensor& mask) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Linear query, key, value, attention_out, up, down;
  LayerNorm attention_norm, feed_forward_norm;
  int64_t heads;
  Activation activation;
};

struct Bert {
  Bert(const PretrainedEncoderConfig& config, const at::TensorOptions& options);

  // ids [B, L] -> hidden state 0 [B, L, C]: normed sum of token, position and first-segment embedding.
  Tensor embed(const Tensor& ids_BL) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor tokens, positions, token_types;  // [V, C], [positions, C], [token types, C]
  LayerNorm embedding_norm;
  std::vector<BertBlock> blocks;
};

class BertEncoder final : public PretrainedEncoder {
 public:
  explicit BertEncoder(Bert network) : network_(std::move(network)) {}
  Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const override;

 private:
  Bert network_;
};

// What a BERT file may hold beside the parameters: pooler, pretraining heads, position counters.
bool bert_may_skip(const std::string& name);

}  // namespace ldlm
