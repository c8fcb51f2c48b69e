// Whether autograd has to know of an operation. Where it does not (sampling), an op calls its kernel directly: making a node that
// nobody will visit costs microseconds, as much as a kernel on one sample.
#pragma once

#include "torch.h"

namespace ldlm {

inline bool wants_gradient(std::initializer_list<std::reference_wrapper<const Tensor>> inputs) {
  if (!at::GradMode::is_enabled()) return false;
  for (const Tensor& input : inputs) {
    if (input.defined() && input.requires_grad()) return true;
  }
  return false;
}

}  // namespace ldlm
