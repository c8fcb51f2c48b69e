// RoBERTa (Liu et al. 2019): BERT whose positions begin behind the id of the padding token.
#pragma once

#include "model/bert.h"

namespace ldlm {

struct Roberta {
  Roberta(const PretrainedEncoderConfig& config, const at::TensorOptions& options);
  Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor) { bert.visit(prefix, visitor); }

  Bert bert;
  int64_t padding_id;
};

// What a RoBERTa file may hold beside the parameters: pooler, heads, position counters.
bool roberta_may_skip(const std::string& name);

}  // namespace ldlm
