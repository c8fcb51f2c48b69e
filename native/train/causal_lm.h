// A small trainable GPT-2, made to be the frozen PretrainedEncoder of an LDLM later. Knows no optimiser.
//
// Two losses. Next-token cross-entropy makes a language model. But a small one drops from its hidden states what does not matter for
// what follows, and an LDLM built on them could not give those words back: at layer -3 a probe named the current token in only 73 % of
// the cases. The identity loss is the cross-entropy of naming the *current* token from the hidden state that the LDLM will read, by the
// tied embedding matrix: it keeps each token linearly readable there, in the directions of its own embedding.
#pragma once

#include "model/gpt2.h"

namespace ldlm {

struct LmConfig {
  int64_t layers, width, heads, vocabulary, positions;
};

// Sums over the real tokens of a batch, not means: parts of a batch are normalised by the count of the whole.
struct LmLosses {
  Tensor next_token;        // -log p(token i + 1 | tokens 0..i), over lengths - 1 tokens a row
  Tensor identity;          // -log p(token i | hidden state i), over all real tokens
  Tensor identity_correct;  // int64: where the most probable token is the current one
};

struct CausalLm {
  // `identity_layer`: index into Hugging Face's hidden_states, negative from the end.
  CausalLm(const LmConfig& config, int64_t identity_layer, const at::TensorOptions& options);

  void reset_parameters(at::Generator& generator);
  // ids [B, L] int64, lengths [B] int64: the first `lengths` tokens of a row are real.
  LmLosses losses(const Tensor& ids_BL, const Tensor& lengths_B) const;
  // The network in Hugging Face's names, then the temperature, which no saved model has.
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  Gpt2 network;
  int64_t identity_layer;           // 0..layers
  Tensor identity_log_temperature;  // scalar: identity logits are exp(it) * <layer_norm(h), embedding>
};

// The configuration under which load_pretrained_encoder() reads a saved CausalLm.
PretrainedEncoderConfig encoder_config(const LmConfig& config);

}  // namespace ldlm
