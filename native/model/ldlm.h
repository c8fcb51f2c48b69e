// What the model is. Three verbs: encode (text side in), denoise (the diffusion), decode (text side out).
//
//   ids --frozen LM--> h --LatentEncoder--> z0   x_u --DiT--> z0_hat --LatentDecoder--> h_hat --TokenDecoder--> logits
//
// The frozen LM is not part of this: training hands in its hidden states, sampling never needs it.
// Letters: B batch, L tokens, N latents, D latent width, H hidden width of the LM, V vocabulary.
#pragma once

#include <map>

#include "model/dit.h"
#include "model/latent_decoder.h"
#include "model/latent_encoder.h"
#include "model/token_decoder.h"

namespace ldlm {

// Mean and deviation per feature of h over the corpus, measured before training and frozen. [H] each.
struct FeatureStatistics {
  Tensor mean_H, deviation_H;

  // (h - mean) / deviation, clamped to +-10: GPT-2 has a few massive activations. Positions behind `lengths` become 0.
  Tensor normalize(const Tensor& h_BLH, const Tensor& lengths_B) const;
};

struct LDLM {
  LDLM(const ModelConfig& config, const at::TensorOptions& options);

  Tensor encode(const Tensor& h_BLH) const { return latent_encoder(h_BLH); }
  Tensor denoise(const Tensor& x_BND, const Tensor& u_B, const Tensor& self_condition_BND) const {
    return dit(x_BND, dit.condition(u_B), self_condition_BND);
  }
  // Latents to token ids [B, L] int64, greedily.
  Tensor decode(const Tensor& z_BND) const;

  void reset_parameters(uint64_t seed);
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  ModelConfig config;
  LatentEncoder latent_encoder;
  LatentDecoder latent_decoder;
  TokenDecoder token_decoder;
  DiT dit;
};

// The same sizes and values in memory of its own: the EMA.
LDLM clone_model(LDLM& model);

// For sampling in bf16: all parameters on a GPU. On a CPU the matrices, since products alone gain there, but not the vocabulary's: with
// logits rounded to bf16 the two best would often be equal.
void round_to_bf16(LDLM& model);

// Copies a checkpoint's tensors into the model, whose every parameter must be there in its shape, and nothing else with them.
// Returns the feature statistics. An export for sampling holds neither them nor the latent encoder: allowed with `sampling_only`.
FeatureStatistics load_model(LDLM& model, const std::map<std::string, Tensor>& tensors, bool sampling_only = false);

}  // namespace ldlm
