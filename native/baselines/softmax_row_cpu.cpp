// Plain loops over a row; the exponential runs on the vector unit (libmvec). One pass for the largest logit, one for the sums: a row of
// a vocabulary stays in the cache between them.
#include <algorithm>
#include <cmath>

#include "baselines/softmax_row.h"
#include "ops/vector_clones.h"

namespace ldlm {

namespace {

constexpr int64_t kBlock = 256;
constexpr double kLeastExponent = -700;  // below it 0: fast-math knows neither infinities nor denormal numbers

LDLM_VECTOR_CLONES
float largest_of(const float* x, int64_t count) {
  float largest = x[0];
  for (int64_t i = 1; i < count; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

LDLM_VECTOR_CLONES
void exponentials(const float* x, int64_t count, double largest, double* out) {
  for (int64_t i = 0; i < count; ++i) {
    const double exponent = static_cast<double>(x[i]) - largest;
    const double value = std::exp(exponent > kLeastExponent ? exponent : kLeastExponent);
    out[i] = exponent > kLeastExponent ? value : 0;
  }
}

LDLM_VECTOR_CLONES
double sum_of(const double* x, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += x[i];
  return sum;
}

}  // namespace

SoftmaxRow::SoftmaxRow(const float* logits, int64_t count) : logits_(logits), count_(count), largest_(largest_of(logits, count)), total_(0) {
  double values[kBlock];
  block_sums_.reserve(static_cast<size_t>((count + kBlock - 1) / kBlock));
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t size = std::min(kBlock, count - begin);
    exponentials(logits + begin, size, largest_, values);
    block_sums_.push_back(sum_of(values, size));
    total_ += block_sums_.back();
  }
}

double SoftmaxRow::probability(int64_t index) const { return std::exp(static_cast<double>(logits_[index]) - largest_) / total_; }

double SoftmaxRow::log_sum() const { return largest_ + std::log(total_); }

int64_t SoftmaxRow::draw(double uniform) const {
  double left = uniform * total_;
  size_t block = 0;
  for (; block + 1 < block_sums_.size() && left >= block_sums_[block]; ++block) left -= block_sums_[block];
  const int64_t begin = static_cast<int64_t>(block) * kBlock, size = std::min(kBlock, count_ - begin);
  double values[kBlock];
  exponentials(logits_ + begin, size, largest_, values);
  int64_t i = 0;
  for (; i + 1 < size && left >= values[i]; ++i) left -= values[i];
  return begin + i;
}

}  // namespace ldlm
