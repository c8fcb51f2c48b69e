#include "generate/generate.h"

#include <algorithm>
#include <functional>

#include "diffusion/samplers.h"
#include "ops/philox/philox.h"

namespace ldlm {

namespace {

// From this many activations (N x C) on, one sample keeps all cores busy by itself.
constexpr int64_t kLargeSample = 1 << 16;

bool is_large(const ModelConfig& config) { return config.latents * config.dit.width >= kLargeSample; }

void run_jobs(const ModelConfig& config, int64_t count, const std::function<void(int64_t)>& job) {
  for_each_job(config.latents * config.dit.width, count, job);
}

std::vector<Tensor> rows_of(const std::vector<Tensor>& tensors, int64_t first, int64_t count) {
  std::vector<Tensor> rows;
  for (const Tensor& tensor : tensors) rows.push_back(tensor.narrow(0, first, count));
  return rows;
}

DitCondition conditions_of(const LDLM& model, const std::vector<double>& times, const at::Device& device) {
  const Tensor u_S = at::tensor(times, at::kFloat).to(device);
  if (!device.is_cpu()) return model.dit.condition(u_S);
  DitCondition conditions;
  run_jobs(model.config, 1, [&](int64_t) { conditions = model.dit.condition(u_S); });
  return conditions;
}

// What the denoiser makes of the steps' times alone: once for all samples, and for so many steps together that a product is worth it.
class StepConditions {
 public:
  StepConditions(const LDLM& model, const std::vector<double>& grid, const at::Device& device)
      : model_(model), grid_(grid), device_(device), chunk_length_(model.config.stagger > 0 ? 8 : 64) {
    load(0);
  }
  // All vectors of the step at time u side by side, [1, 1, T].
  Tensor joined_at(double u) {
    const auto step = std::lower_bound(grid_.begin(), grid_.end(), u, std::greater<>()) - grid_.begin();  // the grid falls
    if (step / chunk_length_ != chunk_) load(step / chunk_length_);
    return vectors_S1T_.narrow(0, step % chunk_length_, 1);
  }
  DitCondition at(double u) { return taken_apart(joined_at(u), conditions_); }
  const DitCondition& any() const { return conditions_; }

 private:
  void load(int64_t chunk) {
    const auto first = grid_.begin() + chunk * chunk_length_, last = std::min(first + chunk_length_, grid_.end());
    conditions_ = conditions_of(model_, {first, last}, device_);
    vectors_S1T_ = joined(conditions_);
    chunk_ = chunk;
  }

  const LDLM& model_;
  const std::vector<double>& grid_;
  at::Device device_;
  int64_t chunk_length_;  // steps; fewer where every position has vectors of its own
  int64_t chunk_ = -1;
  DitCondition conditions_;
  Tensor vectors_S1T_;
};

Tensor decode(const LDLM& model, const Tensor& z_BND) {
  return for_each_sample(model.config, {z_BND}, [&](const std::vector<Tensor>& in) { return model.decode(in[0]); });
}

}  // namespace

void for_each_job(int64_t activations, int64_t count, const std::function<void(int64_t)>& job) {
  const auto run = [&](int64_t begin, int64_t end) {
    const c10::InferenceMode inference;
    for (int64_t i = begin; i < std::min(end, count); ++i) job(i);
  };
  if (activations >= kLargeSample) {
    run(0, count);
  } else {
    // At least one piece a thread, empty or not: a lone piece would run outside a parallel region, and its matrix products, then
    // split over threads, would round differently.
    at::parallel_for(0, std::max<int64_t>(count, at::get_num_threads()), 1, run);
  }
}

int64_t samples_together(const LDLM& model) {
  const c10::InferenceMode inference;
  if (!model.dit.input.weight.device().is_cpu()) return 1;
  constexpr int64_t kMost = 4;
  auto generator = at::detail::createCPUGenerator(0);
  const Tensor x = at::randn({kMost, model.config.latents, model.config.latent_width}, generator, at::TensorOptions(at::kFloat));
  const DitCondition condition = conditions_of(model, {0.5}, x.device());
  const auto estimate = [&](int64_t together) {
    std::vector<Tensor> groups(static_cast<size_t>(kMost / together));
    run_jobs(model.config, kMost / together, [&](int64_t i) {
      const Tensor rows = x.narrow(0, i * together, together);
      groups[static_cast<size_t>(i)] = model.dit(rows, condition, 0.5 * rows);
    });
    return at::cat(groups);
  };
  const Tensor alone = estimate(1);
  if (!estimate(kMost / 2).equal(alone)) return 1;
  return estimate(kMost).equal(alone) ? kMost : kMost / 2;
}

Tensor for_each_sample(const ModelConfig& config, const std::vector<Tensor>& inputs,
                       const std::function<Tensor(const std::vector<Tensor>&)>& network, int64_t together) {
  if (!inputs[0].device().is_cpu()) return network(inputs);
  const int64_t count = inputs[0].size(0), share = is_large(config) ? count : count / at::get_num_threads();
  while (together > 1 && together > share) together /= 2;
  const int64_t groups = count / together, jobs = groups + count % together;  // the last few go alone
  std::vector<Tensor> outputs(static_cast<size_t>(jobs));
  run_jobs(config, jobs, [&](int64_t job) {
    const auto rows = job < groups ? rows_of(inputs, job * together, together) : rows_of(inputs, groups * (together - 1) + job, 1);
    outputs[static_cast<size_t>(job)] = network(rows);
  });
  return at::cat(outputs);
}

SampleResult generate(const LDLM& model, const NoiseSchedule& schedule, const TimestepSampler& timesteps, const SampleRequest& request,
                      const SampleObserver& observe, DenoiserGraphs* graphs) {
  const c10::InferenceMode inference;
  const at::Device device = model.dit.input.weight.device();
  const int64_t shape[] = {model.config.latents, model.config.latent_width};
  const auto noise = [&](RandomPurpose purpose, int64_t step) {
    const Tensor normal = philox_normal({request.seed, purpose, static_cast<uint32_t>(step)}, request.first_index, request.count, shape, device);
    return request.temperature == 1 ? normal : request.temperature * normal;  // spares the usual step a pass over the latents
  };

  const bool heun = request.sampler == SamplerKind::kHeun;  // two evaluations an interval, one at the end
  const TimestepSampler unwarped(std::nullopt, 0);
  const std::vector<double> grid = (request.uniform_grid ? unwarped : timesteps).grid(heun ? (request.steps - 1) / 2 + 1 : request.steps, request.u_min);
  StepConditions conditions(model, grid, device);
  const auto graph = graphs ? graphs->of(model.dit, request.count, shape[0], conditions.any()) : nullptr;

  Tensor self_condition = at::zeros({request.count, shape[0], shape[1]}, at::TensorOptions(at::kFloat).device(device));
  int64_t evaluations = 0;
  const DenoiseFn denoise = [&](const Tensor& x_BND, double u) {
    if (graph) {
      self_condition = run_graph(*graph, x_BND, conditions.joined_at(u), self_condition);
    } else {
      const auto estimate = [&, condition = conditions.at(u)](const std::vector<Tensor>& in) { return model.dit(in[0], condition, in[1]); };
      self_condition = for_each_sample(model.config, {x_BND, self_condition}, estimate, request.together);
    }
    ++evaluations;
    const bool preview = request.preview_every > 0 && evaluations % request.preview_every == 0;
    if (!observe(evaluations, preview ? decode(model, self_condition).cpu() : Tensor())) throw SamplingAborted();
    return self_condition;
  };
  const NoiseFn step_noise = [&](int64_t k) { return noise(RandomPurpose::kSamplerNoise, k); };

  const Tensor start = noise(RandomPurpose::kInitialNoise, 0);
  TORCH_CHECK_VALUE(model.config.stagger == 0 || request.sampler == SamplerKind::kDdim, "a model with stagger must be sampled with ddim or ddpm");
  const Tensor z0_hat = model.config.stagger > 0 ? sample_staggered(denoise, schedule, grid, model.dit.times(at::tensor(grid, at::kDouble)), start, request.eta, step_noise)
                        : heun                                   ? sample_heun(denoise, schedule, grid, start)
                        : request.sampler == SamplerKind::kDpmpp ? sample_dpmpp(denoise, schedule, grid, start, request.eta, step_noise)
                        : request.sampler == SamplerKind::kSde ? sample_sde(denoise, schedule, grid, start, step_noise)
                                                               : sample_ddim(denoise, schedule, grid, start, request.eta, step_noise);
  return {decode(model, z0_hat).cpu(), evaluations};  // sync: the result leaves the device
}

}  // namespace ldlm
