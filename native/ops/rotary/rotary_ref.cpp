#include "ops/rotary/rotary.h"

namespace ldlm {

Tensor rotary_reference(const Tensor& x_BLHd, const Tensor& cos, const Tensor& sin) {
  const auto halves = x_BLHd.chunk(2, -1);
  const Tensor c = cos.to(x_BLHd.scalar_type()).unsqueeze(1), s = sin.to(x_BLHd.scalar_type()).unsqueeze(1);  // [L, 1, d/2]
  return at::cat({halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1);
}

}  // namespace ldlm
