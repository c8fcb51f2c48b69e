// A few neighbouring threads, eight numbers each, have one head of one position. blockIdx.y says of what: queries, keys or values.
#include <algorithm>
#include <type_traits>

#include "ops/attention/attention_cuda.cuh"
#include "ops/device_numbers.cuh"

namespace ldlm {

namespace {

using Bf16 = __nv_bfloat16;
constexpr int kThreads = 256;
constexpr int64_t kMostParts = 512;  // blocks that sum gradients of gains; several for every multiprocessor
constexpr float kNormEpsilon = 1e-6f;
enum Role { kQuery, kKey, kValue };

// A head among all of one role: its number is (sample, position, head), the last running fastest.
struct Place {
  int64_t position;
  int64_t own, other;  // where it begins in qkv or, behind the first sequence, in context; the other one is -1
};

__device__ Place place_of(const AttentionHeads& in, int role, int64_t index) {
  const int64_t positions = role == kQuery ? in.queries : in.queries + in.others, channels = in.heads * in.width;
  const int64_t head = index % in.heads, position = index / in.heads % positions, sample = index / in.heads / positions;
  if (position < in.queries) return {position, (sample * in.queries + position) * 3 * channels + role * channels + head * in.width, -1};
  return {position, -1, (sample * in.others + position - in.queries) * 2 * channels + (role - 1) * channels + head * in.width};
}

__device__ int64_t heads_of_role(const AttentionHeads& in, int role) {
  return in.samples * (role == kQuery ? in.queries : in.queries + in.others) * in.heads;
}

__device__ void load_values(const AttentionHeads& in, const Place& place, int lane, float (&x)[kPack]) {
  const Bf16* from = place.own >= 0 ? static_cast<const Bf16*>(in.qkv) + place.own : static_cast<const Bf16*>(in.context) + place.other;
  load_pack(from + lane * kPack, x);
}

template <int kLanes>
__device__ float rstd_of(const float (&x)[kPack]) {
  float squares = 0;
#pragma unroll
  for (const float v : x) squares += v * v;
  return rsqrtf(lane_sum<kLanes>(squares) / (kLanes * kPack) + kNormEpsilon);
}

// The rotary turn; its other half is half of the lanes away. `direction` -1 turns back.
template <int kLanes>
__device__ void turn(const AttentionHeads& in, int64_t position, int lane, float direction, float (&x)[kPack]) {
  constexpr int kHalf = kLanes / 2;
  const int64_t at = position * (in.width / 2) + lane % kHalf * kPack;
  float cos[kPack], sin[kPack];
  load_pack(in.cos + at, cos);
  load_pack(in.sin + at, sin);
  const float sign = lane < kHalf ? -direction : direction;
#pragma unroll
  for (int i = 0; i < kPack; ++i) x[i] = x[i] * cos[i] + sign * __shfl_xor_sync(0xffffffffu, x[i], kHalf) * sin[i];
}

template <int kLanes, typename Gain>
__global__ void __launch_bounds__(kThreads) split_kernel(AttentionHeads in, Bf16* q, Bf16* k, Bf16* v) {
  const int role = blockIdx.y, lane = threadIdx.x % kLanes;
  const int64_t index = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) / kLanes, count = heads_of_role(in, role);
  // Whole warps stay: lanes exchange numbers. The last ones compute the last head again.
  const int64_t safe = index < count ? index : count - 1;
  const Place place = place_of(in, role, safe);
  float x[kPack];
  load_values(in, place, lane, x);
  const auto* gain = static_cast<const Gain*>(role == kQuery ? in.query_gain : in.key_gain);
  if (role != kValue && gain) {
    float factor[kPack];
    load_pack(gain + lane * kPack, factor);
    const float rstd = rstd_of<kLanes>(x);
#pragma unroll
    for (int i = 0; i < kPack; ++i) x[i] *= rstd * factor[i];
  }
  if (role != kValue && in.cos) turn<kLanes>(in, place.position, lane, 1, x);
  if (index < count) store_pack((role == kQuery ? q : role == kKey ? k : v) + safe * in.width + lane * kPack, x);
}

template <int kLanes, typename Gain>
__global__ void __launch_bounds__(kThreads)
    merge_kernel(AttentionHeads in, const Bf16* dq, const Bf16* dk, const Bf16* dv, Bf16* dqkv, Bf16* dcontext, float* dgains) {
  constexpr int kTogether = kThreads / kLanes, kWidth = kLanes * kPack;
  const int role = blockIdx.y, lane = threadIdx.x % kLanes, group = threadIdx.x / kLanes;
  const Bf16* const gradient = role == kQuery ? dq : role == kKey ? dk : dv;
  const auto* gain = static_cast<const Gain*>(role == kQuery ? in.query_gain : in.key_gain);
  const bool normed = role != kValue && gain;
  const int64_t count = heads_of_role(in, role);
  float factor[kPack], dgain[kPack] = {};
  if (normed) load_pack(gain + lane * kPack, factor);
  // The trip count is the same for a whole block, since lanes exchange numbers.
  for (int64_t base = static_cast<int64_t>(blockIdx.x) * kTogether; base < count; base += static_cast<int64_t>(gridDim.x) * kTogether) {
    const int64_t index = base + group, safe = index < count ? index : count - 1;
    const Place place = place_of(in, role, safe);
    float dx[kPack];
    load_pack(gradient + safe * in.width + lane * kPack, dx);
    if (role != kValue && in.cos) turn<kLanes>(in, place.position, lane, -1, dx);
    if (normed) {
      float x[kPack], product = 0;
      load_values(in, place, lane, x);
      const float rstd = rstd_of<kLanes>(x);
#pragma unroll
      for (int i = 0; i < kPack; ++i) {
        x[i] *= rstd;
        if (index < count) dgain[i] += dx[i] * x[i];
        dx[i] *= factor[i];
        product += dx[i] * x[i];
      }
      const float mean = lane_sum<kLanes>(product) / kWidth;
#pragma unroll
      for (int i = 0; i < kPack; ++i) dx[i] = rstd * (dx[i] - x[i] * mean);
    }
    if (index < count) store_pack((place.own >= 0 ? dqkv + place.own : dcontext + place.other) + lane * kPack, dx);
  }
  if (!dgains || role == kValue) return;
  __shared__ float of_block[kTogether * kWidth];
#pragma unroll
  for (int i = 0; i < kPack; ++i) of_block[group * kWidth + lane * kPack + i] = dgain[i];
  __syncthreads();
  for (int c = threadIdx.x; c < kWidth; c += kThreads) {
    float total = 0;
    for (int g = 0; g < kTogether; ++g) total += of_block[g * kWidth + c];
    dgains[(static_cast<int64_t>(blockIdx.x) * 2 + role) * kWidth + c] = total;
  }
}

template <typename Launch>
cudaError_t with_lanes(int64_t width, const Launch& launch) {
  if (width == 16) return launch(std::integral_constant<int, 2>());
  if (width == 32) return launch(std::integral_constant<int, 4>());
  if (width == 64) return launch(std::integral_constant<int, 8>());
  return width == 128 ? launch(std::integral_constant<int, 16>()) : cudaErrorInvalidValue;
}

int64_t blocks_for_all(const AttentionHeads& in) {
  const int64_t threads = in.samples * (in.queries + in.others) * in.heads * in.width / kPack;
  return (threads + kThreads - 1) / kThreads;
}

}  // namespace

cudaError_t launch_split_heads(const AttentionHeads& in, void* q, void* k, void* v, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(blocks_for_all(in)), v ? 3 : 2);
  return with_lanes(in.width, [&](auto lanes) {
    const auto kernel = in.gains == NumberType::kFloat ? split_kernel<lanes.value, float> : split_kernel<lanes.value, Bf16>;
    kernel<<<grid, kThreads, 0, stream>>>(in, static_cast<Bf16*>(q), static_cast<Bf16*>(k), static_cast<Bf16*>(v));
    return cudaGetLastError();
  });
}

int64_t merge_heads_parts(const AttentionHeads& in) { return std::min(kMostParts, blocks_for_all(in)); }

cudaError_t launch_merge_heads(const AttentionHeads& in, const void* dq, const void* dk, const void* dv, void* dqkv, void* dcontext, float* dgains,
                               cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(merge_heads_parts(in)), 3);
  return with_lanes(in.width, [&](auto lanes) {
    const auto kernel = in.gains == NumberType::kFloat ? merge_kernel<lanes.value, float> : merge_kernel<lanes.value, Bf16>;
    kernel<<<grid, kThreads, 0, stream>>>(in, static_cast<const Bf16*>(dq), static_cast<const Bf16*>(dk), static_cast<const Bf16*>(dv),
                                          static_cast<Bf16*>(dqkv), static_cast<Bf16*>(dcontext), dgains);
    return cudaGetLastError();
  });
}

}  // namespace ldlm
