#include "train/joint_trainer.h"

#include "model/autocast.h"
#include "model/recompute.h"
#include "ops/philox/philox.h"
#include "ops/recorded.h"
#include "ops/vocabulary/vocabulary.h"
#include "train/data_parallel.h"
#include "train/diverged_error.h"
#include "train/heap.h"
#include "train/moving_average.h"

namespace ldlm {

namespace {

std::vector<Tensor> tensors_of(LDLM& model, bool trainable) {
  std::vector<Tensor> tensors;
  model.visit("", [&](const std::string&, Tensor& parameter) {
    parameter.requires_grad_(trainable);
    tensors.push_back(parameter);
  });
  return tensors;
}

LDLM initial_model(const JointTrainerConfig& config, const at::Device& device) {
  LDLM model(config.model, at::TensorOptions(at::kFloat).device(device));
  model.reset_parameters(config.train.seed);
  return model;
}

Tensor real_tokens_mask(const Batch& batch) {
  return at::arange(batch.ids_BL.size(1), batch.lengths_B.options()).unsqueeze(0).lt(batch.lengths_B.unsqueeze(1));  // [B, L]
}

}  // namespace

JointTrainer::JointTrainer(const JointTrainerConfig& config, std::shared_ptr<const PretrainedEncoder> encoder, const at::Device& device)
    : config_(config),
      device_(device),
      encoder_(std::move(encoder)),
      schedule_{config.schedule_d},
      timesteps_(config.recipe.adaptive_timesteps, config.train.steps),
      loss_weighting_(config.recipe.loss_weighting, device),
      model_(initial_model(config, device)),
      ema_(clone_model(model_)),
      parameters_(parameters_of(model_, "")),
      tensors_(tensors_of(model_, /*trainable=*/true)),
      ema_tensors_(tensors_of(ema_, /*trainable=*/false)),
      optimizer_(config.train.optimizer, parameters_) {
  if (device.is_cpu()) keep_freed_memory();
  const auto options = at::TensorOptions(at::kDouble).device(device);
  const int64_t width = config.model.hidden_width;
  sums_ = {at::zeros({}, options), at::zeros({width}, options), at::zeros({width}, options)};
}

void JointTrainer::step(const Batch& host_batch) {
  const Batch batch = to_device(host_batch);
  const Tensor real_tokens = batch.lengths_B.sum();
  const int64_t parts = config_.train.accumulate, rows = batch.ids_BL.size(0) / parts;
  last_.gamma = gamma_now();
  last_.lr = lr_now();
  last_.parts.assign(static_cast<size_t>(parts), {});

  std::vector<Tensor> gradient = sum_over_parts(parts, device_, [&](int64_t part) {
    const int64_t first = part * rows;
    Losses losses = losses_of({batch.ids_BL.narrow(0, first, rows), batch.lengths_B.narrow(0, first, rows)}, first, real_tokens, last_.gamma);
    std::vector<Tensor> of_part = gradients(losses.total, tensors_);
    losses.total = losses.total.detach();  // lets go of the graph
    last_.parts[static_cast<size_t>(part)] = std::move(losses);
    return of_part;
  });
  last_.norms_P = optimizer_.step(gradient, last_.lr);  // clips; skips a gradient that is not finite
  update_moving_average(ema_tensors_, tensors_, config_.train.ema, steps_done_);

  std::vector<Tensor> losses, u, diffusion, times, loss_by_time;
  for (const Losses& part : last_.parts) {
    losses.push_back(at::stack({part.diffusion.detach(), part.hidden.detach(), part.token.detach(), part.total}));
    u.push_back(part.u_B);
    diffusion.push_back(part.diffusion_B.detach());
    if (!loss_weighting_.active()) continue;
    times.push_back(part.times_BM1);
    loss_by_time.push_back(part.loss_by_time_BM1);
  }
  last_.losses = at::stack(losses).sum(0);
  timesteps_.update(steps_done_, at::cat(u), at::cat(diffusion));
  if (loss_weighting_.active()) loss_weighting_.update(at::cat(times), at::cat(loss_by_time));
  worst_norms_P_ = worst_norms_P_.defined() ? at::maximum(worst_norms_P_, last_.norms_P) : last_.norms_P;
  worst_losses_ = worst_losses_.defined() ? at::maximum(worst_losses_, last_.losses) : last_.losses;
  if (device_.is_cpu()) check_finite(last_.norms_P, last_.losses);  // free here; on a GPU metrics() looks
  ++steps_done_;
}

JointTrainer::Losses JointTrainer::losses_of(const Batch& part, int64_t first_row, const Tensor& real_tokens, double gamma) const {
  const Autocast autocast(config_.train.bfloat16);
  const Recompute recompute(config_.train.recompute);
  const auto step = static_cast<uint32_t>(steps_done_);
  const int64_t rows = part.ids_BL.size(0);
  const auto noise_like = [&](const Tensor& z, RandomPurpose purpose) {
    return philox_normal({config_.train.seed, purpose, step}, first_row, rows, z.sizes().slice(1), device_);
  };
  const Tensor real_BL = real_tokens_mask(part);
  const Tensor h_BLH = normalized_hidden(part);
  Losses losses;

  // Autoencoder: hidden-state MSE through noised latents, and a token decoder that never shapes them.
  const Tensor z0_BND = model_.encode(h_BLH).to(at::kFloat);
  const Tensor noised_BND = z0_BND + config_.recipe.decoder_noise * noise_like(z0_BND, RandomPurpose::kDecoderNoise);
  const Tensor h_hat_BLH = model_.latent_decoder(noised_BND);
  losses.hidden = hidden_mse_sum(h_hat_BLH, h_BLH, real_BL) / real_tokens;
  const Tensor features_BLH = model_.token_decoder.features(config_.recipe.hidden_mse ? h_hat_BLH.detach() : h_hat_BLH);
  const Tensor targets_BL = part.ids_BL.masked_fill(real_BL.logical_not(), -1);
  losses.token = vocabulary_cross_entropy(features_BLH.flatten(0, 1), model_.token_decoder.head.weight, targets_BL.flatten()) / real_tokens;

  // Diffusion: its gradient reaches the encoder through x_u and (unless stopped) through the target, scaled by gamma.
  const Tensor target_BND = scale_gradient(z0_BND, gamma);
  losses.u_B = draw_timesteps(first_row, rows);
  const Tensor u_BM1 = model_.dit.times(losses.u_B), a_BM1 = schedule_.signal(u_BM1), s_BM1 = schedule_.noise(u_BM1);
  const Tensor x_BND = a_BM1 * target_BND + s_BM1 * noise_like(z0_BND, RandomPurpose::kDiffusionNoise);
  const Tensor z0_hat_BND = model_.denoise(x_BND, losses.u_B, self_condition(x_BND.detach(), losses.u_B, first_row));
  const Tensor weighted_BND = loss_weighting_.active() ? scale_gradient(z0_hat_BND, loss_weighting_.weights(u_BM1)) : z0_hat_BND;
  losses.diffusion_B = diffusion_mse(weighted_BND, config_.recipe.stopped_target ? target_BND.detach() : target_BND);
  losses.diffusion = losses.diffusion_B.sum() / static_cast<double>(config_.train.batch);

  losses.total = losses.diffusion + losses.token;
  if (config_.recipe.hidden_mse) losses.total = losses.total + losses.hidden;
  losses.z0_BND = z0_BND.detach();
  if (loss_weighting_.active()) {
    at::NoGradGuard no_grad;
    const Tensor by_position_BN1 = (z0_hat_BND - target_BND).square().mean(-1, /*keepdim=*/true);
    losses.times_BM1 = u_BM1;
    losses.loss_by_time_BM1 = u_BM1.size(1) == 1 ? by_position_BN1.mean(1, /*keepdim=*/true) : by_position_BN1;
  }
  return losses;
}

// For a share of the samples, the estimate of a first pass without gradient; zeros for the others.
Tensor JointTrainer::self_condition(const Tensor& x_BND, const Tensor& u_B, int64_t first_row) const {
  const RecordedModule record("self_condition");
  at::NoGradGuard no_grad;
  std::vector<int64_t> chosen;
  for (int64_t row = 0; row < x_BND.size(0); ++row) {
    const RandomStream coin = {config_.train.seed, RandomPurpose::kSelfConditioning, static_cast<uint32_t>(steps_done_)};
    if (philox_uniform(coin, first_row + row) < config_.self_conditioning) chosen.push_back(row);
  }
  Tensor estimate = at::zeros_like(x_BND);
  if (chosen.empty()) return estimate;
  const Tensor rows = at::tensor(chosen, at::kLong).to(device_, /*non_blocking=*/true);
  const Tensor x = x_BND.index_select(0, rows);
  const Tensor first_pass = model_.denoise(x, u_B.index_select(0, rows), at::zeros_like(x));
  return estimate.index_copy_(0, rows, first_pass.to(at::kFloat));
}

Tensor JointTrainer::draw_timesteps(int64_t first_row, int64_t rows) const {
  const double offset = philox_uniform({config_.train.seed, RandomPurpose::kTimestep, static_cast<uint32_t>(steps_done_)}, 0);
  std::vector<float> u(static_cast<size_t>(rows));
  for (int64_t i = 0; i < rows; ++i) {
    u[static_cast<size_t>(i)] = static_cast<float>(timesteps_.sample(first_row + i, config_.train.batch, offset));
  }
  return at::tensor(u, at::kFloat).to(device_, /*non_blocking=*/true);
}

Tensor JointTrainer::normalized_hidden(const Batch& batch) const {
  return statistics_.normalize(encoder_->hidden(batch.ids_BL, batch.lengths_B, config_.encoder_layer), batch.lengths_B);
}

double JointTrainer::gamma_now() const {
  return config_.recipe.encoder_warmup ? diffusion_to_encoder_scale(*config_.recipe.encoder_warmup, steps_done_) : 1.0;
}

double JointTrainer::lr_now() const {
  const auto share = [](int64_t steps, int64_t of) { return std::min(1.0, static_cast<double>(steps) / static_cast<double>(std::max<int64_t>(1, of))); };
  const double warmup = share(steps_done_ + 1, config_.train.warmup_steps);
  const double cooldown = share(config_.train.steps - steps_done_, config_.train.cooldown_steps);
  return config_.train.lr * std::min(warmup, cooldown);
}

Batch JointTrainer::to_device(const Batch& batch) const {
  TORCH_CHECK_VALUE(batch.ids_BL.size(0) == config_.train.batch && batch.ids_BL.size(1) == config_.model.max_length,
                    "a batch must be [train.batch, model.maxLength] = [", config_.train.batch, ", ", config_.model.max_length, "], got ",
                    batch.ids_BL.sizes());
  if (device_.is_cpu()) return batch;
  encoder_->check(batch.ids_BL, batch.lengths_B);
  const auto moved = [&](const Tensor& t) { return t.pin_memory().to(device_, /*non_blocking=*/true); };  // pageable memory would wait for the GPU
  return {moved(batch.ids_BL), moved(batch.lengths_B)};
}

void JointTrainer::check_finite(const Tensor& norms_P, const Tensor& losses) const {
  const Tensor losses_host = losses.to(at::kCPU), norms_host = norms_P.to(at::kCPU);
  static constexpr const char* kLossNames[] = {"diffusion", "hidden", "token", "total"};
  constexpr const char* kRemedy = "Lower train.lr or train.clip, or resume from the last checkpoint";
  const std::string when = device_.is_cpu() ? at_step(steps_done_) : c10::str("at a step since the last log, before step ", steps_done_, "; that step left the parameters as they were");
  for (int64_t i = 0; i < 4; ++i) {
    require_finite(losses_host[i].item<double>(), when, kRemedy, kLossNames[i], " loss");
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    require_finite(norms_host[static_cast<int64_t>(i)].item<double>(), when, kRemedy, "gradient of ", parameters_[i].name);
  }
}

StepMetrics JointTrainer::metrics() {
  TORCH_CHECK_VALUE(last_.losses.defined(), "metrics need at least one step");
  check_finite(worst_norms_P_, worst_losses_);
  worst_norms_P_ = worst_losses_ = Tensor();
  const Tensor losses = last_.losses.to(at::kCPU);  // sync: a number is logged
  std::vector<Tensor> z0;
  for (const Losses& part : last_.parts) z0.push_back(part.z0_BND);
  return {steps_done_,
          losses[0].item<double>(),
          losses[1].item<double>(),
          losses[2].item<double>(),
          losses[3].item<double>(),
          last_.gamma,
          last_.lr,
          at::linalg_vector_norm(last_.norms_P).item<double>(),
          latent_statistics(at::cat(z0))};
}

ReconstructionAccuracy JointTrainer::diagnose(const Batch& host_batch) const {
  at::NoGradGuard no_grad;
  const Batch batch = {host_batch.ids_BL.to(device_), host_batch.lengths_B.to(device_)};
  return reconstruction_accuracy(ema_, schedule_, normalized_hidden(batch), batch.ids_BL, real_tokens_mask(batch),
                                 config_.recipe.decoder_noise, config_.train.seed);
}

void JointTrainer::observe_statistics(const Batch& host_batch) {
  const Batch batch = to_device(host_batch);
  const int64_t parts = config_.train.accumulate, rows = batch.ids_BL.size(0) / parts;
  const std::vector<Tensor> found = sum_over_parts(parts, device_, [&](int64_t part) -> std::vector<Tensor> {
    at::NoGradGuard no_grad;
    const Batch own = {batch.ids_BL.narrow(0, part * rows, rows), batch.lengths_B.narrow(0, part * rows, rows)};
    Tensor real_BL = real_tokens_mask(own);
    real_BL.select(1, 0).fill_(false);
    const Tensor h = encoder_->hidden(own.ids_BL, own.lengths_B, config_.encoder_layer).to(at::kDouble);
    const Tensor weight = real_BL.unsqueeze(-1).to(at::kDouble);
    return {weight.sum(), (h * weight).sum(at::IntArrayRef{0, 1}), (h.square() * weight).sum(at::IntArrayRef{0, 1})};
  });
  sums_.count += found[0];
  sums_.sum += found[1];
  sums_.square += found[2];
}

void JointTrainer::finish_statistics() {
  const double count = sums_.count.item<double>();
  TORCH_CHECK_VALUE(count >= 2, "the feature statistics need at least 2 tokens behind the first position, got ", count);
  const Tensor mean = sums_.sum / count;
  const Tensor variance = (sums_.square / count - mean.square()).clamp_min(1e-12);
  statistics_ = {mean.to(at::kFloat), at::sqrt(variance).to(at::kFloat)};
}

void JointTrainer::save(const std::string& folder) const {
  const auto with_statistics = [&](LDLM model) {
    TensorMap tensors = {{"feature_statistics.mean", statistics_.mean_H}, {"feature_statistics.deviation", statistics_.deviation_H}};
    model.visit("", [&](const std::string& name, Tensor& parameter) { tensors[name] = parameter.detach(); });
    return tensors;
  };
  write_safetensors(folder + "/model.safetensors", with_statistics(model_), {{"format", "pt"}});
  write_safetensors(folder + "/ema.safetensors", with_statistics(ema_), {{"format", "pt"}});
  TensorMap training_state = optimizer_.state();
  training_state.merge(loss_weighting_.state());
  write_safetensors(folder + "/optimizer.safetensors", training_state, {{"format", "pt"}});
}

void JointTrainer::load(const std::string& folder, int64_t steps_done, const TimestepSampler::State& timesteps) {
  statistics_ = load_model(model_, read_safetensors(folder + "/model.safetensors"));
  load_model(ema_, read_safetensors(folder + "/ema.safetensors"));
  const TensorMap training_state = read_safetensors(folder + "/optimizer.safetensors");
  optimizer_.restore(training_state);
  loss_weighting_.restore(training_state);
  timesteps_.restore(timesteps);
  steps_done_ = steps_done;
}

}  // namespace ldlm
