// (y_i, y_{i + d/2}) = (x_i cos - x_{i + d/2} sin,  x_{i + d/2} cos + x_i sin)             (RoPE, Su et al. 2021)
//   x         [B, L, heads, d], any dtype          cos, sin  [L, d/2], cast to x's dtype; they have no gradient
//   y         like x, contiguous
// Differentiable in x. Saves cos and sin: the gradient turns back. CPU kernel: fp32, x dense or a slice of a fused projection; everything
// else takes the reference, seven operators. See docs/log.md for the gain.
#pragma once

#include "torch.h"

namespace ldlm {

Tensor rotary(const Tensor& x_BLHd, const Tensor& cos, const Tensor& sin);
Tensor rotary_reference(const Tensor& x_BLHd, const Tensor& cos, const Tensor& sin);

}  // namespace ldlm
