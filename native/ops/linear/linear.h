// y = x W^T + b
//   x [..., I] any float dtype      W [O, I], or a transposed view of [I, O]      b [O] or undefined      y [..., O]
// Differentiable in all three. Saves x and W. On a CPU in fp32 the matrix products, forward and backward, are oneDNN's: libtorch's
// own choice, MKL, takes 256-bit vectors on a CPU that Intel did not make, and was half as fast (docs/log.md).
// Everything else, and a libtorch without oneDNN, takes the reference, at::linear.
#pragma once

#include "torch.h"

namespace ldlm {

Tensor linear(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O);
// The gradient of W, dy^T x, for those who make gradients themselves: dy [M, O], x [M, I] -> [O, I]. Not differentiable.
Tensor weight_gradient(const Tensor& dy_MO, const Tensor& x_MI);
Tensor linear_reference(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O);

}  // namespace ldlm
