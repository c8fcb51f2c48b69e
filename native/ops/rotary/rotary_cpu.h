// Raw-pointer CPU kernel of rotary.h. No torch header: compiled with fast-math for the vector units found at run time.
#pragma once

#include "ops/strided_rows.h"

namespace ldlm {

// y dense. An outer row r is at position r % length of the tables [length, width / 2]. direction 1 turns, -1 turns back.
void rotary_rows(const float* x, const float* cos, const float* sin, float* y, StridedRows rows, int64_t length, float direction, int64_t begin,
                 int64_t end);

}  // namespace ldlm
