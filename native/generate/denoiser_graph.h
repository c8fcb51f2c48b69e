// The denoiser on a GPU as a CUDA graph: recorded once per number of samples, then started by one call an evaluation. At one sample the
// hundred-odd kernels of an evaluation take less time than starting them one by one.
#pragma once

#include <map>

#include "model/dit.h"

namespace ldlm {

class DenoiserGraph;

// Those of one model, by number of samples. Empty in a build without CUDA.
class DenoiserGraphs {
 public:
  // How many stay: each keeps the activations of an evaluation.
  static constexpr size_t kMost = 4;

  // The graph for `count` samples, recorded now if it is not there; null where there is none: on a CPU, or with kernels switched off.
  // `conditions`: as long as those that will come.
  std::shared_ptr<DenoiserGraph> of(const DiT& dit, int64_t count, int64_t latents, const DitCondition& conditions);

 private:
  std::map<int64_t, std::shared_ptr<DenoiserGraph>> graphs_;
};

// Conditions of S times as a graph takes them, all vectors of a time side by side: [S, 1, T], T the sum of their widths. And back, as views.
Tensor joined(const DitCondition& conditions);
DitCondition taken_apart(const Tensor& vectors_S1T, const DitCondition& like);

// z0_hat [B, N, D] fp32 as DiT would compute it, in memory that the next call does not write. `condition`: of one time.
Tensor run_graph(DenoiserGraph& graph, const Tensor& x_BND, const Tensor& condition_11T, const Tensor& self_condition_BND);

}  // namespace ldlm
