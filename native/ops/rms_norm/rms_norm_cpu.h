// Raw-pointer CPU kernels of rms_norm.h. No torch header: compiled with fast-math for the vector units found at run time.
#pragma once

#include "ops/strided_rows.h"

namespace ldlm {

// y dense; rstd [outer * inner]; gain [width] or null. Outer rows begin ... end - 1.
void rms_norm_forward_rows(const float* x, const float* gain, float* y, float* rstd, StridedRows rows, float eps, int64_t begin, int64_t end);

// dy and dx dense; dgain [width] is added to, or null.
void rms_norm_backward_rows(const float* x, const float* gain, const float* rstd, const float* dy, float* dx, float* dgain, StridedRows rows,
                            int64_t begin, int64_t end);

}  // namespace ldlm
