// How networks show their parameters: one visit() per module serves counting, initialisation, optimiser, EMA and checkpoint.
#pragma once

#include "torch.h"

namespace ldlm {

using ParameterVisitor = std::function<void(const std::string& name, Tensor& parameter)>;

struct NamedParameter {
  std::string name;
  Tensor tensor;
};

// All parameters of `module` in the order of visit(). The tensors are shared with the module.
template <typename Module>
std::vector<NamedParameter> parameters_of(Module& module, const std::string& prefix) {
  std::vector<NamedParameter> found;
  module.visit(prefix, [&](const std::string& name, Tensor& parameter) { found.push_back({name, parameter}); });
  return found;
}

template <typename Module>
int64_t count_parameters(Module& module) {
  int64_t count = 0;
  module.visit("", [&](const std::string&, Tensor& parameter) { count += parameter.numel(); });
  return count;
}

// "a.b" or, at the top, "b".
inline std::string join_name(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

}  // namespace ldlm
