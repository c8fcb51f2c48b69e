// Floating point operations of one call of a libtorch operator, a multiplication and an addition being two: matrix products and
// attention. 0 for every other operator, whose work is not in its arithmetic.
#pragma once

#include "torch.h"

namespace ldlm {

double op_flops(const std::string& name, c10::ArrayRef<const c10::IValue> inputs);

}  // namespace ldlm
