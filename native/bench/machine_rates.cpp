#include "bench/machine_rates.h"

#include "bench/stopwatch.h"
#include "ops/linear/linear.h"

namespace ldlm {

namespace {

struct Product {
  int64_t rows, in, out;
};
// Large and of the networks' own kind; which one a library likes best differs.
constexpr Product kProducts[] = {{1024, 768, 3072}, {1024, 3072, 768}, {2048, 1024, 1024}};
constexpr int64_t kCopied = 128 << 20;  // bytes, far more than any cache

struct Seconds {
  double wall, cpu;
};

// Median seconds of `work`, repeated for `seconds` and at least three times after one that is not counted.
Seconds median_seconds(const at::Device& device, double seconds, const std::function<void()>& work) {
  work();
  synchronize(device);
  std::vector<double> wall, cpu;
  for (double sum = 0; wall.size() < 3 || sum < 1000 * seconds; sum += wall.back()) {
    const double before = cpu_milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    wall.push_back(milliseconds(device, work));
    cpu.push_back(cpu_milliseconds(CLOCK_PROCESS_CPUTIME_ID) - before);
  }
  return {median(wall) / 1000, median(cpu) / 1000};
}

}  // namespace

MachineRates measure_machine_rates(const at::Device& device, at::ScalarType dtype, double seconds) {
  const c10::InferenceMode inference;
  const auto options = at::TensorOptions(device).dtype(dtype);
  const double share = seconds / (2 * std::size(kProducts) + 1);
  MachineRates rates = {0, 0, 0, 0};
  for (const auto& [rows, in, out] : kProducts) {
    const Tensor x = at::full({rows, in}, 0.5, options), weight = at::full({out, in}, 0.25, options);
    const double gflop = 2e-9 * static_cast<double>(rows * in * out);
    const Seconds ours = median_seconds(device, share, [&] { ldlm::linear(x, weight, {}); });
    const Seconds libtorch = median_seconds(device, share, [&] { at::mm(x, weight.t()); });
    rates.linear = std::max(rates.linear, gflop / ours.wall);
    rates.mm = std::max(rates.mm, gflop / libtorch.wall);
    rates.core = std::max(rates.core, gflop / std::min(ours.cpu, libtorch.cpu));
  }
  const Tensor from = at::ones({kCopied}, options.dtype(at::kByte)), to = at::zeros_like(from);
  rates.bandwidth = 2e-9 * static_cast<double>(kCopied) / median_seconds(device, share, [&] { to.copy_(from); }).wall;
  return rates;
}

}  // namespace ldlm
