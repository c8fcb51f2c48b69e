#include "train/optimizer.h"

namespace ldlm {

AdamW::AdamW(const AdamWConfig& config, const std::vector<NamedParameter>& parameters) : config_(config), parameters_(parameters) {
  step_ = at::zeros({}, parameters.front().tensor.options().dtype(at::kFloat).requires_grad(false));
  decayed_.weight_decay = config.weight_decay;
  plain_.weight_decay = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const bool matrix = parameters[i].tensor.dim() >= 2 && parameters[i].name.ends_with("weight");
    Group& group = matrix ? decayed_ : plain_;
    const Tensor values = parameters[i].tensor.detach();
    group.members.push_back(i);
    group.parameters.push_back(values);
    group.exp_avg.push_back(at::zeros_like(values));
    group.exp_avg_sq.push_back(at::zeros_like(values));
    group.steps.push_back(step_);
  }
}

Tensor AdamW::step(std::vector<Tensor>& gradients, double lr) {
  at::NoGradGuard no_grad;
  const Tensor norms_P = at::stack(at::_foreach_norm(gradients, 2));
  const Tensor norm = at::linalg_vector_norm(norms_P);
  const Tensor shrink = (norm / config_.clip).clamp_min(1.0);  // the kernel divides the gradient by this
  const Tensor found_inf = at::isfinite(norm).logical_not().to(at::kFloat);
  step_.add_(1.0 - found_inf);
  for (Group* group : {&decayed_, &plain_}) {
    if (group->members.empty()) continue;
    std::vector<Tensor> own;
    for (const size_t i : group->members) own.push_back(gradients[i]);
    at::_fused_adamw_(group->parameters, own, group->exp_avg, group->exp_avg_sq, {}, group->steps, lr, config_.beta1, config_.beta2,
                      group->weight_decay, config_.eps, /*amsgrad=*/false, /*maximize=*/false, shrink, found_inf);
  }
  return norms_P;
}

TensorMap AdamW::state() const {
  TensorMap state;
  state["step"] = step_;
  for (const Group* group : {&decayed_, &plain_}) {
    for (size_t k = 0; k < group->members.size(); ++k) {
      const std::string& name = parameters_[group->members[k]].name;
      state[name + ".exp_avg"] = group->exp_avg[k];
      state[name + ".exp_avg_sq"] = group->exp_avg_sq[k];
    }
  }
  return state;
}

void AdamW::restore(const TensorMap& saved) {
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
