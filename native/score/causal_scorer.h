// A causal LM as a judge of text: how likely it finds each token, and the hidden state by which texts are compared. Read from a
// Hugging Face layout folder of the GPT-2 family, as `ldlm pretrain` writes it. Knows no tokenizer and no metric.
#pragma once

#include "model/gpt2.h"

namespace ldlm {

struct TextScores {
  Tensor log_likelihoods_BL;  // fp32: log p(token i | tokens 0..i-1); 0 at i = 0, which nothing precedes, and behind a row's length
  Tensor last_hidden_BC;      // fp32: the last token's hidden state after the final norm
};

class CausalScorer {
 public:
  explicit CausalScorer(Gpt2 network) : network_(std::move(network)) {}

  // ids [B, L] int64, lengths [B] int64 in 1..L, the real tokens of each row. Results are on the CPU. The logits exist for
  // kHeadTokens tokens at a time: [B, L, V] of a large vocabulary would not fit in memory.
  TextScores score(const Tensor& ids_BL, const Tensor& lengths_B) const;

  static constexpr int64_t kHeadTokens = 512;

 private:
  Gpt2 network_;
};

// As load_pretrained_encoder(), and the head must be the token embedding: an IoError if the folder holds another one.
CausalScorer load_causal_scorer(const std::string& folder, const PretrainedEncoderConfig& config, const at::Device& device);

}  // namespace ldlm
