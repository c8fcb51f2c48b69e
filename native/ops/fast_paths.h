// The switch that turns all kernels off: with LDLM_REFERENCE_OPS=1 every op takes its reference. For comparing, and for finding out
// whether a kernel is to blame. Read once; slower, and equal within rounding (test/e2e/63.reference_ops.test.ts).
#pragma once

#include <cstdlib>
#include <string_view>

namespace ldlm {

inline bool fast_paths() {
  static const bool on = [] {
    const char* value = std::getenv("LDLM_REFERENCE_OPS");
    return value == nullptr || std::string_view(value) != "1";
  }();
  return on;
}

}  // namespace ldlm
