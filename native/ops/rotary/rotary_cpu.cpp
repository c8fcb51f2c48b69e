// One read and one write of x; the tables stay in the first-level cache.
#include "ops/rotary/rotary_cpu.h"

#include "ops/vector_clones.h"

namespace ldlm {

LDLM_VECTOR_CLONES
void rotary_rows(const float* x, const float* cos, const float* sin, float* y, StridedRows rows, int64_t length, float direction, int64_t begin,
                 int64_t end) {
  const int64_t half = rows.width / 2;
  for (int64_t r = begin; r < end; ++r) {
    const float *const c = cos + (r % length) * half, *const s = sin + (r % length) * half;
    for (int64_t k = 0; k < rows.inner; ++k) {
      const float* const in = x + r * rows.outer_stride + k * rows.width;
      float* const out = y + (r * rows.inner + k) * rows.width;
      for (int64_t i = 0; i < half; ++i) {
        const float turned = direction * s[i];
        out[i] = in[i] * c[i] - in[half + i] * turned;
        out[half + i] = in[half + i] * c[i] + in[i] * turned;
      }
    }
  }
}

}  // namespace ldlm
