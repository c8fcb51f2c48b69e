#include "bench/machine_rates.h"

#include "bench/stopwatch.h"
#include "ops/linear/linear.h"

namespace ldlm {

namespace {

struct Product {
  int64_t rows, in, out;
};
// What a machine is measured with. Products are large and of the networks' own kind; which one a library likes best differs. A GPU's take
// less time than starting one, so many are started at once; and it is faster on constant numbers than on data, by a tenth.
struct Load {
  std::vector<Product> products;
  int64_t copied;    // bytes, far more than any cache
  int64_t together;  // repeats between two looks at the clock
};
const Load kCpuLoad = {{{1024, 768, 3072}, {1024, 3072, 768}, {2048, 1024, 1024}}, 128 << 20, 1};
const Load kGpuLoad = {{{65536, 768, 3072}, {65536, 3072, 768}, {8192, 8192, 8192}}, int64_t{1} << 30, 10};

struct Seconds {
  double wall, cpu;
};

// Median seconds of `work`, repeated for `seconds` and at least three times after one that is not counted, `together` times between two
// looks at the clock.
Seconds median_seconds(const at::Device& device, double seconds, int64_t together, const std::function<void()>& once) {
  const auto work = [&] {
    for (int64_t i = 0; i < together; ++i) once();
  };
  work();
  synchronize(device);
  std::vector<double> wall, cpu;
  for (double sum = 0; wall.size() < 3 || sum < 1000 * seconds; sum += wall.back()) {
    const double before = cpu_milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    wall.push_back(milliseconds(device, work));
    cpu.push_back(cpu_milliseconds(CLOCK_PROCESS_CPUTIME_ID) - before);
  }
  const double milliseconds_each = 1000 * static_cast<double>(together);
  return {median(wall) / milliseconds_each, median(cpu) / milliseconds_each};
}

}  // namespace

MachineRates measure_machine_rates(const at::Device& device, at::ScalarType dtype, double seconds) {
  const c10::InferenceMode inference;
  const auto options = at::TensorOptions(device).dtype(dtype);
  const Load& load = device.is_cpu() ? kCpuLoad : kGpuLoad;
  const double share = seconds / static_cast<double>(2 * load.products.size() + 1);
  const auto time_of = [&](const std::function<void()>& work) { return median_seconds(device, share, load.together, work); };
  MachineRates rates = {0, 0, 0, 0};
  for (const auto& [rows, in, out] : load.products) {
    const Tensor x = at::randn({rows, in}, options), weight = at::randn({out, in}, options);
    const double gflop = 2e-9 * static_cast<double>(rows * in * out);
    const Seconds ours = time_of([&] { ldlm::linear(x, weight, {}); });
    const Seconds libtorch = time_of([&] { at::mm(x, weight.t()); });
    rates.linear = std::max(rates.linear, gflop / ours.wall);
    rates.mm = std::max(rates.mm, gflop / libtorch.wall);
    rates.core = std::max(rates.core, gflop / std::min(ours.cpu, libtorch.cpu));
  }
  const Tensor from = at::ones({load.copied}, options.dtype(at::kByte)), to = at::zeros_like(from);
  rates.bandwidth = 2e-9 * static_cast<double>(load.copied) / time_of([&] { to.copy_(from); }).wall;
  return rates;
}

}  // namespace ldlm
