// A loss or a gradient that is not finite: the training diverged, and nothing else is broken. Reaches JavaScript as ERR_LDLM_DIVERGED.
#pragma once

#include <c10/util/StringUtil.h>

#include <cmath>
#include <stdexcept>
#include <string>

namespace ldlm {

struct DivergedError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline std::string at_step(int64_t step) { return c10::str("at step ", step, "; the parameters were left as before this step"); }

// Throws DivergedError "the WHAT must be finite, got VALUE WHEN. REMEDY" unless `value` is finite. The text of `what` is put together only
// then: every step asks for every parameter.
template <typename... What>
void require_finite(double value, const std::string& when, const char* remedy, const What&... what) {
  if (std::isfinite(value)) return;
  throw DivergedError(c10::str("the ", what..., " must be finite, got ", std::isnan(value) ? "nan" : "infinity", " ", when, ". ", remedy));
}

}  // namespace ldlm
