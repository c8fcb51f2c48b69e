// The moving average of the parameters, which sampling and evaluation use.
#pragma once

#include "torch.h"

namespace ldlm {

// Moves `averages` towards `parameters`, after the update that follows `steps_done` others. The decay grows from 1/10 to `decay`, so that
// the average does not drag the first, worst parameters along.
void update_moving_average(const std::vector<Tensor>& averages, const std::vector<Tensor>& parameters, double decay, int64_t steps_done);

}  // namespace ldlm
