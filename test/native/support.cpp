#include "support.h"

#include <cmath>

namespace ldlm::test {

namespace {

// Every test draws the same numbers, whichever tests ran before it and whatever they drew.
class SeedEveryTest : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { at::manual_seed(0); }
};

const bool seeded = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new SeedEveryTest);
  return true;
}();

// The root mean square, not the largest: of a few numbers the largest error is a matter of luck, and two of them are no measure of each other.
double error(const Tensor& got, const Tensor& exact) { return (got.to(at::kDouble) - exact).square().mean().sqrt().item<double>(); }

}  // namespace

double gradient_error(const std::function<Tensor()>& f, const std::vector<Tensor>& inputs, int64_t probes) {
  const Tensor first = f();
  auto generator = at::detail::createCPUGenerator(1234);
  const Tensor weights = at::randn(first.sizes(), generator, first.options().requires_grad(false));
  const auto objective = [&] { return (f() * weights).sum(); };
  const auto gradients = torch::autograd::grad({objective()}, inputs, {}, /*retain_graph=*/false, /*create_graph=*/false,
                                               /*allow_unused=*/true);
  at::NoGradGuard no_grad;
  double worst = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor flat = inputs[i].view({-1});
    const int64_t stride = std::max<int64_t>(1, flat.numel() / probes);
    for (int64_t k = 0; k < flat.numel(); k += stride) {
      const double value = flat[k].item<double>(), step = 1e-5 * std::max(1.0, std::abs(value));
      flat[k].fill_(value + step);
      const double above = objective().item<double>();
      flat[k].fill_(value - step);
      const double below = objective().item<double>();
      flat[k].fill_(value);
      const double numeric = (above - below) / (2 * step);
      const double exact = gradients[i].defined() ? gradients[i].reshape({-1})[k].item<double>() : 0.0;
      worst = std::max(worst, std::abs(numeric - exact) / std::max(1.0, std::abs(numeric)));
    }
  }
  return worst;
}

// An instrumented loop is not vectorised, so its sums run one after another and lose more digits (at 4 096 terms, 5 times as many were seen).
#if defined(__SANITIZE_ADDRESS__)
constexpr double kSlack = 10;
#else
constexpr double kSlack = 1;
#endif

void expect_as_good_as_reference(const Function& kernel, const Function& reference, const std::vector<Tensor>& inputs, const at::TensorOptions& options) {
  const at::ScalarType dtype = at::typeMetaToScalarType(options.dtype());
  const auto rounded = [&](const Tensor& t) { return t.to(dtype).to(at::kDouble); };  // to what all three can hold
  const auto run = [&](const Function& f, const at::TensorOptions& of_run) {
    std::vector<Tensor> leaves;
    for (const Tensor& input : inputs) leaves.push_back(rounded(input).to(of_run).detach().clone().requires_grad_());
    std::vector<Tensor> results = {f(leaves)};
    auto generator = at::detail::createCPUGenerator(8);
    const Tensor weights = rounded(at::randn(results[0].sizes(), generator, at::TensorOptions(at::kDouble))).to(of_run);
    for (const Tensor& gradient : torch::autograd::grad({(results[0] * weights).sum()}, leaves)) results.push_back(gradient);
    for (Tensor& result : results) result = result.detach().to(at::kCPU, at::kDouble);
    return results;
  };
  const auto exact = run(reference, at::TensorOptions(at::kDouble)), ours = run(kernel, options), theirs = run(reference, options);
  for (size_t i = 0; i < exact.size(); ++i) {
    const double allowed = kSlack * ((i == 0 ? 2 : 3) * error(theirs[i], exact[i]) + 2e-6);
    EXPECT_LE(error(ours[i], exact[i]), allowed) << "result " << i << " of " << inputs[0].sizes() << " in " << dtype;
  }
}

}  // namespace ldlm::test
