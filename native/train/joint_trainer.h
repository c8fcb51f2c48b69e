// Joint training of LatentEncoder, LatentDecoder, TokenDecoder and DiT on the hidden states of a frozen LM. step() is the recipe.
#pragma once

#include "diffusion/loss_weighting.h"
#include "diffusion/losses.h"
#include "diffusion/noise_schedule.h"
#include "diffusion/timestep_sampler.h"
#include "model/ldlm.h"
#include "model/pretrained_encoder.h"
#include "train/diagnostics.h"
#include "train/optimizer.h"

namespace ldlm {

struct RecipeConfig {
  bool hidden_mse;                                 // ingredient (1); false: cross-entropy through the whole autoencoder
  std::optional<EncoderWarmup> encoder_warmup;     // ingredient (2); nothing: gamma = 1 from the start
  std::optional<AdaptiveTimesteps> adaptive_timesteps;  // ingredient (3); nothing: u uniform
  double decoder_noise;                            // ingredient (4), sigma_dec
  bool stopped_target;                             // L_diff reaches the encoder through x_u only, not through its target
  std::optional<double> loss_weighting;            // floor of the loss that the denoiser's gradient is divided by; nothing: no weights
};

struct TrainConfig {
  int64_t steps, batch, accumulate, warmup_steps, cooldown_steps;
  double lr;
  OptimizerConfig optimizer;
  double ema;
  uint64_t seed;
  bool bfloat16;   // on a GPU by autocast, on a CPU in the products alone
  bool recompute;  // activations of the blocks, in the backward pass
};

struct JointTrainerConfig {
  ModelConfig model;
  int64_t encoder_layer;
  double schedule_d, self_conditioning;
  RecipeConfig recipe;
  TrainConfig train;
};

// ids [B, L] int64, lengths [B] int64: the first `lengths` tokens of a row are real.
struct Batch {
  Tensor ids_BL, lengths_B;
};

struct StepMetrics {
  int64_t step;  // steps done
  double diffusion, hidden, token, total;
  double gamma, lr, gradient_norm;
  LatentStatistics latent;
};

class JointTrainer {
 public:
  JointTrainer(const JointTrainerConfig& config, std::shared_ptr<const PretrainedEncoder> encoder, const at::Device& device);

  // Before the first step: the feature statistics of h, position 0 left out (GPT-2's first position is an outlier).
  void observe_statistics(const Batch& batch);
  void finish_statistics();

  void step(const Batch& batch);
  // Of the last step. Throws a DivergedError if a loss or gradient since the last call was not finite; the parameters are then those before it.
  StepMetrics metrics();
  ReconstructionAccuracy diagnose(const Batch& batch) const;

  // model.safetensors, ema.safetensors and optimizer.safetensors of `folder`. The last also holds what the loss weighting
  // has seen. The rest of the state is `steps_done` and `timesteps`.
  void save(const std::string& folder) const;
  void load(const std::string& folder, int64_t steps_done, const TimestepSampler::State& timesteps);

  int64_t steps_done() const { return steps_done_; }
  const TimestepSampler& timesteps() const { return timesteps_; }

  // The losses of a part of a batch, each already divided by the count of the whole batch. They carry the autograd graph.
  struct Losses {
    Tensor diffusion_B;  // per sample, undivided: the timestep sampler needs these
    Tensor diffusion, hidden, token, total;
    Tensor u_B, z0_BND;
    Tensor times_BM1, loss_by_time_BM1;  // for the loss weighting; undefined without it
  };
  // `part` begins at row `first_row` of its batch, which holds `real_tokens` real tokens in all.
  Losses losses_of(const Batch& part, int64_t first_row, const Tensor& real_tokens, double gamma) const;
  LDLM& model() { return model_; }

 private:
  Tensor self_condition(const Tensor& x_BND, const Tensor& u_B, int64_t first_row) const;
  Tensor draw_timesteps(int64_t first_row, int64_t rows) const;
  Tensor normalized_hidden(const Batch& batch) const;
  Batch to_device(const Batch& batch) const;
  void check_finite(const Tensor& norms_P, const Tensor& losses) const;
  double gamma_now() const;
  double lr_now() const;

  JointTrainerConfig config_;
  at::Device device_;
  std::shared_ptr<const PretrainedEncoder> encoder_;
  NoiseSchedule schedule_;
  TimestepSampler timesteps_;
  LossWeighting loss_weighting_;
  LDLM model_, ema_;
  FeatureStatistics statistics_;
  std::vector<NamedParameter> parameters_;
  std::vector<Tensor> tensors_, ema_tensors_;
  Optimizer optimizer_;
  int64_t steps_done_ = 0;

  struct Sums {  // of observe_statistics, fp64 [H]
    Tensor count, sum, square;
  } sums_;
  struct Last {
    std::vector<Losses> parts;
    Tensor norms_P, losses;  // losses [4]: diffusion, hidden, token, total
    double gamma, lr;
  } last_;
  Tensor worst_norms_P_, worst_losses_;  // largest since metrics() was last called; NaN stays
};

}  // namespace ldlm
