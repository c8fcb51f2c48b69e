// y = x + gate f                                                   (the residual of an adaLN block, Peebles & Xie 2023, section 3.2)
//   x, f  [B, N, C]  any dtype      gate  [B, 1, C] or [1, 1, C]      y  [B, N, C]
// Differentiable in all three. libtorch's addcmul; on a GPU kernels of our own: forward with accesses of 16 bytes, backward reading dy and f
// once where autograd's chain passes over them six times. They take fp32 or bf16, dense, width a multiple of 8 and at most 2048.
#pragma once

#include "torch.h"

namespace ldlm {

Tensor gated_add(const Tensor& x_BNC, const Tensor& gate_B1C, const Tensor& f_BNC);
Tensor gated_add_reference(const Tensor& x_BNC, const Tensor& gate_B1C, const Tensor& f_BNC);

}  // namespace ldlm
