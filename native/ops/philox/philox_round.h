// The generator itself, shared by host and device code.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define LDLM_HOST_DEVICE __host__ __device__
#else
#define LDLM_HOST_DEVICE
#endif

namespace ldlm {

struct PhiloxBlock {
  uint32_t word[4];
};

LDLM_HOST_DEVICE inline PhiloxBlock philox_4x32_10(PhiloxBlock counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter.word[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter.word[2];
    counter = {{static_cast<uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0, static_cast<uint32_t>(product1),
                static_cast<uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1, static_cast<uint32_t>(product0)}};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

// (0, 1]: the logarithm of it is finite.
LDLM_HOST_DEVICE inline float philox_open_unit(uint32_t word) { return (static_cast<float>(word >> 8) + 1.0f) * 0x1p-24f; }

}  // namespace ldlm
