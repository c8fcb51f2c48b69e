// The autoregressive baseline: a GPT-2 (model/gpt2.h) that begins every sequence with the end token, so that it has a distribution of the
// first token too. Learned positions, tied head.
#pragma once

#include "baselines/token_sampler.h"
#include "model/gpt2.h"

namespace ldlm {

struct AutoregressiveConfig {
  int64_t vocabulary, length, layers, width, heads;
  int64_t end_id;
};

struct Autoregressive {
  Autoregressive(const AutoregressiveConfig& config, const at::TensorOptions& options);
  // Sum over real tokens of -log p(token i | tokens before it), nats. ids [B, L], lengths [B], int64.
  Tensor nll_sum(const Tensor& ids_BL, const Tensor& lengths_B) const;
  // What the head reads to predict each token, [B, L, C], and its logits, [B, L, V].
  Tensor hidden(const Tensor& ids_BL) const;
  Tensor logits(const Tensor& ids_BL) const;
  void reset_parameters(at::Generator& generator) { network.reset_parameters(generator); }
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  AutoregressiveConfig config;
  Gpt2 network;
};

// The matrices of the blocks as [out, in], which a product with few rows reads fastest; GPT-2 stores them the other way round.
struct StepWeights {
  explicit StepWeights(const Autoregressive& model);
  struct Block {
    Tensor qkv, attention_out, up, down;
  };
  std::vector<Block> blocks;
};

// One position after another for B rows at once, with the keys and values of all earlier positions kept.
class CachedSteps {
 public:
  CachedSteps(const Autoregressive& model, const StepWeights& weights, int64_t rows);
  // ids [B] at the next position -> logits [B, V] of the position behind it
  Tensor next(const Tensor& ids_B);
  // Leaves a position out: its keys and values stay what they are. For timing.
  void skip() { ++position_; }

 private:
  const Autoregressive& model_;
  const StepWeights& weights_;
  std::vector<Tensor> keys_, values_;  // of each block [B, heads, L, d]
  int64_t position_ = 0;
};

struct NextTokenSampling {
  int64_t first_index, count;
  uint64_t seed;
  bool stop_at_end;  // a row is done with its first end token; what follows it is the end token
  int64_t stride;    // as in TokenSampling, in positions
};

struct NextTokenSamples {
  Tensor ids_BL;  // int64
  EvaluationCount evaluations;
};

// Temperature 1, fp64. A row's random numbers are those of (seed, its number); its logits may differ in the last bit with the number of
// rows, as matrix products round by it.
NextTokenSamples sample_next_tokens(const Autoregressive& model, const StepWeights& weights, const NextTokenSampling& sampling, const TokenObserver& observe);

}  // namespace ldlm
