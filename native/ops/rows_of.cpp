#include "ops/rows_of.h"

namespace ldlm {

std::optional<StridedRows> rows_of(const Tensor& x) {
  const int64_t width = x.size(-1);
  if (x.is_contiguous()) {
    const int64_t inner = x.dim() == 4 ? x.size(2) : 1;
    return StridedRows{x.numel() / (inner * width), inner, width, inner * width};
  }
  if (x.dim() == 4 && x.stride(3) == 1 && x.stride(2) == width && x.stride(0) == x.size(1) * x.stride(1)) {
    return StridedRows{x.size(0) * x.size(1), x.size(2), width, x.stride(1)};
  }
  if (x.dim() == 3 && x.stride(2) == 1 && x.stride(0) == x.size(1) * x.stride(1)) return StridedRows{x.size(0) * x.size(1), 1, width, x.stride(1)};
  return std::nullopt;
}

}  // namespace ldlm
