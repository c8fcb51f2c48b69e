// y = x W^T + b
//   x [..., I] any float dtype      W [O, I], or a transposed view of [I, O]      b [O] or undefined      y [..., O]
// Differentiable in all three. Saves x and W. On a CPU in fp32 the matrix products are oneDNN's: libtorch's own choice, MKL, takes
// 256-bit vectors on a CPU that Intel did not make, and was half as fast. Without AVX-512 those without a bias whose right operand lies
// transposed, all of the backward pass, are MKL's: there oneDNN is the slow one (docs/log.md has both). They are in bf16 while
// Bf16Products lives on the thread (x and W are then saved in bf16), or where W is bf16 and x fp32, as when sampling; y is fp32 then too.
// Everything else, and a libtorch without oneDNN, takes the reference, at::linear.
#pragma once

#include "torch.h"

namespace ldlm {

// Enabled while it lives, on this thread; with `enabled` false it leaves everything as it is. Products of fp32 tensors on a CPU then round
// their operands and results to bf16, sums within them are fp32; inputs, outputs and gradients stay fp32, and so does every other op.
class Bf16Products {
 public:
  explicit Bf16Products(bool enabled);
  ~Bf16Products();
  Bf16Products(const Bf16Products&) = delete;
  Bf16Products& operator=(const Bf16Products&) = delete;
  // Whether this CPU multiplies bf16 itself (AVX512-BF16), which alone makes it faster.
  static bool supported();

 private:
  bool before_;
};

bool multiplies_in_bf16(const Tensor& x, const Tensor& weight_OI);

Tensor linear(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O);
// The gradient of W, dy^T x, for those who make gradients themselves: dy [M, O], x [M, I] -> [O, I]. Not differentiable.
Tensor weight_gradient(const Tensor& dy_MO, const Tensor& x_MI);
Tensor linear_reference(const Tensor& x, const Tensor& weight_OI, const Tensor& bias_O);

}  // namespace ldlm
