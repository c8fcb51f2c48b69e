#include "generate/denoiser_graph.h"

#include "ops/fast_paths.h"
#ifdef LDLM_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace ldlm {

namespace {

DitCondition map_condition(const DitCondition& condition, const std::function<Tensor(const Tensor&)>& f) {
  const auto all = [&](const std::vector<Tensor>& tensors) {
    std::vector<Tensor> mapped;
    for (const Tensor& t : tensors) mapped.push_back(f(t));
    return mapped;
  };
  DitCondition mapped;
  for (const auto& block : condition.blocks) mapped.blocks.push_back(all(block));
  mapped.output = all(condition.output);
  mapped.skip = all(condition.skip);
  if (condition.place.defined()) mapped.place = f(condition.place);
  return mapped;
}

}  // namespace

Tensor joined(const DitCondition& conditions) {
  std::vector<Tensor> vectors;
  map_condition(conditions, [&](const Tensor& t) { return vectors.emplace_back(t.flatten(1).unsqueeze(1)); });
  return at::cat(vectors, -1);
}

DitCondition taken_apart(const Tensor& vectors_S1T, const DitCondition& like) {
  int64_t first = 0;
  return map_condition(like, [&](const Tensor& t) {
    const int64_t width = t.size(1) * t.size(2);
    first += width;
    return vectors_S1T.narrow(-1, first - width, width).unflatten(-1, {t.size(1), t.size(2)}).squeeze(1);
  });
}

#ifdef LDLM_CUDA

// Inputs and output of a graph lie where they lay when it was recorded.
class DenoiserGraph {
 public:
  DenoiserGraph(const DiT& dit, const Tensor& x_BND, const DitCondition& conditions)
      : x_(at::zeros_like(x_BND)), self_condition_(at::zeros_like(x_BND)), vectors_(joined(conditions).narrow(0, 0, 1).clone()) {
    const c10::cuda::CUDAGuard device(x_.device());
    const DitCondition own = taken_apart(vectors_, conditions);
    c10::cuda::device_synchronize();  // once per graph: what was just written must be there for another stream
    const c10::cuda::CUDAStreamGuard stream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, x_.device().index()));
    for (int warm_up = 0; warm_up < 2; ++warm_up) dit(x_, own, self_condition_);  // libraries choose their kernels, and allocate
    graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    try {
      output_ = dit(x_, own, self_condition_);
    } catch (...) {
      end_failed_capture();
      throw;
    }
    graph_.capture_end();
    c10::cuda::device_synchronize();
  }

  Tensor operator()(const Tensor& x_BND, const Tensor& condition_11T, const Tensor& self_condition_BND) {
    x_.copy_(x_BND);
    self_condition_.copy_(self_condition_BND);
    vectors_.copy_(condition_11T);
    graph_.replay();
    return output_.clone();
  }

 private:
  // A stream that is left recording, and an allocator that believes it, would fail whatever comes next.
  void end_failed_capture() {
    try {
      graph_.capture_end();
    } catch (const c10::Error&) {
      // The recording is broken; the first error is the one to tell.
    }
  }

  Tensor x_, self_condition_, vectors_, output_;
  at::cuda::CUDAGraph graph_;
};

std::shared_ptr<DenoiserGraph> DenoiserGraphs::of(const DiT& dit, int64_t count, int64_t latents, const DitCondition& conditions) {
  const Tensor& weight = dit.output.weight;  // [D, C]
  if (!weight.is_cuda() || !fast_paths()) return nullptr;
  const auto found = graphs_.find(count);
  if (found != graphs_.end()) return found->second;
  if (graphs_.size() >= kMost) graphs_.clear();
  const Tensor x = at::zeros({count, latents, weight.size(0)}, weight.options().dtype(at::kFloat));
  return graphs_[count] = std::make_shared<DenoiserGraph>(dit, x, conditions);
}

Tensor run_graph(DenoiserGraph& graph, const Tensor& x_BND, const Tensor& condition_11T, const Tensor& self_condition_BND) {
  return graph(x_BND, condition_11T, self_condition_BND);
}

#else

class DenoiserGraph {};

std::shared_ptr<DenoiserGraph> DenoiserGraphs::of(const DiT&, int64_t, int64_t, const DitCondition&) { return nullptr; }

Tensor run_graph(DenoiserGraph&, const Tensor&, const Tensor&, const Tensor&) { TORCH_CHECK(false, "a graph needs a build with CUDA"); }

#endif

}  // namespace ldlm
