// Forward a thread has eight columns of a row. Backward it has eight columns and every so many rows of a part; the threads of one column meet
// in shared memory at the end, in an order that is always the same.
#include "ops/gated_add/gated_add.cuh"

#include "ops/device_numbers.cuh"

namespace ldlm {

namespace {

constexpr int kThreads = 256;
constexpr int64_t kRowsPerPart = 64;

template <typename T>
__global__ void __launch_bounds__(kThreads) forward_kernel(GatedAdd op, const T* x, T* y) {
  const int64_t pack = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x, per_row = op.width / kPack;
  if (pack >= op.samples * op.rows * per_row) return;
  const int64_t sample = pack / (op.rows * per_row), column = pack % per_row * kPack, at = pack * kPack;
  float gate[kPack], f[kPack], sum[kPack];
  load_pack(static_cast<const T*>(op.gate) + sample * op.gate_stride + column, gate);
  load_pack(static_cast<const T*>(op.f) + at, f);
  load_pack(x + at, sum);
#pragma unroll
  for (int i = 0; i < kPack; ++i) sum[i] += gate[i] * f[i];
  store_pack(y + at, sum);
}

template <typename T>
__global__ void __launch_bounds__(kThreads) backward_kernel(GatedAdd op, const T* dy, T* df, float* sums) {
  extern __shared__ float of_block[];  // [rows at once, width]
  const int64_t sample = blockIdx.y, first = static_cast<int64_t>(blockIdx.x) * kRowsPerPart;
  const int64_t last = first + kRowsPerPart < op.rows ? first + kRowsPerPart : op.rows;
  const int width = static_cast<int>(op.width), column = threadIdx.x * kPack;
  float gate[kPack], sum[kPack] = {};
  load_pack(static_cast<const T*>(op.gate) + sample * op.gate_stride + column, gate);
  for (int64_t r = first + threadIdx.y; r < last; r += blockDim.y) {
    const int64_t at = (sample * op.rows + r) * op.width + column;
    float gradient[kPack], f[kPack];
    load_pack(dy + at, gradient);
    load_pack(static_cast<const T*>(op.f) + at, f);
#pragma unroll
    for (int i = 0; i < kPack; ++i) {
      sum[i] += gradient[i] * f[i];
      gradient[i] *= gate[i];
    }
    store_pack(df + at, gradient);
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

cudaError_t launch_gated_add_forward(const GatedAdd& op, const void* x, void* y, cudaStream_t stream) {
  const int64_t packs = op.samples * op.rows * op.width / kPack;
  const auto blocks = static_cast<unsigned>((packs + kThreads - 1) / kThreads);
  if (op.type == NumberType::kFloat) {
    forward_kernel<<<blocks, kThreads, 0, stream>>>(op, static_cast<const float*>(x), static_cast<float*>(y));
  } else {
    forward_kernel<<<blocks, kThreads, 0, stream>>>(op, static_cast<const __nv_bfloat16*>(x), static_cast<__nv_bfloat16*>(y));
  }
  return cudaGetLastError();
}

int64_t gated_add_parts(const GatedAdd& op) { return (op.rows + kRowsPerPart - 1) / kRowsPerPart; }

cudaError_t launch_gated_add_backward(const GatedAdd& op, const void* dy, void* df, float* sums, cudaStream_t stream) {
  const auto columns = static_cast<unsigned>(op.width / kPack), rows_at_once = kThreads / columns;
  const dim3 grid(static_cast<unsigned>(gated_add_parts(op)), static_cast<unsigned>(op.samples)), block(columns, rows_at_once);
  const size_t shared = sizeof(float) * rows_at_once * static_cast<size_t>(op.width);
  if (op.type == NumberType::kFloat) {
    backward_kernel<<<grid, block, shared, stream>>>(op, static_cast<const float*>(dy), static_cast<float*>(df), sums);
  } else {
    backward_kernel<<<grid, block, shared, stream>>>(op, static_cast<const __nv_bfloat16*>(dy), static_cast<__nv_bfloat16*>(df), sums);
  }
  return cudaGetLastError();
}

}  // namespace ldlm
