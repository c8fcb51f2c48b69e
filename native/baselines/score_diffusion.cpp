#include "baselines/score_diffusion.h"

#include <cmath>

namespace ldlm {

namespace {
constexpr double kLeastSignal = 1e-3;
}

TokenSample sample_absorbing_score(const TokenDenoiser& denoise, const TokenSampling& sampling, const TokenObserver& observe) {
  const auto [length, mask_id, steps, seed, index, stride] = sampling;  // the mask is the id behind the vocabulary
  TokenSample sample{at::full({length}, mask_id, at::kLong), {}};
  int64_t* const ids = sample.ids_L.mutable_data_ptr<int64_t>();
  const auto signal_after = [&, steps = steps](int64_t step) {
    return 1 - (1 - kLeastSignal) * (1 - static_cast<double>(step) / static_cast<double>(steps));
  };
  for (int64_t step = 0; step < steps; ++step) {
    const bool last = step + 1 == steps;  // what is still masked then goes
    const double signal = signal_after(step), ratio = signal_after(step + 1) / signal;  // exp(sigma_t - sigma_s)
    std::vector<int64_t> masks;
    for (int64_t i = 0; i < length; ++i) {
      if (ids[i] == mask_id) masks.push_back(i);
    }
    if (masks.empty()) break;
    const CounterStream stream = {seed, BaselinePurpose::kTransition, step, index};
    check_stop(observe);
    if (!sample.evaluations.next(stride)) {
      for (const int64_t i : masks) {
        const UniformPair pair = uniform_pair(stream, i);
        if (last || pair.first < (ratio - 1) * signal / (1 - signal)) ids[i] = static_cast<int64_t>(pair.second * static_cast<double>(mask_id));
      }
      continue;
    }
    const PositionLogits logits = denoise(sample.ids_L.clone(), 1 - static_cast<double>(step) / static_cast<double>(steps));
    for_each_softmax(logits, masks, [&](size_t k, const SoftmaxRow& softmax) {
      const UniformPair pair = uniform_pair(stream, masks[k]);
      const double scores = std::exp(softmax.log_sum()) * signal / (1 - signal);  // 1 / (exp(sigma) - 1) = alpha / (1 - alpha)
      if (last || pair.first < (ratio - 1) * scores) ids[masks[k]] = softmax.draw(pair.second);
    });
  }
  return sample;
}

}  // namespace ldlm
