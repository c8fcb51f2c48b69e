// The number types that CUDA kernels take, for launchers that know no torch header.
#pragma once

#include <cstdint>

namespace ldlm {

enum class NumberType : uint8_t { kFloat, kBFloat16 };

}  // namespace ldlm
