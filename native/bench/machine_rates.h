// What this machine can do, measured now: the limits that times are compared with.
#pragma once

#include "torch.h"

namespace ldlm {

struct MachineRates {
  double linear;     // GFLOP/s of our `linear`, forward, at the best of a few large shapes
  double mm;         // the same of at::mm
  double bandwidth;  // GB/s of copying 128 MiB, read and written bytes added
  // GFLOP of the faster of the two in a second of CPU time of all threads, waiting threads apart: on a machine that others use too, what
  // one core can do while it is ours.
  double core;
};

// About `seconds` seconds, threads as they are set. A rate is the median over repeats of one shape.
MachineRates measure_machine_rates(const at::Device& device, at::ScalarType dtype, double seconds);

}  // namespace ldlm
