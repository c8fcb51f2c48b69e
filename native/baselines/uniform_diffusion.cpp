#include "baselines/uniform_diffusion.h"

#include <numeric>

namespace ldlm {

TokenSample sample_uniform_state(const TokenDenoiser& denoise, const TokenSampling& sampling, const TokenObserver& observe) {
  const auto [length, vocabulary, steps, seed, index, stride] = sampling;
  const auto states = static_cast<double>(vocabulary);
  const auto uniform_token = [&](double uniform) { return static_cast<int64_t>(uniform * states); };
  TokenSample sample{at::empty({length}, at::kLong), {}};
  int64_t* const ids = sample.ids_L.mutable_data_ptr<int64_t>();
  std::vector<int64_t> everywhere(static_cast<size_t>(length));
  std::iota(everywhere.begin(), everywhere.end(), 0);
  for (const int64_t i : everywhere) ids[i] = uniform_token(uniform_pair({seed, BaselinePurpose::kTransition, 0, index}, i).first);

  for (int64_t step = 0; step < steps; ++step) {
    const double t = 1 - static_cast<double>(step) / static_cast<double>(steps), signal = 1 - t;
    const double next_signal = static_cast<double>(step + 1) / static_cast<double>(steps);
    const double keep = signal / next_signal, fresh = (1 - keep) / states;  // a and (1 - a)/K
    check_stop(observe);
    if (!sample.evaluations.next(stride)) continue;
    const PositionLogits logits = denoise(sample.ids_L.clone(), t);
    for_each_softmax(logits, everywhere, [&](size_t k, const SoftmaxRow& softmax) {
      const UniformPair pair = uniform_pair({seed, BaselinePurpose::kTransition, step + 1, index}, static_cast<int64_t>(k));
      const double kept = keep * (next_signal * softmax.probability(ids[k]) + (1 - next_signal) / states);
      const double choice = pair.first * (kept + fresh);
      if (choice < kept) return;
      const bool from_network = choice - kept < fresh * next_signal;
      ids[k] = from_network ? softmax.draw(pair.second) : uniform_token(pair.second);
    });
  }
  return sample;
}

}  // namespace ldlm
