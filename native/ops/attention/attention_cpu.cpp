// One head at a time: its keys and values (a few KB at short lengths, 0.5 MB at 1024) are gathered into dense, padded scratch, normed and
// turned on the way, and stay in the cache for all blocks of queries. A block's scores [48, N + M] are in the cache as well, so no running
// maximum is needed, and the traffic beyond the cache is one read of q, k, v and one write of y. Backward computes the scores again.
#include "ops/attention/attention_cpu.h"

#include <cmath>

#include "ops/attention/small_product.h"
#include "ops/vector_clones.h"

namespace ldlm {

namespace {

using small_product::Matrix;
using small_product::multiply;
using small_product::padded;
using small_product::transpose;

constexpr int64_t kBlock = 48;  // queries at a time; a multiple of the rows of a tile
constexpr float kNormEpsilon = 1e-6f;

#define LDLM_INLINE [[gnu::always_inline]] inline

// Hands out the scratch piece by piece.
struct Arena {
  float* next;
  LDLM_INLINE float* take(int64_t count) {
    float* const piece = next;
    next += count;
    return piece;
  }
};

// The vector of one position in q, k or v, and where its gradient goes.
struct Slice {
  int64_t offset, stride;  // of position 0; between positions
};

LDLM_INLINE int64_t keys_of(const AttentionHead& head) { return head.queries + head.others; }
LDLM_INLINE int64_t channels(const AttentionHead& head) { return head.heads * head.width; }
// Part 0, 1, 2 of qkv are queries, keys, values; part 0, 1 of the context are keys, values.
LDLM_INLINE Slice own(const AttentionHead& head, int64_t part) { return {part * channels(head) + head.head * head.width, 3 * channels(head)}; }
LDLM_INLINE Slice other(const AttentionHead& head, int64_t part) { return {part * channels(head) + head.head * head.width, 2 * channels(head)}; }

LDLM_INLINE float inverse_rms(const float* x, int64_t width) {
  float sum = 0;
  for (int64_t i = 0; i < width; ++i) sum += x[i] * x[i];
  return 1.0f / std::sqrt(sum / static_cast<float>(width) + kNormEpsilon);
}

// (x_i, x_{i + d/2}) turned by the angle of `position`, forth (direction 1) or back (-1), in place
LDLM_INLINE void turn(const AttentionHead& head, float* x, int64_t position, float direction) {
  const int64_t half = head.width / 2;
  const float *const c = head.cos + position * half, *const s = head.sin + position * half;
  for (int64_t i = 0; i < half; ++i) {
    const float low = x[i], high = x[half + i], turned = direction * s[i];
    x[i] = low * c[i] - high * turned;
    x[half + i] = high * c[i] + low * turned;
  }
}

// to = scale * turned(normed(from)), to padded with zeros
LDLM_INLINE void load(const AttentionHead& head, const float* from, const float* gain, int64_t position, float scale, float* to) {
  const int64_t width = head.width, end = padded(width);
  const float factor = gain ? scale * inverse_rms(from, width) : scale;
  if (gain) {
    for (int64_t i = 0; i < width; ++i) to[i] = from[i] * factor * gain[i];
  } else {
    for (int64_t i = 0; i < width; ++i) to[i] = from[i] * factor;
  }
  for (int64_t i = width; i < end; ++i) to[i] = 0;
  if (head.cos) turn(head, to, position, 1);
}

// The way back: from the gradient of what `load` wrote to that of what it read. `gradient` is overwritten; dgain is added to.
LDLM_INLINE void unload(const AttentionHead& head, const float* from, const float* gain, int64_t position, float scale, float* gradient, float* to,
                        float* dgain) {
  const int64_t width = head.width;
  if (head.cos) turn(head, gradient, position, -1);
  if (!gain) {
    for (int64_t i = 0; i < width; ++i) to[i] = gradient[i] * scale;
    return;
  }
  const float inverse = inverse_rms(from, width);
  float dot = 0;
  for (int64_t i = 0; i < width; ++i) dot += gradient[i] * gain[i] * from[i];
  const float factor = scale * inverse, pull = factor * dot * inverse * inverse / static_cast<float>(width);
  for (int64_t i = 0; i < width; ++i) {
    to[i] = gradient[i] * gain[i] * factor - from[i] * pull;
    dgain[i] += gradient[i] * from[i] * factor;
  }
}

// k [N + M, padded d], normed and turned, and v likewise as it is
LDLM_INLINE void load_keys_and_values(const AttentionHead& head, float* k, float* v) {
  const int64_t width = padded(head.width);
  const Slice keys = own(head, 1), values = own(head, 2), other_keys = other(head, 0), other_values = other(head, 1);
  AttentionHead plain = head;
  plain.cos = nullptr;
  for (int64_t j = 0; j < head.queries; ++j) {
    load(head, head.qkv + keys.offset + j * keys.stride, head.key_gain, j, 1, k + j * width);
    load(plain, head.qkv + values.offset + j * values.stride, nullptr, j, 1, v + j * width);
  }
  for (int64_t j = 0; j < head.others; ++j) {
    load(head, head.context + other_keys.offset + j * other_keys.stride, head.key_gain, j, 1, k + (head.queries + j) * width);
    load(plain, head.context + other_values.offset + j * other_values.stride, nullptr, j, 1, v + (head.queries + j) * width);
  }
}

LDLM_INLINE float query_scale(const AttentionHead& head) { return 1.0f / std::sqrt(static_cast<float>(head.width)); }

LDLM_INLINE void load_queries(const AttentionHead& head, int64_t first, int64_t count, float* q) {
  const Slice queries = own(head, 0);
  for (int64_t i = 0; i < count; ++i) {
    load(head, head.qkv + queries.offset + (first + i) * queries.stride, head.query_gain, first + i, query_scale(head), q + i * padded(head.width));
  }
}

// How many keys the queries before `end` may see.
LDLM_INLINE int64_t visible(const AttentionHead& head, int64_t end) { return head.causal ? end : keys_of(head); }

// Scores to probabilities, in place; returns the log of the sum.
LDLM_INLINE float softmax(float* scores, int64_t seen, int64_t end) {
  float highest = scores[0], sum = 0;
  for (int64_t j = 1; j < seen; ++j) highest = scores[j] > highest ? scores[j] : highest;
  for (int64_t j = 0; j < seen; ++j) {
    const float e = std::exp(scores[j] - highest);
    scores[j] = e;
    sum += e;
  }
  const float inverse = 1.0f / sum;
  for (int64_t j = 0; j < seen; ++j) scores[j] *= inverse;
  for (int64_t j = seen; j < end; ++j) scores[j] = 0;
  return highest + std::log(sum);
}

template <int kLanes>
LDLM_INLINE void forward_head(const AttentionHead& head, float* y, float* log_sum, float* scratch) {
  const int64_t keys = keys_of(head), ahead = padded(keys), width = padded(head.width), out_row = channels(head);
  Arena arena = {scratch};
  float *const k = arena.take(ahead * width), *const v = arena.take(ahead * width), *const kT = arena.take(width * ahead);
  float *const q = arena.take(kBlock * width), *const out = arena.take(kBlock * width), *const p = arena.take(kBlock * ahead);
  load_keys_and_values(head, k, v);
  for (int64_t i = keys * width; i < ahead * width; ++i) k[i] = v[i] = 0;
  transpose(k, width, kT, ahead, ahead, width);

  for (int64_t first = 0; first < head.queries; first += kBlock) {
    const int64_t count = head.queries - first < kBlock ? head.queries - first : kBlock;
    const int64_t seen = visible(head, first + count), end = padded(seen);
    load_queries(head, first, count, q);
    multiply<kLanes>({q, width, 1}, kT, ahead, p, ahead, count, end, head.width, false);
    for (int64_t i = 0; i < count; ++i) log_sum[first + i] = softmax(p + i * ahead, visible(head, first + i + 1), end);
    multiply<kLanes>({p, ahead, 1}, v, width, out, width, count, width, seen, false);
    for (int64_t i = 0; i < count; ++i) {
      float* const to = y + (first + i) * out_row + head.head * head.width;
      for (int64_t c = 0; c < head.width; ++c) to[c] = out[i * width + c];
    }
  }
}

// With P the probabilities and D_i = sum of dy_i y_i:  dV = P^T dy,  dS = P (dy V^T - D),  dQ = dS K,  dK = dS^T Q
template <int kLanes>
LDLM_INLINE void backward_head(const AttentionHead& head, const float* y, const float* log_sum, const float* dy, const AttentionHeadGradient& gradient,
                               float* scratch) {
  const int64_t keys = keys_of(head), ahead = padded(keys), width = padded(head.width), out_row = channels(head);
  Arena arena = {scratch};
  float *const k = arena.take(ahead * width), *const v = arena.take(ahead * width);
  float *const kT = arena.take(width * ahead), *const vT = arena.take(width * ahead);
  float *const dk = arena.take(ahead * width), *const dv = arena.take(ahead * width);
  float *const q = arena.take(kBlock * width), *const dq = arena.take(kBlock * width), *const d_out = arena.take(kBlock * width);
  float *const p = arena.take(kBlock * ahead), *const ds = arena.take(kBlock * ahead);
  load_keys_and_values(head, k, v);
  for (int64_t i = keys * width; i < ahead * width; ++i) k[i] = v[i] = 0;
  for (int64_t i = 0; i < ahead * width; ++i) dk[i] = dv[i] = 0;
  transpose(k, width, kT, ahead, ahead, width);
  transpose(v, width, vT, ahead, ahead, width);
  const Slice queries = own(head, 0), own_keys = own(head, 1), own_values = own(head, 2);

  for (int64_t first = 0; first < head.queries; first += kBlock) {
    const int64_t count = head.queries - first < kBlock ? head.queries - first : kBlock;
    const int64_t seen = visible(head, first + count), end = padded(seen);
    load_queries(head, first, count, q);
    for (int64_t i = 0; i < count; ++i) {
      const float* const from = dy + (first + i) * out_row + head.head * head.width;
      for (int64_t c = 0; c < width; ++c) d_out[i * width + c] = c < head.width ? from[c] : 0;
    }
    multiply<kLanes>({q, width, 1}, kT, ahead, p, ahead, count, end, head.width, false);
    multiply<kLanes>({d_out, width, 1}, vT, ahead, ds, ahead, count, end, head.width, false);
    for (int64_t i = 0; i < count; ++i) {
      float *const __restrict probability = p + i * ahead, *const __restrict score = ds + i * ahead;
      const float* const out = y + (first + i) * out_row + head.head * head.width;
      const int64_t seen_by_this = visible(head, first + i + 1);
      float dot = 0;
      for (int64_t c = 0; c < head.width; ++c) dot += out[c] * d_out[i * width + c];
      for (int64_t j = 0; j < seen_by_this; ++j) {
        const float e = std::exp(probability[j] - log_sum[first + i]);
        probability[j] = e;
        score[j] = e * (score[j] - dot);
      }
      for (int64_t j = seen_by_this; j < end; ++j) probability[j] = score[j] = 0;
    }
    multiply<kLanes>({p, 1, ahead}, d_out, width, dv, width, seen, width, count, true);
    multiply<kLanes>({ds, 1, ahead}, q, width, dk, width, seen, width, count, true);
    multiply<kLanes>({ds, ahead, 1}, k, width, dq, width, count, width, seen, false);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = queries.offset + (first + i) * queries.stride;
      unload(head, head.qkv + at, head.query_gain, first + i, query_scale(head), dq + i * width, gradient.qkv + at, gradient.query_gain);
    }
  }

  AttentionHead plain = head;
  plain.cos = nullptr;
  for (int64_t j = 0; j < keys; ++j) {
    const bool is_own = j < head.queries;
    const int64_t position = is_own ? j : j - head.queries;
    const Slice key = is_own ? own_keys : other(head, 0), value = is_own ? own_values : other(head, 1);
    const float* const inputs = is_own ? head.qkv : head.context;
    float* const to = is_own ? gradient.qkv : gradient.context;
    const int64_t key_at = key.offset + position * key.stride, value_at = value.offset + position * value.stride;
    unload(head, inputs + key_at, head.key_gain, position, 1, dk + j * width, to + key_at, gradient.key_gain);
    unload(plain, inputs + value_at, nullptr, position, 1, dv + j * width, to + value_at, nullptr);
  }
}

LDLM_VECTOR_UNITS(forward, (const AttentionHead& head, float* y, float* log_sum, float* scratch), forward_head, (head, y, log_sum, scratch))
LDLM_VECTOR_UNITS(backward,
                  (const AttentionHead& head, const float* y, const float* log_sum, const float* dy, const AttentionHeadGradient& gradient, float* scratch),
                  backward_head, (head, y, log_sum, dy, gradient, scratch))

}  // namespace

int64_t attention_forward_scratch(const AttentionHead& head) {
  const int64_t keys = padded(head.queries + head.others), width = padded(head.width);
  return 3 * keys * width + 2 * kBlock * width + kBlock * keys;
}

int64_t attention_backward_scratch(const AttentionHead& head) {
  const int64_t keys = padded(head.queries + head.others), width = padded(head.width);
  return 6 * keys * width + 3 * kBlock * width + 2 * kBlock * keys;
}

void attention_forward_head(const AttentionHead& head, float* y, float* log_sum, float* scratch) { forward(head, y, log_sum, scratch); }

void attention_backward_head(const AttentionHead& head, const float* y, const float* log_sum, const float* dy, const AttentionHeadGradient& gradient,
                             float* scratch) {
  backward(head, y, log_sum, dy, gradient, scratch);
}

}  // namespace ldlm
