// Training in bf16 where that is safe; parameters, losses and the optimiser stay fp32. On a GPU libtorch's autocast decides where, on a CPU
// it is the products of linear layers alone: nothing else gains there.
#pragma once

#include <ATen/autocast_mode.h>

#include "ops/linear/linear.h"

namespace ldlm {

// Enabled while it lives, on this thread; with `enabled` false it leaves everything as it is.
class Autocast {
 public:
  explicit Autocast(bool enabled) : enabled_(enabled), products_(enabled) {
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
  Bf16Products products_;
};

}  // namespace ldlm
