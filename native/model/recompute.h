// Activation recomputation (Chen et al. 2016, arXiv 1604.06174): of a block only the inputs are kept, and the backward pass runs it again.
// One more forward pass of the blocks, with the same bits, for the memory of one block instead of all.
#pragma once

#include "model/parameters.h"

namespace ldlm {

// While one lives, blocks on this thread recompute; with `enabled` false it leaves everything as it is.
class Recompute {
 public:
  explicit Recompute(bool enabled);
  ~Recompute();
  Recompute(const Recompute&) = delete;
  Recompute& operator=(const Recompute&) = delete;
  static bool enabled();

 private:
  bool before_;
};

using BlockCall = std::function<Tensor(const std::vector<Tensor>& inputs)>;

// call(inputs), recomputed. `parameters` are the leaves inside `call` that want a gradient.
Tensor recomputed(BlockCall call, const std::vector<Tensor>& inputs, const std::vector<NamedParameter>& parameters);

// call(block, inputs), recomputed where a Recompute lives and a gradient is wanted.
template <typename Block, typename Call>
Tensor run_block(const Block& block, const std::vector<Tensor>& inputs, Call call) {
  if (!Recompute::enabled() || !at::GradMode::is_enabled()) return call(block, inputs);
  Block shared = block;  // its tensors are the same
  const std::vector<NamedParameter> parameters = parameters_of(shared, "");
  return recomputed([shared = std::move(shared), call](const std::vector<Tensor>& in) { return call(shared, in); }, inputs, parameters);
}

}  // namespace ldlm
