#include "train/data_parallel.h"

#include <exception>

namespace ldlm {

std::vector<Tensor> sum_over_parts(int64_t parts, const at::Device& device, const std::function<std::vector<Tensor>(int64_t part)>& of_part) {
  std::vector<Tensor> sum;
  const auto add = [&](std::vector<Tensor>&& tensors) {
    if (sum.empty()) {
      sum = std::move(tensors);
    } else {
      at::NoGradGuard no_grad;
      at::_foreach_add_(sum, tensors);
    }
  };
  if (!device.is_cpu() || parts == 1) {
    for (int64_t part = 0; part < parts; ++part) add(of_part(part));
    return sum;
  }
  std::vector<std::vector<Tensor>> results(static_cast<size_t>(parts));
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    // Grad mode is thread-local, and a worker of the pool may have been left without it.
    const c10::AutoGradMode with_gradients(true);
    for (int64_t part = begin; part < end; ++part) results[static_cast<size_t>(part)] = of_part(part);
  });
  for (auto& result : results) add(std::move(result));
  return sum;
}

std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& parameters) {
  std::vector<Tensor> found = torch::autograd::grad({loss}, parameters, {}, /*retain_graph=*/false, /*create_graph=*/false,
                                                    /*allow_unused=*/true);
  for (size_t i = 0; i < found.size(); ++i) {
    found[i] = found[i].defined() ? found[i].contiguous() : at::zeros_like(parameters[i]);
  }
  return found;
}

}  // namespace ldlm
