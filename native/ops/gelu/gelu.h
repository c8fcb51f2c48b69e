// y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))                 (GELU, tanh form, Hendrycks & Gimpel 2016)
//   x any shape and dtype, y like x, contiguous
// Differentiable. Saves x. CPU kernel: fp32; everything else takes the reference, libtorch's own. See bench/results for the gain.
#pragma once

#include "torch.h"

namespace ldlm {

Tensor gelu_tanh(const Tensor& x);
Tensor gelu_tanh_reference(const Tensor& x);

}  // namespace ldlm
