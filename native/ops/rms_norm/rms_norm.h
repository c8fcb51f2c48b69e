// y = x / sqrt(mean(x^2) + eps) * gain                              (RMSNorm, Zhang & Sennrich 2019)
//   x     [..., C]  any dtype; normalised over the last dimension
//   gain  [C]       same dtype, or undefined for none
//   y     like x, contiguous
// Differentiable in both. Saves x, gain and 1/rms [rows] in fp32. CPU kernel: fp32, last dimension dense; GPU kernel:
// row_norm; everything else takes the reference. libtorch's CPU path is a chain of eight operators: see bench/results for the gain.
#pragma once

#include "torch.h"

namespace ldlm {

Tensor rms_norm(const Tensor& x, const Tensor& gain, double eps);
Tensor rms_norm_reference(const Tensor& x, const Tensor& gain, double eps);

}  // namespace ldlm
