// y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))                 (GELU, tanh form, Hendrycks & Gimpel 2016)
//   x any shape and dtype, y like x, contiguous
// Differentiable. Saves x. CPU kernel: fp32; everything else takes the reference, libtorch's own. See bench/results for the gain.
#pragma once

#include "torch.h"

namespace ldlm {

Tensor gelu_tanh(const Tensor& x);
Tensor gelu_tanh_reference(const Tensor& x);

// gelu_tanh of a linear layer, x [..., I], W [O, I], b [O] or undefined -> [..., O]. On a GPU in bf16 and without a gradient (which would
// need what GELU was given), cuBLASLt applies it before the product leaves the chip: it reads and writes nothing.
Tensor linear_gelu_tanh(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O);

}  // namespace ldlm
