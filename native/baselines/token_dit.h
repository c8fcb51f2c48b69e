// The network of the discrete diffusion models: token ids and a time -> logits of the clean tokens. A diffusion transformer with our
// blocks (RoPE, RMS norm on queries and keys, adaLN-zero), an embedding in front and a vocabulary head behind it, untied. MDLM, Duo and
// SEDD share it (Sahoo et al. 2024 and 2025, Lou et al. 2024). A model that is not conditioned on time feeds time 0, as MDLM does.
#pragma once

#include "model/dit.h"

namespace ldlm {

struct TokenDitConfig {
  int64_t inputs;     // ids that may stand in a noisy sequence
  int64_t outputs;    // V: ids that may stand in a clean one, 0..V-1
  int64_t length;     // L
  int64_t layers, width, heads;
  int64_t condition;  // width of what the blocks are told of the time
};

struct TokenDit {
  TokenDit(const TokenDitConfig& config, const at::TensorOptions& options);
  // t [B] in [0, 1]; `skip` stays empty
  DitCondition condition(const Tensor& t_B) const;
  // ids [B, L] -> what the head reads [B, L, C]
  Tensor hidden(const Tensor& ids_BL, const DitCondition& condition) const;
  // [..., C] -> logits [..., V]; of the positions that are needed only, it is a quarter of the work of a small model
  Tensor logits(const Tensor& hidden) const { return head(hidden); }
  void reset_parameters(at::Generator& generator);
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Tensor tokens;     // [inputs, C]
  Tensor positions;  // [L, C]: rotary positions are relative, and a sequence of masks alone would look the same everywhere
  RotaryTable rotary;
  Linear time_up, time_down;
  std::vector<DitBlock> blocks;
  Linear output_modulation, head;
};

}  // namespace ldlm
