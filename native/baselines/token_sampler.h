// What the samplers of the discrete diffusion models have in common. A sampler is a function of a denoiser: it knows no network and is
// tested with the exact denoiser of a small distribution. It makes one sequence; a sample is a function of (seed, its number) alone.
#pragma once

#include "baselines/counter_random.h"
#include "baselines/softmax_row.h"
#include "torch.h"

namespace ldlm {

// Logits fp32 [K, V] of the clean tokens at `positions_K` (int64) of the sequence that the denoiser was given.
using PositionLogits = std::function<Tensor(const Tensor& positions_K)>;
// A noisy sequence of ids [L] (int64) at time t, 1 all noise, 0 clean. The trunk runs once; the head only where it is asked.
using TokenDenoiser = std::function<PositionLogits(const Tensor& ids_L, double t)>;

struct TokenSampling {
  int64_t length, vocabulary, steps;
  uint64_t seed;
  int64_t index;   // number of the sample
  int64_t stride;  // 1. More is for timing: of the evaluations only every stride-th is made, and the ids mean nothing
};

// Evaluations of the network: those that the sample needs, and those that were made (fewer with a stride).
struct EvaluationCount {
  int64_t needed = 0, made = 0;
  // Whether the next one is to be made.
  bool next(int64_t stride) {
    const bool make = needed % stride == 0;
    ++needed;
    if (make) ++made;
    return make;
  }
};

struct TokenSample {
  Tensor ids_L;  // int64
  EvaluationCount evaluations;
};

// Called before every evaluation; returns false to stop (a SamplingAborted is thrown then).
using TokenObserver = std::function<bool()>;

// Calls `use(k, softmax)` for every position k of `positions`, some at once: the logits exist for kRowsAtOnce positions at a time.
void for_each_softmax(const PositionLogits& logits, const std::vector<int64_t>& positions,
                      const std::function<void(size_t k, const SoftmaxRow& softmax)>& use);

void check_stop(const TokenObserver& observe);

}  // namespace ldlm
