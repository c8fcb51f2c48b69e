// The sizes of the networks. Every value comes from the TypeScript configuration; there are no defaults on this side.
#pragma once

#include <cstdint>

namespace ldlm {

struct StackConfig {
  int64_t layers, heads;
};

struct DitConfig {
  int64_t layers, width, heads;
};

struct ModelConfig {
  int64_t max_length;    // L
  int64_t latents;       // N
  int64_t latent_width;  // D
  int64_t hidden_width;  // H, of the pretrained LM
  int64_t vocabulary;    // V, of the pretrained LM
  StackConfig latent_encoder, latent_decoder, token_decoder;
  DitConfig dit;
  bool free_scale;  // z0 without its final RMS norm
  double stagger;   // how much later the last latent is denoised than the first (DiT::times)
};

}  // namespace ldlm
