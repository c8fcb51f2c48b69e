// softmax of one row of logits in fp64: fp32 sums lose the tail, which acts like a lower temperature (Zheng et al. 2024). The
// probabilities are never stored, only their sums by block, so a draw reads the row once, and one block of it a second time.
#pragma once

#include <cstdint>
#include <vector>

namespace ldlm {

class SoftmaxRow {
 public:
  // logits [count], finite, must stay where they are. For a probability of 0 give a large negative one.
  SoftmaxRow(const float* logits, int64_t count);

  double probability(int64_t index) const;
  // log of the sum of exp(logit)
  double log_sum() const;
  // The index at which the cumulative probability passes `uniform` in [0, 1).
  int64_t draw(double uniform) const;

 private:
  const float* logits_;
  int64_t count_;
  float largest_;
  double total_;
  std::vector<double> block_sums_;
};

}  // namespace ldlm
