// Launcher of the CUDA kernel of philox.h. Raw pointers only: no torch header.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace ldlm {

// out [rows, width] fp32. Allocates nothing, does not synchronise.
cudaError_t launch_philox_normal(float* out, int64_t rows, int64_t width, uint64_t seed, uint32_t purpose, uint32_t step,
                                 uint32_t first_row, cudaStream_t stream);

}  // namespace ldlm
