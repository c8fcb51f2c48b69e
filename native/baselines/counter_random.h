// Uniform numbers of the baselines, by counter as in ops/philox: what is drawn depends on (seed, purpose, step, row, element) only, so a
// sample does not depend on its batch and training resumes from the step number alone.
#pragma once

#include "ops/philox/philox_round.h"

namespace ldlm {

// The numbers follow those of RandomPurpose, which the core owns; equal ones would repeat its streams.
enum class BaselinePurpose : uint32_t {
  kNoiseTime = 101,
  kMask = 102,
  kTransition = 103,  // whether and to what a token changes in a step of a sampler
  kNextToken = 104,
  kTimingToken = 105,
};

struct CounterStream {
  uint64_t seed;
  BaselinePurpose purpose;
  int64_t step, row;
};

// Two independent numbers in [0, 1), of 53 bits each.
struct UniformPair {
  double first, second;
};

inline UniformPair uniform_pair(const CounterStream& stream, int64_t element) {
  const PhiloxBlock counter = {{static_cast<uint32_t>(element), static_cast<uint32_t>(stream.step), static_cast<uint32_t>(stream.row),
                                static_cast<uint32_t>(stream.purpose)}};
  const PhiloxBlock block = philox_4x32_10(counter, static_cast<uint32_t>(stream.seed), static_cast<uint32_t>(stream.seed >> 32));
  const auto unit = [](uint32_t high, uint32_t low) {
    return static_cast<double>(((static_cast<uint64_t>(high) << 32) | low) >> 11) * 0x1p-53;
  };
  return {unit(block.word[0], block.word[1]), unit(block.word[2], block.word[3])};
}

}  // namespace ldlm
