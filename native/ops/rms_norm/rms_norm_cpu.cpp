// One pass over a row for the sum of squares, one to write: the row (up to a few KB) is in the first-level cache the second time, so the
// traffic is one read and one write of x.
#include "ops/rms_norm/rms_norm_cpu.h"

#include <cmath>

#include "ops/vector_clones.h"

namespace ldlm {

LDLM_VECTOR_CLONES
void rms_norm_forward_rows(const float* x, const float* gain, float* y, float* rstd, StridedRows rows, float eps, int64_t begin,
                           int64_t end) {
  const int64_t width = rows.width;
  for (int64_t r = begin * rows.inner; r < end * rows.inner; ++r) {
    const float* const in = x + (r / rows.inner) * rows.outer_stride + (r % rows.inner) * width;
    float* const out = y + r * width;
    float sum = 0;
    for (int64_t i = 0; i < width; ++i) sum += in[i] * in[i];
    const float scale = 1.0f / std::sqrt(sum / static_cast<float>(width) + eps);
    rstd[r] = scale;
    if (gain) {
      for (int64_t i = 0; i < width; ++i) out[i] = in[i] * scale * gain[i];
    } else {
      for (int64_t i = 0; i < width; ++i) out[i] = in[i] * scale;
    }
  }
}

// dx = rstd (g dy - x rstd^2 mean(g dy x)),  dgain = sum over rows of dy x rstd
LDLM_VECTOR_CLONES
void rms_norm_backward_rows(const float* x, const float* gain, const float* rstd, const float* dy, float* dx, float* dgain, StridedRows rows,
                            int64_t begin, int64_t end) {
  const int64_t width = rows.width;
  for (int64_t r = begin * rows.inner; r < end * rows.inner; ++r) {
    const float* const in = x + (r / rows.inner) * rows.outer_stride + (r % rows.inner) * width;
    const float* const grad = dy + r * width;
    float* const out = dx + r * width;
    const float scale = rstd[r];
    float dot = 0;
    if (gain) {
      for (int64_t i = 0; i < width; ++i) dot += grad[i] * gain[i] * in[i];
    } else {
      for (int64_t i = 0; i < width; ++i) dot += grad[i] * in[i];
    }
    const float pull = dot * scale * scale * scale / static_cast<float>(width);
    if (gain) {
      for (int64_t i = 0; i < width; ++i) out[i] = grad[i] * gain[i] * scale - in[i] * pull;
    } else {
      for (int64_t i = 0; i < width; ++i) out[i] = grad[i] * scale - in[i] * pull;
    }
    if (dgain) {
      for (int64_t i = 0; i < width; ++i) dgain[i] += grad[i] * in[i] * scale;
    }
  }
}

}  // namespace ldlm
