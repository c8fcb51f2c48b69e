// Launcher of the backward kernel of gated_add.h. Limit: memory bandwidth, dy and f read and df written once.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "ops/number_type.h"

namespace ldlm {

struct GatedAdd {
  int64_t samples, rows, width, gate_stride;
  NumberType type;  // of everything
  const void *gate, *f, *dy;
};

constexpr int64_t kGatedAddWidest = 2048;

// How many parts the rows of a sample are summed in.
int64_t gated_add_parts(const GatedAdd& op);

// df = gate dy [samples, rows, width]; sums [parts, samples, width] fp32, of dy f.
cudaError_t launch_gated_add_backward(const GatedAdd& op, void* df, float* sums, cudaStream_t stream);

}  // namespace ldlm
