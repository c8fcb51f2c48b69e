// y = layer_norm(x) (1 + scale) + shift                             (adaLN, Peebles & Xie 2023, section 3.2)
//   x             [B, N, C]  any dtype; normalised over C, no parameters of its own
//   shift, scale  [B, 1, C] or [1, 1, C], same dtype
//   y             [B, N, C]
// Differentiable in all three. Saves x, scale and mean and 1/deviation [B, N] in fp32. CPU kernel: fp32, x contiguous, shift and scale of
// every sample dense, so slices of a fused projection; GPU kernel: row_norm; everything else takes the reference. See docs/log.md for the gain.
#pragma once

#include "torch.h"

namespace ldlm {

Tensor adaln(const Tensor& x_BNC, const Tensor& shift_B1C, const Tensor& scale_B1C, double eps);
Tensor adaln_reference(const Tensor& x_BNC, const Tensor& shift_B1C, const Tensor& scale_B1C, double eps);

}  // namespace ldlm
