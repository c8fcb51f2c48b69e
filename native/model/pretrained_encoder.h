// The frozen pretrained language model that gives the hidden states h. Read from a Hugging Face layout folder.
// Knows no tokenizer: token ids in, hidden states out.
#pragma once

#include "torch.h"

namespace ldlm {

// What config.json of the folder says, in our names. Filled by TypeScript (src/config/encoders.ts); no defaults here.
struct PretrainedEncoderConfig {
  std::string family;  // "gpt2" | "bert"
  int64_t layers, hidden_width, heads, vocabulary, positions;
  int64_t feed_forward_width;
  int64_t token_types;     // BERT only, else 0
  double norm_epsilon;
  std::string activation;  // "gelu" | "gelu_new" | "relu"
};

class PretrainedEncoder {
 public:
  virtual ~PretrainedEncoder() = default;

  // ids [B, L] int64; lengths [B] int64, the real tokens of each row (a prefix); layer as in Hugging Face `hidden_states`:
  // 0 is the embedding output, k the output of block k, negative counts from the end (GPT-2: the last one is after the final norm).
  // -> h [B, L, H] fp32, no gradient. Positions behind `lengths` hold unspecified finite values.
  virtual Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const = 0;
};

// Loads model.safetensors or the shards named by model.safetensors.index.json. Every parameter must be found and every tensor
// of the file used or known to be safe to skip; otherwise a c10::ValueError names them.
std::unique_ptr<PretrainedEncoder> load_pretrained_encoder(const std::string& folder, const PretrainedEncoderConfig& config,
                                                           const at::Device& device);

}  // namespace ldlm
