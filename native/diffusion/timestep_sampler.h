// Adaptive timestep sampling, ingredient (3): the learned density of u in training, and the generation grid from the same warp.
// u is drawn so that the expected denoising loss is linear in uniform time t (the paper's eq. 5): p(u) ~ dL/du.
// State of the model: generation uses the final warp, so it is saved with the checkpoint.
#pragma once

#include "torch.h"

namespace ldlm {

struct AdaptiveTimesteps {
  int64_t bins;
  double decay;   // of old evidence, a step
  int64_t every;  // steps between rebuilds of the warp
  double floor;   // share of uniform density mixed in, so that no bin starves
};

class TimestepSampler {
 public:
  // Without `adaptive` the warp is the identity for ever. It is frozen in the last tenth of `total_steps`.
  TimestepSampler(const std::optional<AdaptiveTimesteps>& adaptive, int64_t total_steps);

  // u = F^-1(t) and t = F(u), piecewise linear, both in [0, 1].
  double schedule_time(double t) const;
  double uniform_time(double u) const;

  // u of the sample `index` of a batch of `batch`: t stratified over the whole batch with one shared offset in [0, 1).
  double sample(int64_t index, int64_t batch, double offset) const;

  // Takes the per-sample losses of one step (a batch mean would make the curve flat) and rebuilds the warp when it is due.
  // u, loss [B] fp32 on any device; the sums stay there, so that nothing waits for the device between rebuilds.
  void update(int64_t step, const Tensor& u_B, const Tensor& loss_B);

  // `points` values of u from 1 down to `u_min`, uniform in t: where a sampler evaluates the denoiser.
  std::vector<double> grid(int64_t points, double u_min) const;

  // Mean loss by bin, NaN where no evidence has been seen.
  std::vector<double> loss_by_bin() const;

  struct State {
    std::vector<double> loss_sum, weight_sum;  // [bins], exponentially faded by step
    std::vector<double> cumulative;            // F at the bin edges, [bins + 1]
  };
  State state() const;
  void restore(const State& state);

 private:
  void rebuild();

  std::optional<AdaptiveTimesteps> adaptive_;
  int64_t frozen_from_;
  Tensor loss_sum_, weight_sum_;  // [bins] fp64 on the device of the losses
  std::vector<double> cumulative_;
};

// Weighted least-squares fit of a non-decreasing sequence (pool adjacent violators); entries of weight 0 are interpolated.
std::vector<double> isotonic_fit(const std::vector<double>& values, const std::vector<double>& weights);

}  // namespace ldlm
