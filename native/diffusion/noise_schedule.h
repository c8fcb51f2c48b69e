// x_u = a(u) z0 + s(u) eps, variance preserving, with the tan-d schedule:  s/a = d tan(pi u / 2),  a^2 + s^2 = 1.
// u in [0, 1]: 0 is clean, 1 is noise. Only the schedule: which u are trained on is TimestepSampler's matter.
#pragma once

#include "torch.h"

namespace ldlm {

struct NoiseSchedule {
  double d;

  double signal(double u) const;   // a(u)
  double noise(double u) const;    // s(u)
  // beta(u) = -d ln(a^2) / du of the continuous process. It diverges at u = 1; sample_sde clips u.
  double beta(double u) const;

  Tensor signal(const Tensor& u) const;
  Tensor noise(const Tensor& u) const;
};

}  // namespace ldlm
