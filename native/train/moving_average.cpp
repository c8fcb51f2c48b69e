#include "train/moving_average.h"

#include <algorithm>

#include "ops/recorded.h"

namespace ldlm {

void update_moving_average(const std::vector<Tensor>& averages, const std::vector<Tensor>& parameters, double decay, int64_t steps_done) {
  const RecordedModule record("ema");
  at::NoGradGuard no_grad;
  const auto n = static_cast<double>(steps_done);
  at::_foreach_lerp_(averages, parameters, 1 - std::min(decay, (1 + n) / (10 + n)));
}

}  // namespace ldlm
