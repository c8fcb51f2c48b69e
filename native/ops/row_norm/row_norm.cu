#include "ops/row_norm/row_norm.cuh"

#include <type_traits>

#include "ops/device_numbers.cuh"

namespace ldlm {

namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;
constexpr int64_t kRowsPerPart = 64;

// The vectors of one sample as the type that they have.
template <typename V>
struct Vectors {
  const V *shift, *scale;
};

template <typename V>
__device__ Vectors<V> vectors_of(const RowNorm& norm, int64_t sample) {
  const auto* shift = static_cast<const V*>(norm.shift);
  const auto* scale = static_cast<const V*>(norm.scale);
  return {shift ? shift + sample * norm.shift_stride : nullptr, scale ? scale + sample * norm.scale_stride : nullptr};
}

// What normed values are multiplied by.
template <bool kCentered, typename V>
__device__ void load_factor(const V* scale, int column, float (&factor)[kPack]) {
  if (scale == nullptr) {
#pragma unroll
    for (float& f : factor) f = 1.0f;
    return;
  }
  load_pack(scale + column, factor);
  if (kCentered) {
#pragma unroll
    for (float& f : factor) f += 1.0f;
  }
}

template <int kPacks, bool kCentered, typename X, typename Y, typename V>
__global__ void __launch_bounds__(kThreads) forward_kernel(RowNorm norm, Y* y, float* mean_out, float* rstd_out) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (row >= norm.samples * norm.rows) return;
  const int lane = threadIdx.x % kWarp, width = static_cast<int>(norm.width);
  const auto* x = static_cast<const X*>(norm.x) + row * norm.width;
  float values[kPacks][kPack];
  float sum = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int column = (p * kWarp + lane) * kPack;
    if (column >= width) continue;
    load_pack(x + column, values[p]);
#pragma unroll
    for (const float v : values[p]) sum += v;
  }
  const float mean = kCentered ? lane_sum(sum) / static_cast<float>(width) : 0.0f;
  float squares = 0;
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    if ((p * kWarp + lane) * kPack >= width) continue;
#pragma unroll
    for (const float v : values[p]) squares += (v - mean) * (v - mean);
  }
  const float rstd = rsqrtf(lane_sum(squares) / static_cast<float>(width) + norm.eps);
  const Vectors<V> vectors = vectors_of<V>(norm, row / norm.rows);
#pragma unroll
  for (int p = 0; p < kPacks; ++p) {
    const int column = (p * kWarp + lane) * kPack;
    if (column >= width) continue;
    float factor[kPack], shift[kPack] = {};
    load_factor<kCentered>(vectors.scale, column, factor);
    if (kCentered) load_pack(vectors.shift + column, shift);
#pragma unroll
    for (int i = 0; i < kPack; ++i) values[p][i] = (values[p][i] - mean) * rstd * factor[i] + shift[i];
    store_pack(y + row * norm.width + column, values[p]);
  }
  if (lane == 0 && rstd_out) rstd_out[row] = rstd;
  if (kCentered && lane == 0 && mean_out) mean_out[row] = mean;
}

// A block has the rows of one part of one sample, a warp every eighth of them; sums of columns stay in registers until the end.
template <int kPacks, bool kCentered, typename X, typename Y, typename V>
__global__ void __launch_bounds__(kThreads) backward_kernel(RowNorm norm, const Y* dy, const float* means, const float* rstds, X* dx, float* sums) {
  extern __shared__ float of_block[];  // [2, width]
  const int64_t sample = blockIdx.y, first = static_cast<int64_t>(blockIdx.x) * kRowsPerPart;
  const int64_t last = first + kRowsPerPart < norm.rows ? first + kRowsPerPart : norm.rows;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, width = static_cast<int>(norm.width);
  const Vectors<V> vectors = vectors_of<V>(norm, sample);
  float sum_dy[kPacks][kPack] = {}, sum_dy_normed[kPacks][kPack] = {};
  for (int64_t r = first + warp; r < last; r += kWarps) {
    const int64_t row = sample * norm.rows + r;
    const float mean = kCentered ? means[row] : 0.0f, rstd = rstds[row];
    float normed[kPacks][kPack], gradient[kPacks][kPack];
    float sum = 0, sum_normed = 0;
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      const int column = (p * kWarp + lane) * kPack;
      if (column >= width) continue;
      float factor[kPack];
      load_pack(static_cast<const X*>(norm.x) + row * norm.width + column, normed[p]);
      load_pack(dy + row * norm.width + column, gradient[p]);
      load_factor<kCentered>(vectors.scale, column, factor);
#pragma unroll
      for (int i = 0; i < kPack; ++i) {
        normed[p][i] = (normed[p][i] - mean) * rstd;
        sum_dy[p][i] += gradient[p][i];
        sum_dy_normed[p][i] += gradient[p][i] * normed[p][i];
        gradient[p][i] *= factor[i];
        sum += gradient[p][i];
        sum_normed += gradient[p][i] * normed[p][i];
      }
    }
    const float mean_gradient = kCentered ? lane_sum(sum) / static_cast<float>(width) : 0.0f;
    const float mean_product = lane_sum(sum_normed) / static_cast<float>(width);
#pragma unroll
    for (int p = 0; p < kPacks; ++p) {
      const int column = (p * kWarp + lane) * kPack;
      if (column >= width) continue;
#pragma unroll
      for (int i = 0; i < kPack; ++i) gradient[p][i] = rstd * (gradient[p][i] - mean_gradient - normed[p][i] * mean_product);
      store_pack(dx + row * norm.width + column, gradient[p]);
    }
  }
  // One warp after another adds its sums: the order is always the same.
  for (int turn = 0; turn < kWarps; ++turn) {
    if (warp == turn) {
#pragma unroll
      for (int p = 0; p < kPacks; ++p) {
        const int column = (p * kWarp + lane) * kPack;
        if (column >= width) continue;
#pragma unroll
        for (int i = 0; i < kPack; ++i) {
          float &total = of_block[column + i], &total_normed = of_block[width + column + i];
          total = turn == 0 ? sum_dy[p][i] : total + sum_dy[p][i];
          total_normed = turn == 0 ? sum_dy_normed[p][i] : total_normed + sum_dy_normed[p][i];
        }
      }
    }
    __syncthreads();
  }
  float* const out = sums + (blockIdx.x * norm.samples + sample) * 2 * norm.width;
  for (int i = threadIdx.x; i < 2 * width; i += kThreads) out[i] = of_block[i];
}

// Calls `launch` with the number of packs a lane has, a compile-time constant: the row must stay in registers.
template <typename Launch>
cudaError_t with_packs(int64_t width, const Launch& launch) {
  const int64_t packs = (width + kWarp * kPack - 1) / (kWarp * kPack);
  if (packs <= 1) return launch(std::integral_constant<int, 1>());
  if (packs <= 2) return launch(std::integral_constant<int, 2>());
  if (packs <= 3) return launch(std::integral_constant<int, 3>());
  if (packs <= 4) return launch(std::integral_constant<int, 4>());
  return packs <= 8 ? launch(std::integral_constant<int, 8>()) : cudaErrorInvalidValue;
}

template <typename X, typename Y, typename V>
struct Types {
  using In = X;
  using Out = Y;
  using Vector = V;
};

// The combinations that models have: all of one type, and what autocast makes of fp32 parameters.
template <typename Launch>
cudaError_t with_types(const RowNorm& norm, const Launch& launch) {
  using Bf16 = __nv_bfloat16;
  const bool in = norm.in == NumberType::kBFloat16, out = norm.out == NumberType::kBFloat16, vectors = norm.vectors == NumberType::kBFloat16;
  if (!in && !out && !vectors) return launch(Types<float, float, float>());
  if (in && out && vectors) return launch(Types<Bf16, Bf16, Bf16>());
  if (in && out) return launch(Types<Bf16, Bf16, float>());
  if (!in && out && !vectors) return launch(Types<float, Bf16, float>());
  return cudaErrorInvalidValue;
}

}  // namespace

cudaError_t launch_row_norm_forward(const RowNorm& norm, void* y, float* mean, float* rstd, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>((norm.samples * norm.rows + kWarps - 1) / kWarps);
  return with_types(norm, [&](auto types) {
    using T = decltype(types);
    return with_packs(norm.width, [&](auto packs) {
      const auto kernel = norm.centered ? forward_kernel<packs.value, true, typename T::In, typename T::Out, typename T::Vector>
                                        : forward_kernel<packs.value, false, typename T::In, typename T::Out, typename T::Vector>;
      kernel<<<blocks, kThreads, 0, stream>>>(norm, static_cast<typename T::Out*>(y), mean, rstd);
      return cudaGetLastError();
    });
  });
}

int64_t row_norm_parts(const RowNorm& norm) { return (norm.rows + kRowsPerPart - 1) / kRowsPerPart; }

cudaError_t launch_row_norm_backward(const RowNorm& norm, const void* dy, const float* mean, const float* rstd, void* dx, float* sums,
                                     cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(row_norm_parts(norm)), static_cast<unsigned>(norm.samples));
  const size_t shared = 2 * sizeof(float) * static_cast<size_t>(norm.width);
  return with_types(norm, [&](auto types) {
    using T = decltype(types);
    return with_packs(norm.width, [&](auto packs) {
      const auto kernel = norm.centered ? backward_kernel<packs.value, true, typename T::In, typename T::Out, typename T::Vector>
                                        : backward_kernel<packs.value, false, typename T::In, typename T::Out, typename T::Vector>;
      kernel<<<grid, kThreads, shared, stream>>>(norm, static_cast<const typename T::Out*>(dy), mean, rstd, static_cast<typename T::In*>(dx), sums);
      return cudaGetLastError();
    });
  });
}

}  // namespace ldlm
