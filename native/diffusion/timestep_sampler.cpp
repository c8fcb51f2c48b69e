#include "diffusion/timestep_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ldlm {

namespace {

// The first rebuilds would fit a curve to a handful of samples of an untrained network: stay uniform that long.
constexpr int64_t kUniformPeriods = 3;
// Below this faded weight a bin has no evidence worth a fit.
constexpr double kLeastWeight = 1e-3;

std::vector<double> to_vector(const Tensor& values) {
  const Tensor host = values.to(at::kCPU, at::kDouble).contiguous();
  return {host.const_data_ptr<double>(), host.const_data_ptr<double>() + host.numel()};
}

Tensor from_vector(const std::vector<double>& values) {
  return at::tensor(values, at::TensorOptions(at::kDouble));
}

// Value of the piecewise linear function through (x_i, y_i), x non-decreasing.
double interpolate(const std::vector<double>& x, const std::vector<double>& y, double at) {
  const auto above = std::upper_bound(x.begin(), x.end(), at);
  if (above == x.begin()) return y.front();
  if (above == x.end()) return y.back();
  const size_t i = static_cast<size_t>(above - x.begin());
  return y[i - 1] + (y[i] - y[i - 1]) * (at - x[i - 1]) / (x[i] - x[i - 1]);
}

std::vector<double> uniform_edges(size_t bins) {
  std::vector<double> edges(bins + 1);
  for (size_t i = 0; i <= bins; ++i) edges[i] = static_cast<double>(i) / static_cast<double>(bins);
  return edges;
}

// Loss at the bin edges from the losses at the bin centres; the two outer edges continue the line of their neighbours.
std::vector<double> to_edges(const std::vector<double>& centres) {
  const size_t n = centres.size();
  std::vector<double> edges(n + 1);
  for (size_t i = 1; i < n; ++i) edges[i] = (centres[i - 1] + centres[i]) / 2;
  edges[0] = n > 1 ? centres[0] - (centres[1] - centres[0]) / 2 : centres[0];
  edges[n] = n > 1 ? centres[n - 1] + (centres[n - 1] - centres[n - 2]) / 2 : centres[0];
  return edges;
}

}  // namespace

std::vector<double> isotonic_fit(const std::vector<double>& values, const std::vector<double>& weights) {
  struct Pool {
    double mean, weight;
    size_t first, last;
  };
  std::vector<Pool> pools;
  for (size_t i = 0; i < values.size(); ++i) {
    if (weights[i] <= 0) continue;
    pools.push_back({values[i], weights[i], i, i});
    while (pools.size() > 1 && pools[pools.size() - 2].mean > pools.back().mean) {
      const Pool right = pools.back();
      pools.pop_back();
      Pool& left = pools.back();
      left.mean = (left.mean * left.weight + right.mean * right.weight) / (left.weight + right.weight);
      left.weight += right.weight;
      left.last = right.last;
    }
  }
  if (pools.empty()) return {};
  std::vector<double> knots, means;
  for (const Pool& pool : pools) {
    knots.push_back(static_cast<double>(pool.first));
    means.push_back(pool.mean);
    if (pool.last > pool.first) {
      knots.push_back(static_cast<double>(pool.last));
      means.push_back(pool.mean);
    }
  }
  std::vector<double> fit(values.size());
  for (size_t i = 0; i < fit.size(); ++i) fit[i] = interpolate(knots, means, static_cast<double>(i));
  return fit;
}

TimestepSampler::TimestepSampler(const std::optional<AdaptiveTimesteps>& adaptive, int64_t total_steps)
    : adaptive_(adaptive), frozen_from_(total_steps - total_steps / 10) {
  const int64_t bins = adaptive ? adaptive->bins : 1;
  cumulative_ = uniform_edges(static_cast<size_t>(bins));
  loss_sum_ = at::zeros({bins}, at::kDouble);
  weight_sum_ = at::zeros({bins}, at::kDouble);
}

double TimestepSampler::schedule_time(double t) const {
  return interpolate(cumulative_, uniform_edges(cumulative_.size() - 1), t);
}

double TimestepSampler::uniform_time(double u) const {
  return interpolate(uniform_edges(cumulative_.size() - 1), cumulative_, u);
}

double TimestepSampler::sample(int64_t index, int64_t batch, double offset) const {
  return schedule_time((static_cast<double>(index) + offset) / static_cast<double>(batch));
}

void TimestepSampler::update(int64_t step, const Tensor& u_B, const Tensor& loss_B) {
  if (!adaptive_) return;
  at::NoGradGuard no_grad;
  loss_sum_ = loss_sum_.to(loss_B.device());
  weight_sum_ = weight_sum_.to(loss_B.device());
  const int64_t bins = adaptive_->bins;
  const Tensor bin_B = (u_B * bins).floor().clamp(0, bins - 1).to(at::kLong);
  // A loss that is not finite is no evidence: the optimizer skips its step, and the sums must outlive it.
  const Tensor finite = at::isfinite(loss_B), counted = finite.to(at::kDouble), loss = at::where(finite, loss_B.to(at::kDouble), 0.0);
  // Evidence fades by step, not by visit: else bins that are rarely visited would keep the high losses of early training,
  // the fit would make a plateau of them, and they would starve further.
  loss_sum_.mul_(adaptive_->decay).index_add_(0, bin_B, loss);
  weight_sum_.mul_(adaptive_->decay).index_add_(0, bin_B, counted);
  const bool due = (step + 1) % adaptive_->every == 0 && (step + 1) / adaptive_->every >= kUniformPeriods;
  if (due && step + 1 <= frozen_from_) rebuild();
}

void TimestepSampler::rebuild() {
  const std::vector<double> losses = loss_by_bin();  // sync: once every `every` steps
  std::vector<double> weights = to_vector(weight_sum_);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!std::isfinite(losses[i])) weights[i] = 0;
  }
  const std::vector<double> fit = isotonic_fit(losses, weights);
  if (fit.empty()) return;
  const std::vector<double> edges = to_edges(fit);
  const double rise = edges.back() - edges.front();
  if (!(rise > 0)) return;  // a flat curve says nothing about where to look
  const auto bins = static_cast<double>(fit.size());
  for (size_t i = 0; i < fit.size(); ++i) {
    const double density = (1 - adaptive_->floor) * (edges[i + 1] - edges[i]) / rise + adaptive_->floor / bins;
    cumulative_[i + 1] = cumulative_[i] + density;
  }
  for (double& value : cumulative_) value /= cumulative_.back();
}

std::vector<double> TimestepSampler::grid(int64_t points, double u_min) const {
  TORCH_CHECK_VALUE(points >= 1, "the number of sampling steps must be >= 1, got ", points);
  const double lowest = uniform_time(u_min);
  std::vector<double> values(static_cast<size_t>(points));
  for (int64_t i = 0; i < points; ++i) {
    const double progress = points == 1 ? 0.0 : static_cast<double>(i) / static_cast<double>(points - 1);
    values[static_cast<size_t>(i)] = schedule_time(1.0 + (lowest - 1.0) * progress);
  }
  values[0] = 1.0;
  return values;
}

std::vector<double> TimestepSampler::loss_by_bin() const {
  const std::vector<double> sums = to_vector(loss_sum_), weights = to_vector(weight_sum_);
  std::vector<double> means(sums.size());
  for (size_t i = 0; i < sums.size(); ++i) {
    means[i] = weights[i] > kLeastWeight ? sums[i] / weights[i] : std::numeric_limits<double>::quiet_NaN();
  }
  return means;
}

TimestepSampler::State TimestepSampler::state() const { return {to_vector(loss_sum_), to_vector(weight_sum_), cumulative_}; }

void TimestepSampler::restore(const State& state) {
  const size_t bins = cumulative_.size() - 1;
  TORCH_CHECK_VALUE(state.cumulative.size() == bins + 1 && state.loss_sum.size() == bins && state.weight_sum.size() == bins,
                    "the timestep warp of the checkpoint must have ", bins, " bins, got ", state.loss_sum.size(), " and ",
                    state.cumulative.size(), " edges");
  for (size_t i = 0; i < bins; ++i) {
    TORCH_CHECK_VALUE(state.cumulative[i] < state.cumulative[i + 1], "the timestep warp of the checkpoint must rise, got ",
                      state.cumulative[i], " then ", state.cumulative[i + 1], " at edge ", i + 1);
  }
  TORCH_CHECK_VALUE(state.cumulative.front() == 0.0 && std::abs(state.cumulative.back() - 1.0) < 1e-9,
                    "the timestep warp of the checkpoint must run from 0 to 1");
  loss_sum_ = from_vector(state.loss_sum);
  weight_sum_ = from_vector(state.weight_sum);
  cumulative_ = state.cumulative;
}

}  // namespace ldlm
