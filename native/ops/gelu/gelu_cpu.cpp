// One read and one write a number; the exponential runs on the vector unit (libmvec), which is what makes this fast.
// (1 + tanh z) / 2 is the logistic function of 2z.
#include "ops/gelu/gelu_cpu.h"

#include <cmath>

#include "ops/vector_clones.h"

namespace ldlm {

namespace {
constexpr float kTwiceRootTwoOverPi = 1.5957691216057308f;
constexpr float kCubic = 0.044715f;

// exp(-2z) at the z of GELU. The exponent stays below overflow: fast-math does not honour infinities.
inline float decay_of(float v) {
  const float exponent = -kTwiceRootTwoOverPi * (v + kCubic * v * v * v);
  return expf(exponent < 80.0f ? exponent : 80.0f);
}

}  // namespace

LDLM_VECTOR_CLONES
void gelu_forward(const float* x, float* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    y[i] = x[i] / (1.0f + decay_of(x[i]));
  }
}

LDLM_VECTOR_CLONES
void gelu_backward(const float* x, const float* dy, float* dx, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float v = x[i];
    const float decay = decay_of(v);
    const float gate = 1.0f / (1.0f + decay);
    const float slope = kTwiceRootTwoOverPi * (1.0f + 3.0f * kCubic * v * v);
    dx[i] = dy[i] * (gate + v * gate * (decay * gate) * slope);  // 1 - gate = decay * gate, without the cancellation
  }
}

}  // namespace ldlm
