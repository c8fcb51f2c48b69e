#include "baselines/baseline_trainer.h"

#include "io/safetensors.h"
#include "model/autocast.h"
#include "model/pretrained_layers.h"
#include "train/data_parallel.h"
#include "train/diverged_error.h"
#include "train/heap.h"
#include "train/moving_average.h"

namespace ldlm {

namespace {

TensorMap tensors_by_name(Baseline& model) {
  TensorMap tensors;
  model.visit("", [&](const std::string& name, Tensor& parameter) { tensors[name] = parameter.detach(); });
  return tensors;
}

std::vector<Tensor> tensors_of(Baseline& model, bool trainable) {
  std::vector<Tensor> tensors;
  model.visit("", [&](const std::string&, Tensor& parameter) {
    parameter.requires_grad_(trainable);
    tensors.push_back(parameter);
  });
  return tensors;
}

}  // namespace

BaselineTrainer::BaselineTrainer(const BaselineConfig& model, const BaselineTrainConfig& train)
    : model_config_(model),
      config_(train),
      model_(make_baseline(model, at::TensorOptions(at::kFloat))),
      ema_(make_baseline(model, at::TensorOptions(at::kFloat))) {
  TORCH_CHECK_VALUE(train.accumulate >= 1 && train.batch % train.accumulate == 0, "accumulate must divide the batch of ", train.batch, ", got ", train.accumulate);
  keep_freed_memory();
  model_->reset_parameters(train.seed);
  ema_->reset_parameters(train.seed);
  parameters_ = parameters_of(*model_, "");
  tensors_ = tensors_of(*model_, /*trainable=*/true);
  ema_tensors_ = tensors_of(*ema_, /*trainable=*/false);
  optimizer_.emplace(train.optimizer, parameters_);
}

BaselineStep BaselineTrainer::step(const Tensor& ids_BL, const Tensor& lengths_B, double progress) {
  check_tokens("baseline", ids_BL, lengths_B, model_config_.vocabulary, model_config_.length);
  TORCH_CHECK_VALUE(ids_BL.size(0) == config_.batch && ids_BL.size(1) == model_config_.length, "a batch must be [", config_.batch, ", ",
                    model_config_.length, "], got ", ids_BL.sizes());
  const int64_t parts = config_.accumulate, rows = config_.batch / parts;
  const auto real_tokens = static_cast<double>(lengths_B.sum().item<int64_t>());
  std::vector<double> losses(static_cast<size_t>(parts));
  std::vector<Tensor> gradient = sum_over_parts(parts, at::kCPU, [&](int64_t part) {
    const Autocast autocast(config_.bfloat16);
    const int64_t first = part * rows;
    const Tensor loss = model_->nll_sum(ids_BL.narrow(0, first, rows), lengths_B.narrow(0, first, rows), first, config_.batch, config_.seed, steps_done_) / real_tokens;
    losses[static_cast<size_t>(part)] = loss.item<double>();
    return gradients(loss, tensors_);
  });
  constexpr const char* kRemedy = "Lower train.lr or resume from the last checkpoint";
  BaselineStep result{steps_done_ + 1, 0, lr_at(progress), 0};
  for (const double loss : losses) result.loss += loss;
  require_finite(result.loss, at_step(steps_done_), kRemedy, "loss");
  result.gradient_norm = at::linalg_vector_norm(optimizer_->step(gradient, result.lr)).item<double>();
  require_finite(result.gradient_norm, at_step(steps_done_), kRemedy, "gradient");
  update_moving_average(ema_tensors_, tensors_, config_.ema, steps_done_);
  ++steps_done_;
  return result;
}

double BaselineTrainer::lr_at(double progress) const {
  const double warmup = std::min(1.0, static_cast<double>(steps_done_ + 1) / static_cast<double>(std::max<int64_t>(1, config_.warmup_steps)));
  const double cooldown = config_.cooldown > 0 ? std::clamp((1 - progress) / config_.cooldown, 0.0, 1.0) : 1.0;
  return config_.lr * std::min(warmup, cooldown);
}

void BaselineTrainer::save(const std::string& folder) const {
  write_safetensors(folder + "/model.safetensors", tensors_by_name(*model_), {{"format", "pt"}});
  write_safetensors(folder + "/ema.safetensors", tensors_by_name(*ema_), {{"format", "pt"}});
  write_safetensors(folder + "/optimizer.safetensors", optimizer_->state(), {{"format", "pt"}});
}

void BaselineTrainer::load(const std::string& folder, int64_t steps_done) {
  load_baseline(*model_, folder + "/model.safetensors");
  load_baseline(*ema_, folder + "/ema.safetensors");
  optimizer_->restore(read_safetensors(folder + "/optimizer.safetensors"));
  steps_done_ = steps_done;
}

int64_t BaselineTrainer::parameters() const {
  int64_t count = 0;
  for (const Tensor& tensor : tensors_) count += tensor.numel();
  return count;
}

}  // namespace ldlm
