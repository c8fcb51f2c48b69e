// Pretraining of a CausalLm on a CPU: AdamW, warmup and cosine, data-parallel over the rows of a batch.
#pragma once

#include "train/causal_lm.h"
#include "train/optimizer.h"

namespace ldlm {

struct LmTrainConfig {
  double lr;  // the highest
  OptimizerConfig optimizer;
  int64_t warmup_steps, steps;  // linear from 0, then a cosine that reaches lr / 10 at `steps`
  uint64_t seed;
  int64_t micro_batches;  // row ranges that a batch is cut into; as many cores work at once
  double identity_weight;
  int64_t identity_layer;  // index into hidden_states, negative from the end: the layer that the LDLM will read
};

// The rate of update `step`, counted from 0.
double lm_learning_rate(const LmTrainConfig& config, int64_t step);

// Means over the real tokens of a batch, before its update.
struct LmStep {
  double next_token_loss, identity_loss;  // nats a token
  double identity_accuracy;
  double gradient_norm;  // before clipping
};

struct LmEvaluation {
  double sum_nll;            // nats, over `predicted_tokens`
  int64_t predicted_tokens;  // all real tokens but each row's first
  int64_t identity_correct;  // of `tokens`
  int64_t tokens;
};

class LmTrainer {
 public:
  LmTrainer(const LmConfig& model, const LmTrainConfig& train);

  // One update. ids [B, L] and lengths [B], int32 or int64, on the CPU; ids behind a row's length must be valid but do not count.
  // With micro_batches >= 2 the result is bitwise the same for any number of threads (one part lets operators use threads inside).
  // A loss or gradient that is not finite is a DivergedError naming it; the parameters are then those before the step.
  LmStep step(const Tensor& ids_BL, const Tensor& lengths_B);
  LmEvaluation evaluate(const Tensor& ids_BL, const Tensor& lengths_B) const;
  // Writes `folder`/model.safetensors as Hugging Face's GPT2LMHeadModel names its tensors. config.json is the caller's.
  void save(const std::string& folder) const;

  const CausalLm& model() const { return model_; }
  int64_t steps_done() const { return steps_done_; }

 private:
  LmTrainConfig config_;
  CausalLm model_;
  std::vector<NamedParameter> parameters_;
  std::vector<Tensor> tensors_;  // those of parameters_
  std::optional<Optimizer> optimizer_;
  int64_t steps_done_ = 0;
};

}  // namespace ldlm
