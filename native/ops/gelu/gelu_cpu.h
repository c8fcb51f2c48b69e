// Raw-pointer CPU kernels of gelu.h. No torch header: compiled with fast-math for the vector units found at run time.
#pragma once

#include <cstdint>

namespace ldlm {

void gelu_forward(const float* x, float* y, int64_t count);
void gelu_backward(const float* x, const float* dy, float* dx, int64_t count);

}  // namespace ldlm
