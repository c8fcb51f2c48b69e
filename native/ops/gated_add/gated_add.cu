// A thread has eight columns and every so many rows of a part; the threads of one column meet in shared memory at the end, in an order that
// is always the same.
#include "ops/gated_add/gated_add.cuh"

#include "ops/device_numbers.cuh"

namespace ldlm {

namespace {

constexpr int kThreads = 256;
constexpr int64_t kRowsPerPart = 64;

template <typename T>
__global__ void __launch_bounds__(kThreads) backward_kernel(GatedAdd op, T* df, float* sums) {
  extern __shared__ float of_block[];  // [rows at once, width]
  const int64_t sample = blockIdx.y, first = static_cast<int64_t>(blockIdx.x) * kRowsPerPart;
  const int64_t last = first + kRowsPerPart < op.rows ? first + kRowsPerPart : op.rows;
  const int width = static_cast<int>(op.width), column = threadIdx.x * kPack;
  float gate[kPack], sum[kPack] = {};
  load_pack(static_cast<const T*>(op.gate) + sample * op.gate_stride + column, gate);
  for (int64_t r = first + threadIdx.y; r < last; r += blockDim.y) {
    const int64_t at = (sample * op.rows + r) * op.width + column;
    float dy[kPack], f[kPack];
    load_pack(static_cast<const T*>(op.dy) + at, dy);
    load_pack(static_cast<const T*>(op.f) + at, f);
#pragma unroll
    for (int i = 0; i < kPack; ++i) {
      sum[i] += dy[i] * f[i];
      dy[i] *= gate[i];
    }
    store_pack(df + at, dy);
  }
#pragma unroll
  for (int i = 0; i < kPack; ++i) of_block[threadIdx.y * width + column + i] = sum[i];
  __syncthreads();
  const int thread = threadIdx.y * blockDim.x + threadIdx.x;
  for (int c = thread; c < width; c += blockDim.x * blockDim.y) {
    float total = 0;
    for (int y = 0; y < blockDim.y; ++y) total += of_block[y * width + c];
    sums[(blockIdx.x * op.samples + sample) * op.width + c] = total;
  }
}

}  // namespace

int64_t gated_add_parts(const GatedAdd& op) { return (op.rows + kRowsPerPart - 1) / kRowsPerPart; }

cudaError_t launch_gated_add_backward(const GatedAdd& op, void* df, float* sums, cudaStream_t stream) {
  const auto columns = static_cast<unsigned>(op.width / kPack), rows_at_once = kThreads / columns;
  const dim3 grid(static_cast<unsigned>(gated_add_parts(op)), static_cast<unsigned>(op.samples)), block(columns, rows_at_once);
  const size_t shared = sizeof(float) * rows_at_once * static_cast<size_t>(op.width);
  if (op.type == NumberType::kFloat) {
    backward_kernel<<<grid, block, shared, stream>>>(op, static_cast<float*>(df), sums);
  } else {
    backward_kernel<<<grid, block, shared, stream>>>(op, static_cast<__nv_bfloat16*>(df), sums);
  }
  return cudaGetLastError();
}

}  // namespace ldlm
