// Names for the profiler (native/bench/profiler.h) of what libtorch does not see: our kernels and modules. When nobody listens, a name
// costs one look at a thread-local variable.
#pragma once

#include <ATen/record_function.h>

namespace ldlm {

// Everything until the end of the block is the op `name`, a literal. `flops` are those that no libtorch operator inside does.
class RecordedOp {
 public:
  explicit RecordedOp(const char* name, double flops = 0) : RecordedOp(name, flops, at::RecordScope::FUNCTION) {}

 protected:
  RecordedOp(const char* name, double flops, at::RecordScope scope) : guard_(scope) {
    if (!guard_.isActive()) return;
    const c10::IValue input(flops);
    guard_.before(name, c10::ArrayRef<const c10::IValue>(&input, 1));
  }

 private:
  at::RecordFunction guard_;
};

// Everything until the end of the block, and its backward pass, belongs to the module `name`, a literal.
class RecordedModule : public RecordedOp {
 public:
  explicit RecordedModule(const char* name) : RecordedOp(name, 0, at::RecordScope::USER_SCOPE) {}
};

}  // namespace ldlm
