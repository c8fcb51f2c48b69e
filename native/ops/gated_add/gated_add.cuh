// Launchers of the kernels of gated_add.h. Limit: memory bandwidth; forward x and f read and y written once, backward dy, f and df.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "ops/number_type.h"

namespace ldlm {

struct GatedAdd {
  int64_t samples, rows, width, gate_stride;
  NumberType type;  // of everything
  const void *gate, *f;
};

constexpr int64_t kGatedAddWidest = 2048;

// y = x + gate f; x, f and y are [samples, rows, width], gate is [samples, width].
cudaError_t launch_gated_add_forward(const GatedAdd& op, const void* x, void* y, cudaStream_t stream);

// How many parts the rows of a sample are summed in.
int64_t gated_add_parts(const GatedAdd& op);

// df = gate dy [samples, rows, width]; sums [parts, samples, width] fp32, of dy f.
cudaError_t launch_gated_add_backward(const GatedAdd& op, const void* dy, void* df, float* sums, cudaStream_t stream);

}  // namespace ldlm
