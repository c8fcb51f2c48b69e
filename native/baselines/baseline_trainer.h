// Trains a baseline as JointTrainer trains an LDLM: the same optimiser, clipping, warmup, cooldown and moving average, the batch cut into
// parts, every random number by counter. On a CPU.
#pragma once

#include "baselines/baseline.h"
#include "train/optimizer.h"

namespace ldlm {

struct BaselineTrainConfig {
  int64_t batch, accumulate, warmup_steps;
  double cooldown;  // share of the training, its end, over which the learning rate falls to 0
  double lr;
  OptimizerConfig optimizer;
  double ema;
  uint64_t seed;
  bool bfloat16;  // the products alone
};

struct BaselineStep {
  int64_t step;  // steps done
  double loss;   // Baseline::nll_sum over the batch, nats a real token
  double lr, gradient_norm;
};

class BaselineTrainer {
 public:
  BaselineTrainer(const BaselineConfig& model, const BaselineTrainConfig& train);

  // One update. ids [batch, L], lengths [batch], int64. `progress` in [0, 1]: the share of the training, by steps or by time, that is
  // done before it; the cooldown follows it. A loss or gradient that is not finite is a DivergedError, and the parameters are then those before it.
  BaselineStep step(const Tensor& ids_BL, const Tensor& lengths_B, double progress);

  // model.safetensors, ema.safetensors and optimizer.safetensors of `folder`; the rest of the state is the number of steps.
  void save(const std::string& folder) const;
  void load(const std::string& folder, int64_t steps_done);

  int64_t steps_done() const { return steps_done_; }
  int64_t parameters() const;

 private:
  double lr_at(double progress) const;

  BaselineConfig model_config_;
  BaselineTrainConfig config_;
  std::unique_ptr<Baseline> model_, ema_;
  std::vector<NamedParameter> parameters_;
  std::vector<Tensor> tensors_, ema_tensors_;
  std::optional<Optimizer> optimizer_;
  int64_t steps_done_ = 0;
};

}  // namespace ldlm
