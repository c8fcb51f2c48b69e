// A block has a row. It reads it twice, the second time from the cache: for the sum of exponentials, and to write the gradient over it.
#include "ops/vocabulary/vocabulary.cuh"

#include "ops/device_numbers.cuh"

namespace ldlm {

namespace {

using Bf16 = __nv_bfloat16;
constexpr int kThreads = 512, kWarps = kThreads / kWarp;
constexpr float kLowest = -3.0e38f;

// exp(x - largest) summed; two of them meet at the larger maximum.
struct ExpSum {
  float largest, sum;
};

__device__ ExpSum meet(ExpSum a, ExpSum b) {
  const float largest = fmaxf(a.largest, b.largest);
  return {largest, a.sum * __expf(a.largest - largest) + b.sum * __expf(b.largest - largest)};
}

__device__ ExpSum meet_in_warp(ExpSum own) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    own = meet(own, {__shfl_xor_sync(0xffffffffu, own.largest, distance), __shfl_xor_sync(0xffffffffu, own.sum, distance)});
  }
  return own;
}

__device__ ExpSum exp_sum_of(const Bf16* row, int vocabulary) {
  ExpSum own = {kLowest, 0};
  for (int column = threadIdx.x * kPack; column < vocabulary; column += kThreads * kPack) {
    float x[kPack];
    load_pack(row + column, x);  // behind the last logit is padding
    float largest = own.largest;
#pragma unroll
    for (int i = 0; i < kPack; ++i) {
      if (column + i >= vocabulary) x[i] = kLowest;
      largest = fmaxf(largest, x[i]);
    }
    own.sum *= __expf(own.largest - largest);
#pragma unroll
    for (const float value : x) own.sum += __expf(value - largest);
    own.largest = largest;
  }
  return own;
}

__global__ void __launch_bounds__(kThreads) cross_entropy_kernel(Bf16* logits, const int64_t* targets, float* loss, int vocabulary, int64_t stride, bool gradient) {
  __shared__ ExpSum of_warps[kWarps];
  Bf16* const row = logits + blockIdx.x * stride;
  const int64_t target = targets[blockIdx.x];
  float log_sum = 0;
  if (target >= 0) {
    const ExpSum own = meet_in_warp(exp_sum_of(row, vocabulary));
    if (threadIdx.x % kWarp == 0) of_warps[threadIdx.x / kWarp] = own;
    __syncthreads();
    const ExpSum all = meet_in_warp(threadIdx.x % kWarp < kWarps ? of_warps[threadIdx.x % kWarp] : ExpSum{kLowest, 0});
    log_sum = all.largest + logf(all.sum);
  }
  if (threadIdx.x == 0) loss[blockIdx.x] = target >= 0 ? log_sum - to_float(row[target]) : 0.0f;
  if (!gradient) return;
  __syncthreads();  // the target's logit has been read
  for (int column = threadIdx.x * kPack; column < stride; column += kThreads * kPack) {
    float x[kPack];
    load_pack(row + column, x);
#pragma unroll
    for (int i = 0; i < kPack; ++i) x[i] = target >= 0 && column + i < vocabulary ? __expf(x[i] - log_sum) - (column + i == target ? 1.0f : 0.0f) : 0.0f;
    store_pack(row + column, x);
  }
}

}  // namespace

cudaError_t launch_cross_entropy(void* logits, const int64_t* targets, float* loss, int64_t rows, int64_t vocabulary, int64_t stride, bool gradient,
                                 cudaStream_t stream) {
  if (rows == 0) return cudaSuccess;
  cross_entropy_kernel<<<static_cast<unsigned>(rows), kThreads, 0, stream>>>(static_cast<Bf16*>(logits), targets, loss, static_cast<int>(vocabulary),
                                                                             stride, gradient);
  return cudaGetLastError();
}

}  // namespace ldlm
