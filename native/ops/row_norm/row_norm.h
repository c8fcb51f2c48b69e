// The CUDA kernels behind adaln.h and rms_norm.h: a norm of every row, then a factor and a shift of its sample. Nothing comes back from a
// build without CUDA, or where the kernel does not fit: fp32 or bf16, width a multiple of 8 and at most 2048, rows dense. Under autocast
// the result is bf16, what the matrix product behind it takes; a norm without a gain keeps its type.
#pragma once

#include "torch.h"

namespace ldlm {

std::optional<Tensor> adaln_cuda(const Tensor& x_BNC, const Tensor& shift_B1C, const Tensor& scale_B1C, double eps);
std::optional<Tensor> rms_norm_cuda(const Tensor& x, const Tensor& gain_C, double eps);

}  // namespace ldlm
