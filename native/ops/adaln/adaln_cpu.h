// Raw-pointer CPU kernels of adaln.h, for the rows of one sample. No torch header: compiled with fast-math for the vector units found at
// run time.
#pragma once

#include <cstdint>

namespace ldlm {

// x, y [rows, width]; shift, scale [width]; mean, rstd [rows].
void adaln_forward_rows(const float* x, const float* shift, const float* scale, float* y, float* mean, float* rstd, int64_t rows, int64_t width,
                        float eps);

// dx [rows, width]; dshift, dscale [width] are zero before; sums [2, width] is scratch.
void adaln_backward_rows(const float* x, const float* scale, const float* mean, const float* rstd, const float* dy, float* dx, float* dshift,
                         float* dscale, float* sums, int64_t rows, int64_t width);

}  // namespace ldlm
