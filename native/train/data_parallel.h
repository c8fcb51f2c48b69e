// Gradients of a batch that is cut into parts. On a CPU the parts run at the same time, one core each, with single-threaded
// operators inside: at small widths that scales where threads inside an operator do not. The parts' gradients are added in
// their order, so the result is bitwise the same for any number of cores. On a GPU the parts run one after another, which is
// gradient accumulation.
#pragma once

#include "torch.h"

namespace ldlm {

// Calls `gradients_of(part)` for every part and returns the sums over the parts.
std::vector<Tensor> sum_of_gradients(int64_t parts, const at::Device& device,
                                     const std::function<std::vector<Tensor>(int64_t part)>& gradients_of);

// d loss / d parameters; zeros where the loss does not depend on a parameter.
std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& parameters);

}  // namespace ldlm
