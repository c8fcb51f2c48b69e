// Forward passes on a GPU in bf16 where that is safe; parameters, losses and the optimiser stay fp32.
#pragma once

#include <ATen/autocast_mode.h>

#include "torch.h"

namespace ldlm {

// Enabled while it lives, on this thread; with `enabled` false it leaves everything as it is.
class Autocast {
 public:
  explicit Autocast(bool enabled) : enabled_(enabled) {
    if (!enabled_) return;
    at::autocast::set_autocast_enabled(at::kCUDA, true);
    at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
    at::autocast::increment_nesting();
  }
  ~Autocast() {
    if (!enabled_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCUDA, false);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool enabled_;
};

}  // namespace ldlm
