#include "train/optimizer.h"

#include <algorithm>
#include <atomic>

#include "ops/recorded.h"
#include "train/muon.h"

namespace ldlm {

namespace {

bool is_matrix(const NamedParameter& parameter) { return parameter.tensor.dim() == 2 && parameter.name.ends_with("weight"); }

// A modulation reads the time, not tokens: its input has one direction a timestep, and no use for equal steps in all of them.
bool takes_muon(const NamedParameter& parameter) {
  return is_matrix(parameter) && parameter.name.find("blocks.") != std::string::npos && parameter.name.find("modulation") == std::string::npos;
}

}  // namespace

Optimizer::Optimizer(const OptimizerConfig& config, const std::vector<NamedParameter>& parameters) : config_(config), parameters_(parameters) {
  step_ = at::zeros({}, parameters.front().tensor.options().dtype(at::kFloat).requires_grad(false));
  decayed_.weight_decay = config.weight_decay;
  plain_.weight_decay = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor values = parameters[i].tensor.detach();
    if (config.muon && takes_muon(parameters[i])) {
      muon_.members.push_back(i);
      continue;
    }
    AdamGroup& group = is_matrix(parameters[i]) ? decayed_ : plain_;
    group.members.push_back(i);
    group.parameters.push_back(values);
    group.exp_avg.push_back(at::zeros_like(values));
    group.exp_avg_sq.push_back(at::zeros_like(values));
    group.steps.push_back(step_);
  }
  // The largest first, so that no core is left with one at the end.
  std::ranges::stable_sort(muon_.members, std::greater(), [&](size_t i) { return parameters[i].tensor.numel(); });
  for (const size_t i : muon_.members) {
    muon_.parameters.push_back(parameters[i].tensor.detach());
    muon_.momentum.push_back(at::zeros_like(muon_.parameters.back()));
  }
}

Tensor Optimizer::step(std::vector<Tensor>& gradients, double lr) {
  const RecordedModule record("optimizer");
  at::NoGradGuard no_grad;
  const Tensor norms_P = at::stack(at::_foreach_norm(gradients, 2));
  const Tensor norm = at::linalg_vector_norm(norms_P);
  const Tensor shrink = (norm / config_.clip).clamp_min(1.0);  // the gradient is divided by this
  const Tensor finite = at::isfinite(norm);
  step_.add_(finite.to(at::kFloat));
  step_muon(gradients, lr, shrink, finite);
  for (AdamGroup* group : {&decayed_, &plain_}) {
    if (!group->members.empty()) step_adam(*group, gradients, lr, shrink, finite);
  }
  return norms_P;
}

void Optimizer::step_adam(AdamGroup& group, const std::vector<Tensor>& gradients, double lr, const Tensor& shrink, const Tensor& finite) {
  std::vector<Tensor> own;
  for (const size_t i : group.members) own.push_back(gradients[i]);
  const Tensor found_inf = finite.logical_not().to(at::kFloat);
  at::_fused_adamw_(group.parameters, own, group.exp_avg, group.exp_avg_sq, {}, group.steps, lr, config_.beta1, config_.beta2,
                    group.weight_decay, config_.eps, /*amsgrad=*/false, /*maximize=*/false, shrink, found_inf);
}

void Optimizer::step_muon(const std::vector<Tensor>& gradients, double lr, const Tensor& shrink, const Tensor& finite) {
  std::atomic<size_t> next = 0;
  const auto update = [&](int64_t, int64_t) {
    const RecordedModule record("optimizer");  // on every thread
    at::NoGradGuard no_grad;  // thread-local
    for (size_t i = next++; i < muon_.members.size(); i = next++) {
      const Tensor &momentum = muon_.momentum[i], &gradient = gradients[muon_.members[i]];
      // Where the gradient is not finite, its stand-in leaves the momentum as it is, and the step has length 0.
      const Tensor safe = at::where(finite, gradient / shrink, momentum);
      muon_update(muon_.parameters[i], safe, momentum, config_.muon->momentum, finite * (lr * config_.muon->lr_scale), config_.weight_decay);
    }
  };
  if (step_.is_cpu()) {
    at::parallel_for(0, at::get_num_threads(), 1, update);  // a core takes one matrix after another
  } else {
    update(0, 1);
  }
}

TensorMap Optimizer::state() const {
  TensorMap state;
  state["step"] = step_;
  for (const AdamGroup* group : {&decayed_, &plain_}) {
    for (size_t k = 0; k < group->members.size(); ++k) {
      const std::string& name = parameters_[group->members[k]].name;
      state[name + ".exp_avg"] = group->exp_avg[k];
      state[name + ".exp_avg_sq"] = group->exp_avg_sq[k];
    }
  }
  for (size_t k = 0; k < muon_.members.size(); ++k) state[parameters_[muon_.members[k]].name + ".momentum"] = muon_.momentum[k];
  return state;
}

void Optimizer::restore(const TensorMap& saved) {
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : state()) {
    const auto found = saved.find(name);
    TORCH_CHECK_VALUE(found != saved.end(), "the optimizer state must hold ", name, ", which is missing from the checkpoint");
    TORCH_CHECK_VALUE(found->second.sizes() == tensor.sizes(), "the optimizer state ", name, " must have shape ", tensor.sizes(),
                      ", got ", found->second.sizes());
    tensor.copy_(found->second);
  }
}

}  // namespace ldlm
