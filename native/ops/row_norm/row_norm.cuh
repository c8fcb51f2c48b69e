// y = (x - mean) rstd a + b in every row: layer norm with a = 1 + scale and b = shift of the row's sample (adaln), or RMS norm with mean 0,
// a = gain and no b (rms_norm). A warp has a row in its registers. Limits: memory bandwidth, x read and y written once; backward, x and dy
// read and dx written once. Sums over rows are made a block at a time and added by the caller, so they do not depend on the order of blocks.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "ops/number_type.h"

namespace ldlm {

struct RowNorm {
  int64_t samples, rows, width;        // rows of a sample; width a multiple of 8, at most kRowNormWidest
  int64_t shift_stride, scale_stride;  // numbers between the vectors of two samples; 0: all share one
  float eps;
  bool centered;                       // adaln; else RMS norm
  NumberType in, out, vectors;         // of x and dx; of y and dy; of shift and scale
  const void *x, *shift, *scale;       // scale null: no gain
};

constexpr int64_t kRowNormWidest = 2048;

// y [samples, rows, width]; mean (centered only) and rstd [samples, rows], or null where no gradient is wanted.
cudaError_t launch_row_norm_forward(const RowNorm& norm, void* y, float* mean, float* rstd, cudaStream_t stream);

// How many parts the rows of a sample are summed in.
int64_t row_norm_parts(const RowNorm& norm);

// dx like x; sums [parts, samples, 2, width] fp32: of dy, then of dy (x - mean) rstd.
cudaError_t launch_row_norm_backward(const RowNorm& norm, const void* dy, const float* mean, const float* rstd, void* dx, float* sums,
                                     cudaStream_t stream);

}  // namespace ldlm
