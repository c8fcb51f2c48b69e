// Rows [outer, inner, width] in memory: the inner ones lie side by side, the outer ones `outer_stride` numbers apart. No torch header.
#pragma once

#include <cstdint>

namespace ldlm {

struct StridedRows {
  int64_t outer, inner, width, outer_stride;
};

}  // namespace ldlm
