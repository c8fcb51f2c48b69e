// What a torch-side launcher of CUDA kernels needs. Included behind LDLM_CUDA only.
#pragma once

#include <ATen/autocast_mode.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "ops/number_type.h"
#include "torch.h"

namespace ldlm {

inline bool has_number_type(const Tensor& t) { return t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16; }

inline NumberType number_type(const Tensor& t) { return t.scalar_type() == at::kFloat ? NumberType::kFloat : NumberType::kBFloat16; }

// Whether 16 bytes at a time can be read from the start of every row; all dimensions but the last may have any stride.
inline bool has_aligned_rows(const Tensor& t) {
  if (t.stride(-1) != 1 || reinterpret_cast<uintptr_t>(t.const_data_ptr()) % 16 != 0) return false;
  for (int64_t d = 0; d + 1 < t.dim(); ++d) {
    if (t.size(d) > 1 && t.stride(d) * t.element_size() % 16 != 0) return false;
  }
  return true;
}

inline bool autocast_to_bf16() { return at::autocast::is_autocast_enabled(at::kCUDA); }

}  // namespace ldlm
