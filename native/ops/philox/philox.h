// Random numbers by counter (Philox-4x32-10, Salmon et al. 2011): no state, so a value depends on what it is for and on nothing
// else. Noise of a sample does not depend on the batch it was drawn in, and training resumes exactly from the step number alone.
//   key      = seed
//   counter  = (element / 4, step, row, purpose)
// Equal numbers on CPU and CUDA up to the rounding of log, sin and cos.
#pragma once

#include "torch.h"

namespace ldlm {

// What a stream of numbers is for; streams never overlap.
enum class RandomPurpose : uint32_t {
  kDiffusionNoise = 1,
  kDecoderNoise = 2,
  kTimestep = 3,
  kSelfConditioning = 4,
  kInitialNoise = 5,
  kSamplerNoise = 6,
  kDiagnostics = 7,
};

struct RandomStream {
  uint64_t seed;
  RandomPurpose purpose;
  uint32_t step;
};

// Standard normal numbers [rows, shape...] fp32: row r holds the numbers of row number first_row + r.
Tensor philox_normal(const RandomStream& stream, int64_t first_row, int64_t rows, at::IntArrayRef shape, const at::Device& device);

// One number in [0, 1).
double philox_uniform(const RandomStream& stream, int64_t row);

}  // namespace ldlm
