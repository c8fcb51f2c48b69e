// Gradients, or other sums, of a batch that is cut into parts. On a CPU the parts run at the same time, one core each, with single-threaded
// operators inside: at small widths that scales where threads inside an operator do not. What the parts give is added in
// their order, so the result is bitwise the same for any number of cores. On a GPU the parts run one after another, which is
// gradient accumulation.
#pragma once

#include "torch.h"

namespace ldlm {

// Calls `of_part` for every part and returns the sums of its tensors over the parts.
std::vector<Tensor> sum_over_parts(int64_t parts, const at::Device& device, const std::function<std::vector<Tensor>(int64_t part)>& of_part);

// d loss / d parameters; zeros where the loss does not depend on a parameter.
std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& parameters);

}  // namespace ldlm
