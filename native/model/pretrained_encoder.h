// The frozen pretrained language model that gives the hidden states h. Read from a Hugging Face layout folder.
// Knows no tokenizer: token ids in, hidden states out.
#pragma once

#include "torch.h"

namespace ldlm {

// How a Llama was taught longer texts than its first ones: slow frequencies are divided by `factor`, fast ones kept. Fast and slow
// are told by the turns that a pair makes within the original positions.
struct RotaryScaling {
  double factor;
  double low_frequency_factor;   // slow: fewer turns
  double high_frequency_factor;  // fast: more turns; in between, a mixture
  int64_t original_positions;    // 0: every pair is slow ("linear")
};

// What config.json of the folder says, in our names. Filled by TypeScript (src/config/encoders.ts); no defaults here. What a family
// does not have is 0 or false.
struct PretrainedEncoderConfig {
  std::string family;  // "gpt2" | "bert" | "roberta" | "distilbert" | "mpnet" | "t5" | "llama"
  int64_t layers, hidden_width, heads, vocabulary, positions;
  int64_t feed_forward_width;
  int64_t token_types;         // BERT and RoBERTa
  double norm_epsilon;
  std::string activation;      // "gelu" | "gelu_new" | "relu" | "silu"
  int64_t padding_id;          // RoBERTa and MPNet: their positions begin behind it
  int64_t key_value_heads;     // Llama: heads that share keys and values; else `heads`
  int64_t head_width;          // T5 and Llama choose it freely; else hidden_width / heads
  int64_t relative_buckets;    // T5 and MPNet: learned biases of the attention scores by distance,
  int64_t relative_distance;   // the last bucket from this distance on
  double rotary_base;          // Llama: "rope_theta"
  std::optional<RotaryScaling> rotary_scaling;  // Llama
  bool gated_feed_forward;     // T5 1.1: activation(x W_0) * x W_1 instead of activation(x W)
  bool query_key_value_bias;   // Qwen2
  bool query_key_norm;         // Qwen3
};

class PretrainedEncoder {
 public:
  virtual ~PretrainedEncoder() = default;

  // Throws a ValueError that names the row if an id is not of the vocabulary, or a length not of the sequence.
  virtual void check(const Tensor& ids_BL, const Tensor& lengths_B) const = 0;

  // ids [B, L] int64; lengths [B] int64, the real tokens of each row (a prefix); layer as in Hugging Face `hidden_states`:
  // 0 is the embedding output, k the output of block k, negative counts from the end. With families that end in a norm of their own
  // (GPT-2, T5, Llama) the last one is after it.
  // -> h [B, L, H] fp32 on the encoder's device, no gradient. Positions behind `lengths` hold unspecified finite values. Tokens on the CPU are
  // checked and moved; those on a GPU must have been checked before, since looking at them would wait for the GPU.
  virtual Tensor hidden(const Tensor& ids_BL, const Tensor& lengths_B, int64_t layer) const = 0;
};

// Loads model.safetensors or the shards named by model.safetensors.index.json. Every parameter must be found and every tensor
// of the file used or known to be safe to skip; otherwise an IoError names them. On a CPU, fp32 weights are not copied: they
// are views of the mapped file, which must stay as it is (a new file under its name does no harm).
std::unique_ptr<PretrainedEncoder> load_pretrained_encoder(const std::string& folder, const PretrainedEncoderConfig& config,
                                                           const at::Device& device);

}  // namespace ldlm
