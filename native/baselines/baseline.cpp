#include "baselines/baseline.h"

#include <cmath>

#include "baselines/autoregressive.h"
#include "baselines/masked_diffusion.h"
#include "baselines/score_diffusion.h"
#include "baselines/token_dit.h"
#include "baselines/uniform_diffusion.h"
#include "io/safetensors.h"

namespace ldlm {

namespace {

using SampleOne = std::function<TokenSample(const TokenDenoiser&, const TokenSampling&)>;

class DiscreteDiffusion : public Baseline {
 public:
  DiscreteDiffusion(const BaselineConfig& config, const at::TensorOptions& options)
      : config_(config),
        network_({config.vocabulary + (masked() ? 1 : 0), config.vocabulary, config.length, config.layers, config.width, config.heads, config.condition},
                 options) {}

  void reset_parameters(uint64_t seed) override {
    at::NoGradGuard no_grad;
    auto generator = at::detail::createCPUGenerator(seed);
    network_.reset_parameters(generator);
  }

  void visit(const std::string& prefix, const ParameterVisitor& visitor) override { network_.visit(prefix, visitor); }

  Tensor nll_sum(const Tensor& ids_BL, const Tensor&, int64_t first_row, int64_t batch, uint64_t seed, int64_t step) const override {
    TORCH_CHECK_VALUE(config_.kind == "mdlm", "only mdlm and ar can be trained, got ", config_.kind);
    const MaskedTokens masked = mask_tokens(ids_BL, config_.vocabulary, first_row, batch, seed, step);
    const Tensor hidden_BLC = network_.hidden(masked.ids_BL, network_.condition(at::zeros({1})));
    return masked_bound_sum(network_.logits(hidden_BLC.flatten(0, 1).index_select(0, masked.positions_K)), masked);
  }

  BaselineSamples sample(const BaselineRequest& request, const TokenObserver& observe) const override {
    const c10::InferenceMode inference;
    const std::vector<DitCondition> conditions = conditions_of(request.steps);
    const TokenDenoiser denoise = [&](const Tensor& ids_L, double t) -> PositionLogits {
      const auto step = static_cast<size_t>(std::llround((1 - t) * static_cast<double>(request.steps)));
      const Tensor hidden_LC = network_.hidden(ids_L.unsqueeze(0), conditions[conditions.size() == 1 ? 0 : step]).squeeze(0);
      return [this, hidden_LC](const Tensor& positions_K) { return network_.logits(hidden_LC.index_select(0, positions_K)); };
    };
    const SampleOne sample_one = sampler_of(request, observe);
    std::vector<TokenSample> samples(static_cast<size_t>(request.count));
    for_each_job(config_.length * config_.width, request.count, [&](int64_t row) {
      samples[static_cast<size_t>(row)] = sample_one(
          denoise, {config_.length, config_.vocabulary, request.steps, request.seed, request.first_index + row, request.stride});
    });
    BaselineSamples all;
    std::vector<Tensor> ids;
    for (const TokenSample& sample : samples) {
      ids.push_back(sample.ids_L);
      all.evaluations.needed += sample.evaluations.needed;
      all.evaluations.made += sample.evaluations.made;
    }
    all.ids_BL = at::stack(ids);
    return all;
  }

 private:
  bool masked() const { return config_.kind != "duo"; }

  // Of every step, before the first: one for all steps of a network that is not told the time.
  std::vector<DitCondition> conditions_of(int64_t steps) const {
    std::vector<DitCondition> conditions;
    for (int64_t step = 0; step < (config_.kind == "mdlm" ? 1 : steps); ++step) {
      const double t = config_.kind == "mdlm" ? 0 : 1 - static_cast<double>(step) / static_cast<double>(steps);
      for_each_job(config_.length * config_.width, 1, [&](int64_t) { conditions.push_back(network_.condition(at::full({1}, t))); });
    }
    return conditions;
  }

  SampleOne sampler_of(const BaselineRequest& request, const TokenObserver& observe) const {
    const auto with = [&](TokenSample (*sampler)(const TokenDenoiser&, const TokenSampling&, const TokenObserver&)) -> SampleOne {
      return [sampler, &observe](const TokenDenoiser& denoise, const TokenSampling& sampling) { return sampler(denoise, sampling, observe); };
    };
    if (config_.kind == "duo") return with(sample_uniform_state);
    if (config_.kind == "sedd") return with(sample_absorbing_score);
    return with(request.stepwise ? sample_masked_stepwise : sample_masked);
  }

  BaselineConfig config_;
  TokenDit network_;
};

class AutoregressiveBaseline : public Baseline {
 public:
  AutoregressiveBaseline(const BaselineConfig& config, const at::TensorOptions& options)
      : model_({config.vocabulary, config.length, config.layers, config.width, config.heads, config.end_id}, options) {}

  void reset_parameters(uint64_t seed) override {
    at::NoGradGuard no_grad;
    auto generator = at::detail::createCPUGenerator(seed);
    model_.reset_parameters(generator);
  }

  void visit(const std::string& prefix, const ParameterVisitor& visitor) override { model_.visit(prefix, visitor); }

  Tensor nll_sum(const Tensor& ids_BL, const Tensor& lengths_B, int64_t, int64_t, uint64_t, int64_t) const override {
    return model_.nll_sum(ids_BL, lengths_B);
  }

  BaselineSamples sample(const BaselineRequest& request, const TokenObserver& observe) const override {
    const c10::InferenceMode inference;
    const auto [ids_BL, evaluations] =
        sample_next_tokens(model_, step_weights(), {request.first_index, request.count, request.seed, request.stop_at_end, request.stride}, observe);
    return {ids_BL, evaluations};
  }

 private:
  // Made with the first sample: the weights do not change any more then.
  const StepWeights& step_weights() const {
    if (!step_weights_) step_weights_.emplace(model_);
    return *step_weights_;
  }

  Autoregressive model_;
  mutable std::optional<StepWeights> step_weights_;  // used by the executor's thread only
};

}  // namespace

std::unique_ptr<Baseline> make_baseline(const BaselineConfig& config, const at::TensorOptions& options) {
  TORCH_CHECK_VALUE(config.heads >= 1 && config.width % (2 * config.heads) == 0, "the width of a baseline must be a multiple of 2 x heads = ",
                    2 * config.heads, ", got ", config.width);
  TORCH_CHECK_VALUE(config.end_id >= 0 && config.end_id < config.vocabulary, "the end token must be in 0..", config.vocabulary - 1, ", got ", config.end_id);
  if (config.kind == "ar") return std::make_unique<AutoregressiveBaseline>(config, options);
  const bool known = config.kind == "mdlm" || config.kind == "duo" || config.kind == "sedd";
  TORCH_CHECK_VALUE(known, "a baseline must be mdlm, ar, duo or sedd, got ", config.kind);
  return std::make_unique<DiscreteDiffusion>(config, options);
}

void load_baseline(Baseline& model, const std::string& file) {
  at::NoGradGuard no_grad;
  const TensorMap tensors = read_safetensors(file);
  size_t used = 0;
  model.visit("", [&](const std::string& name, Tensor& parameter) {
    const auto found = tensors.find(name);
    TORCH_CHECK_VALUE(found != tensors.end(), file, " must hold ", name, ", which is missing: it was made by another configuration");
    TORCH_CHECK_VALUE(found->second.sizes() == parameter.sizes(), name, " of ", file, " must have shape ", parameter.sizes(), ", got ",
                      found->second.sizes(), ": it was made with another configuration or vocabulary");
    parameter.copy_(found->second);
    ++used;
  });
  TORCH_CHECK_VALUE(used == tensors.size(), file, " holds ", tensors.size() - used, " tensors that this configuration does not know");
}

}  // namespace ldlm
