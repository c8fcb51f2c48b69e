#include "train/muon.h"

#include <cmath>

#include "ops/linear/linear.h"

namespace ldlm {

namespace {

constexpr int kIterations = 5;
// Jordan's coefficients: the steepest rise at 0 for which values near 1 stay near 1.
constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;

Tensor iterated(Tensor x) {
  for (int i = 0; i < kIterations; ++i) {
    const Tensor square = ldlm::linear(x, x, {});                                          // x x^T
    const Tensor polynomial = ldlm::linear(square, square, {}).mul_(kC).add_(square, kB);  // square is symmetric
    x = ldlm::linear(polynomial, x.t(), {}).add_(x, kA);
  }
  return x;
}

// The same on squares alone: an iterate is a polynomial of G = x x^T times x, and such polynomials are symmetric and commute. For x [R, 4 R] five
// ninths of the arithmetic; in bf16 G would lose the small singular values.
Tensor iterated_on_gram_matrix(const Tensor& x) {
  Tensor gram = ldlm::linear(x, x, {}), product;
  for (int i = 0; i < kIterations; ++i) {
    Tensor factor = ldlm::linear(gram, gram, {}).mul_(kC).add_(gram, kB);
    factor.diagonal().add_(kA);
    product = product.defined() ? ldlm::linear(product, factor, {}) : factor;
    if (i + 1 < kIterations) gram = ldlm::linear(ldlm::linear(gram, factor, {}), factor, {});
  }
  return ldlm::linear(product, x.t(), {});
}

}  // namespace

Tensor orthogonalized(const Tensor& matrix) {
  const bool tall = matrix.size(0) > matrix.size(1);
  Tensor x = tall ? matrix.t().contiguous() : matrix;  // the short side in front: the products are [short, short]
  x = x / at::linalg_vector_norm(x).clamp_min(1e-12);
  if (x.is_cuda()) x = x.to(at::kBFloat16);
  x = x.is_cpu() && x.size(1) >= 2 * x.size(0) ? iterated_on_gram_matrix(x) : iterated(x);
  return (tall ? x.t() : x).to(matrix.scalar_type());
}

void muon_update(const Tensor& parameter_RC, const Tensor& gradient_RC, const Tensor& momentum_RC, double momentum, const Tensor& lr, double weight_decay) {
  momentum_RC.lerp_(gradient_RC, 1 - momentum);
  const Tensor direction = orthogonalized(gradient_RC.lerp(momentum_RC, momentum));
  const double longest = static_cast<double>(std::max(parameter_RC.size(0), parameter_RC.size(1)));
  parameter_RC.mul_(1 - lr * weight_decay).sub_(direction.mul_(lr * (0.2 * std::sqrt(longest))));
}

}  // namespace ldlm
