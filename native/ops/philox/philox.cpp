#include "ops/philox/philox.h"

#include <cmath>
#include <numbers>

#include "ops/philox/philox_round.h"
#include "ops/recorded.h"
#ifdef LDLM_CUDA
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "ops/philox/philox.cuh"
#endif

namespace ldlm {

namespace {

PhiloxBlock block_of(const RandomStream& stream, uint32_t row, uint32_t block) {
  const PhiloxBlock counter = {{block, stream.step, row, static_cast<uint32_t>(stream.purpose)}};
  return philox_4x32_10(counter, static_cast<uint32_t>(stream.seed), static_cast<uint32_t>(stream.seed >> 32));
}

// Box-Muller: two words to two normal numbers.
void to_normal(uint32_t a, uint32_t b, float* out) {
  const float radius = std::sqrt(-2.0f * std::log(philox_open_unit(a)));
  const float angle = 2.0f * std::numbers::pi_v<float> * philox_open_unit(b);
  out[0] = radius * std::cos(angle);
  out[1] = radius * std::sin(angle);
}

void fill_row_normal(const RandomStream& stream, uint32_t row, float* out, int64_t count) {
  for (int64_t i = 0; i < count; i += 4) {
    const PhiloxBlock block = block_of(stream, row, static_cast<uint32_t>(i / 4));
    float values[4];
    to_normal(block.word[0], block.word[1], values);
    to_normal(block.word[2], block.word[3], values + 2);
    std::copy_n(values, std::min<int64_t>(4, count - i), out + i);
  }
}

}  // namespace

Tensor philox_normal(const RandomStream& stream, int64_t first_row, int64_t rows, at::IntArrayRef shape,
                     const at::Device& device) {
  const RecordedOp record("ldlm::philox_normal");
  std::vector<int64_t> sizes = {rows};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  Tensor out = at::empty(sizes, at::TensorOptions(at::kFloat).device(device));
  const int64_t width = rows == 0 ? 0 : out.numel() / rows;
#ifdef LDLM_CUDA
  if (device.is_cuda()) {
    const c10::cuda::CUDAGuard guard(device);
    C10_CUDA_CHECK(launch_philox_normal(out.mutable_data_ptr<float>(), rows, width, stream.seed, static_cast<uint32_t>(stream.purpose),
                                        stream.step, static_cast<uint32_t>(first_row), c10::cuda::getCurrentCUDAStream()));
    return out;
  }
#endif
  TORCH_CHECK_VALUE(device.is_cpu(), "philox_normal: the device must be cpu or (in a CUDA build) cuda, got ", device);
  float* const data = out.mutable_data_ptr<float>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      fill_row_normal(stream, static_cast<uint32_t>(first_row + row), data + row * width, width);
    }
  });
  return out;
}

double philox_uniform(const RandomStream& stream, int64_t row) {
  const PhiloxBlock block = block_of(stream, static_cast<uint32_t>(row), 0);
  const uint64_t bits = (static_cast<uint64_t>(block.word[0]) << 32) | block.word[1];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace ldlm
