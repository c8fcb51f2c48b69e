// A row (up to a few KB) is in the first-level cache after the first pass, so the traffic is one read of x (and dy) and one write.
#include "ops/adaln/adaln_cpu.h"

#include <cmath>

#include "ops/vector_clones.h"

namespace ldlm {

namespace {
// Each block of rows is summed by itself: adding thousands of rows one by one to one fp32 sum would lose digits.
constexpr int64_t kRowsPerSum = 64;
}  // namespace

LDLM_VECTOR_CLONES
void adaln_forward_rows(const float* x, const float* shift, const float* scale, float* y, float* mean, float* rstd, int64_t rows, int64_t width,
                        float eps) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* const in = x + r * width;
    float* const out = y + r * width;
    float sum = 0, squares = 0;
    for (int64_t i = 0; i < width; ++i) sum += in[i];
    const float centre = sum / static_cast<float>(width);
    // A second pass: the difference of two large sums would lose the digits of a small variance.
    for (int64_t i = 0; i < width; ++i) squares += (in[i] - centre) * (in[i] - centre);
    const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(width) + eps);
    mean[r] = centre;
    rstd[r] = inverse;
    for (int64_t i = 0; i < width; ++i) out[i] = (in[i] - centre) * inverse * (1.0f + scale[i]) + shift[i];
  }
}

// With n the normalised x and g = dy (1 + scale):  dx = rstd (g - mean(g) - n mean(g n)),  dshift = sum of dy,  dscale = sum of dy n
LDLM_VECTOR_CLONES
void adaln_backward_rows(const float* x, const float* __restrict scale, const float* mean, const float* rstd, const float* dy, float* dx,
                         float* dshift, float* dscale, float* sums, int64_t rows, int64_t width) {
  float *const __restrict shift_sum = sums, *const __restrict scale_sum = sums + width;
  for (int64_t begin = 0; begin < rows; begin += kRowsPerSum) {
    for (int64_t i = 0; i < 2 * width; ++i) sums[i] = 0;
    const int64_t end = rows - begin < kRowsPerSum ? rows : begin + kRowsPerSum;
    for (int64_t r = begin; r < end; ++r) {
      const float *const __restrict in = x + r * width, *const __restrict grad = dy + r * width;
      float* const __restrict out = dx + r * width;
      const float centre = mean[r], inverse = rstd[r];
      float sum = 0, dot = 0;
      for (int64_t i = 0; i < width; ++i) {
        const float normed = (in[i] - centre) * inverse, g = grad[i] * (1.0f + scale[i]);
        sum += g;
        dot += g * normed;
      }
      sum /= static_cast<float>(width);
      dot /= static_cast<float>(width);
      for (int64_t i = 0; i < width; ++i) {
        const float normed = (in[i] - centre) * inverse;
        out[i] = inverse * (grad[i] * (1.0f + scale[i]) - sum - normed * dot);
        shift_sum[i] += grad[i];
        scale_sum[i] += grad[i] * normed;
      }
    }
    for (int64_t i = 0; i < width; ++i) dshift[i] += shift_sum[i];
    for (int64_t i = 0; i < width; ++i) dscale[i] += scale_sum[i];
  }
}

}  // namespace ldlm
