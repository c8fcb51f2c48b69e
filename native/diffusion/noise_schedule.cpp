#include "diffusion/noise_schedule.h"

#include <cmath>
#include <numbers>

namespace ldlm {

namespace {
constexpr double kHalfPi = std::numbers::pi / 2;
}

// Written with sine and cosine instead of the tangent: exact at u = 1, where the tangent is infinite.
double NoiseSchedule::signal(double u) const {
  return std::cos(kHalfPi * u) / std::hypot(std::cos(kHalfPi * u), d * std::sin(kHalfPi * u));
}

double NoiseSchedule::noise(double u) const {
  return d * std::sin(kHalfPi * u) / std::hypot(std::cos(kHalfPi * u), d * std::sin(kHalfPi * u));
}

double NoiseSchedule::beta(double u) const {
  const double tangent = std::tan(kHalfPi * u), squared = tangent * tangent;
  return std::numbers::pi * d * d * tangent * (1 + squared) / (1 + d * d * squared);
}

Tensor NoiseSchedule::signal(const Tensor& u) const {
  const Tensor c = at::cos(kHalfPi * u), s = d * at::sin(kHalfPi * u);
  return c / at::hypot(c, s);
}

Tensor NoiseSchedule::noise(const Tensor& u) const {
  const Tensor c = at::cos(kHalfPi * u), s = d * at::sin(kHalfPi * u);
  return s / at::hypot(c, s);
}

}  // namespace ldlm
