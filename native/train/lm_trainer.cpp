#include "train/lm_trainer.h"

#include <cmath>
#include <filesystem>

#include "io/safetensors.h"
#include "train/data_parallel.h"
#include "train/diverged_error.h"
#include "train/heap.h"

namespace ldlm {
namespace {

// A checked batch and what its losses are divided by.
struct Counted {
  Tensor ids_BL, lengths_B;  // int64
  int64_t tokens, predicted;

  Counted(const CausalLm& model, const Tensor& ids, const Tensor& lengths) {
    check_tokens("causal lm", ids, lengths, model.network.tokens.size(0), model.network.positions.size(0));
    ids_BL = ids.to(at::kLong), lengths_B = lengths.to(at::kLong);
    tokens = lengths_B.sum().item<int64_t>();
    predicted = (lengths_B - 1).clamp_min(0).sum().item<int64_t>();
    TORCH_CHECK_VALUE(predicted > 0, "causal lm: a batch must have a row of at least 2 tokens, got lengths up to ",
                      lengths_B.numel() == 0 ? 0 : lengths_B.max().item<int64_t>());
  }

  LmLosses losses_of(const CausalLm& model, int64_t part, int64_t parts) const {
    const int64_t rows = ids_BL.size(0), first = part * rows / parts, end = (part + 1) * rows / parts;
    return model.losses(ids_BL.slice(0, first, end), lengths_B.slice(0, first, end));
  }
};

struct Sums {
  double next_token = 0, identity = 0;
  int64_t identity_correct = 0;

  static Sums of(const LmLosses& losses) {
    return {losses.next_token.item<double>(), losses.identity.item<double>(), losses.identity_correct.item<int64_t>()};
  }
};

Sums add_up(const std::vector<Sums>& parts) {
  Sums total;
  for (const auto& part : parts) {
    total.next_token += part.next_token;
    total.identity += part.identity;
    total.identity_correct += part.identity_correct;
  }
  return total;
}

}  // namespace

double lm_learning_rate(const LmTrainConfig& config, int64_t step) {
  constexpr double kFloor = 0.1, kPi = 3.14159265358979323846;
  if (step < config.warmup_steps) return config.lr * static_cast<double>(step + 1) / static_cast<double>(config.warmup_steps);
  const double span = static_cast<double>(std::max<int64_t>(1, config.steps - config.warmup_steps));
  const double progress = std::min(1.0, static_cast<double>(step - config.warmup_steps) / span);
  return config.lr * (kFloor + (1 - kFloor) * 0.5 * (1 + std::cos(kPi * progress)));
}

LmTrainer::LmTrainer(const LmConfig& model, const LmTrainConfig& train)
    : config_(train), model_(model, train.identity_layer, at::TensorOptions(at::kFloat)) {
  TORCH_CHECK_VALUE(train.micro_batches >= 1, "micro_batches must be >= 1, got ", train.micro_batches);
  keep_freed_memory();
  auto generator = at::detail::createCPUGenerator(train.seed);
  model_.reset_parameters(generator);
  parameters_ = parameters_of(model_, "");
  for (auto& [name, tensor] : parameters_) {
    tensor.set_requires_grad(true);
    tensors_.push_back(tensor);
  }
  optimizer_.emplace(train.optimizer, parameters_);
}

LmStep LmTrainer::step(const Tensor& ids_BL, const Tensor& lengths_B) {
  const Counted batch(model_, ids_BL, lengths_B);
  const int64_t parts = std::min(config_.micro_batches, ids_BL.size(0));
  std::vector<Sums> sums(static_cast<size_t>(parts));
  const c10::AutoGradMode with_gradients(true);
  auto gradient = sum_over_parts(parts, at::kCPU, [&](int64_t part) {
    const LmLosses losses = batch.losses_of(model_, part, parts);
    sums[static_cast<size_t>(part)] = Sums::of(losses);
    return gradients(losses.next_token / static_cast<double>(batch.predicted) +
                         losses.identity * (config_.identity_weight / static_cast<double>(batch.tokens)),
                     tensors_);
  });
  const Sums total = add_up(sums);
  LmStep result{total.next_token / static_cast<double>(batch.predicted), total.identity / static_cast<double>(batch.tokens),
                static_cast<double>(total.identity_correct) / static_cast<double>(batch.tokens), 0};
  constexpr const char* kRemedy = "Lower the learning rate";
  require_finite(result.next_token_loss, at_step(steps_done_), kRemedy, "next-token loss");
  require_finite(result.identity_loss, at_step(steps_done_), kRemedy, "identity loss");
  const Tensor norms_P = optimizer_->step(gradient, lm_learning_rate(config_, steps_done_));
  result.gradient_norm = at::linalg_vector_norm(norms_P).item<double>();
  require_finite(result.gradient_norm, at_step(steps_done_), kRemedy, "gradient");  // the optimizer left the parameters alone
  ++steps_done_;
  return result;
}

LmEvaluation LmTrainer::evaluate(const Tensor& ids_BL, const Tensor& lengths_B) const {
  const Counted batch(model_, ids_BL, lengths_B);
  const int64_t parts = std::min(config_.micro_batches, ids_BL.size(0));
  std::vector<Sums> sums(static_cast<size_t>(parts));
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    at::NoGradGuard no_grad;
    for (int64_t part = begin; part < end; ++part) sums[static_cast<size_t>(part)] = Sums::of(batch.losses_of(model_, part, parts));
  });
  const Sums total = add_up(sums);
  return {total.next_token, batch.predicted, total.identity_correct, batch.tokens};
}

void LmTrainer::save(const std::string& folder) const {
  std::filesystem::create_directories(folder);
  TensorMap tensors;
  for (const auto& [name, tensor] : parameters_) {
    if (name != "identity_log_temperature") tensors["transformer." + name] = tensor;
  }
  // transformers refuses a file that does not say what wrote it.
  write_safetensors((std::filesystem::path(folder) / "model.safetensors").string(), tensors, {{"format", "pt"}});
}

}  // namespace ldlm
