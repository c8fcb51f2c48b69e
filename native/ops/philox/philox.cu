// One thread makes the four numbers of one counter block: 4 bytes written a number, nothing read, so the kernel runs at the
// speed of the writes. Deterministic: no atomics, every number depends on its own counter.
#include "ops/philox/philox.cuh"
#include "ops/philox/philox_round.h"

namespace ldlm {

namespace {

constexpr int kThreads = 256;
constexpr float kTwoPi = 6.283185307179586f;

__device__ void to_normal(uint32_t a, uint32_t b, float* out) {
  const float radius = sqrtf(-2.0f * logf(philox_open_unit(a)));
  sincosf(kTwoPi * philox_open_unit(b), out + 1, out);
  out[0] *= radius;
  out[1] *= radius;
}

__global__ void philox_normal_kernel(float* out, int64_t rows, int64_t width, int64_t blocks_per_row, uint32_t key0, uint32_t key1,
                                     uint32_t purpose, uint32_t step, uint32_t first_row) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (index >= rows * blocks_per_row) return;
  const int64_t row = index / blocks_per_row, block = index % blocks_per_row;
  const PhiloxBlock words =
      philox_4x32_10({{static_cast<uint32_t>(block), step, first_row + static_cast<uint32_t>(row), purpose}}, key0, key1);
  float values[4];
  to_normal(words.word[0], words.word[1], values);
  to_normal(words.word[2], words.word[3], values + 2);
  float* const target = out + row * width + 4 * block;
  for (int i = 0; i < 4 && 4 * block + i < width; ++i) target[i] = values[i];
}

}  // namespace

cudaError_t launch_philox_normal(float* out, int64_t rows, int64_t width, uint64_t seed, uint32_t purpose, uint32_t step,
                                 uint32_t first_row, cudaStream_t stream) {
  const int64_t blocks_per_row = (width + 3) / 4, total = rows * blocks_per_row;
  if (total == 0) return cudaSuccess;
  const auto grid = static_cast<unsigned>((total + kThreads - 1) / kThreads);
  philox_normal_kernel<<<grid, kThreads, 0, stream>>>(out, rows, width, blocks_per_row, static_cast<uint32_t>(seed),
                                                      static_cast<uint32_t>(seed >> 32), purpose, step, first_row);
  return cudaGetLastError();
}

}  // namespace ldlm
