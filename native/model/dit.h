// The denoising network (x_u, u, self-condition) -> z0_hat: a diffusion transformer (Peebles & Xie 2023) with adaLN-zero, RoPE and
// RMS norm on queries and keys. The self-condition (the previous estimate of z0, Chen et al. 2023) enters by concatenation.
// Fed the schedule time u, never the warped time t. Two gates by u, one a channel each, carry x_u and the self-condition past the
// blocks to the estimate: at low noise z0_hat is nearly x_u / a(u), which a trunk of the latents' own width is bad at copying
// (docs/log.md has what was measured so far).
#pragma once

#include "model/config.h"
#include "model/layers.h"

namespace ldlm {

// What the network makes of u alone. A sampling step has one u for all samples and computes this once: B is then 1. M is 1 where all
// positions have the same time, else N.
struct DitCondition {
  std::vector<std::vector<Tensor>> blocks;  // of each: shift, scale and gate of attention, then of feed-forward, [B, 1, C]
  std::vector<Tensor> output;               // shift, scale [B, 1, C]
  std::vector<Tensor> skip;                 // gates of x_u and of the self-condition [B, M, D]
  Tensor place;                             // features of every position's own time [B, N, C]; undefined where all have the same
};

constexpr double kDitNormEpsilon = 1e-6;
constexpr int64_t kTimeFeatures = 256;

// cos and sin of 1000 u at 128 frequencies from 1 down to 1e-4, as Peebles & Xie feed their 1000 integer steps. u [B] -> [B, 256]
Tensor time_features(const Tensor& u_B);
// What a layer makes of them, taken apart for adaln and the gates. [B, K width] -> K x [B, 1, width]
std::vector<Tensor> split_modulation(const Tensor& modulation, int64_t width);

struct DitBlock {
  DitBlock(int64_t width, int64_t heads, const at::TensorOptions& options);
  // x [B, N, C], modulation as in DitCondition
  Tensor operator()(const Tensor& x_BNC, const std::vector<Tensor>& modulation, const RotaryTable& rotary) const;
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  int64_t heads;
  Linear modulation;  // C -> shift, scale, gate of attention and of feed-forward
  RmsNorm query_norm, key_norm;
  Linear qkv, output;
  FeedForward feed_forward;
};

struct DiT {
  DiT(const ModelConfig& config, const at::TensorOptions& options);
  // The schedule time of every position, [B, N, 1], or [B, 1, 1] = u where all have the same. With stagger w > 0 it is
  //   u_n = (1 + w) u - w (1 - n / (N - 1)),  clamped:
  // the first positions become clean first, and the later ones are denoised beside them (AR-Diffusion, Wu et al. 2023; Rolling
  // Diffusion, Ruhe et al. 2024).
  Tensor times(const Tensor& u_B) const;
  // Whether a position is being denoised at its time, bool: with stagger, one whose turn has not come or is over is clamped, and what is
  // measured there says nothing about the denoiser.
  Tensor in_flight(const Tensor& times_BM1) const;
  // u [B] in [0, 1]
  DitCondition condition(const Tensor& u_B) const;
  // x_u [B, N, D], self_condition [B, N, D] (zeros where there is none) -> z0_hat [B, N, D]
  Tensor operator()(const Tensor& x_BND, const DitCondition& condition, const Tensor& self_condition_BND) const;
  void reset_parameters(at::Generator& generator);
  void visit(const std::string& prefix, const ParameterVisitor& visitor);

  int64_t positions;
  double stagger;
  RotaryTable rotary;
  Linear input;  // concat(x_u, self-condition) -> C
  Linear time_up, time_down;
  std::vector<DitBlock> blocks;
  Linear output_modulation, output;
  Linear skip;  // C -> gates of x_u and of the self-condition, D each
};

}  // namespace ldlm
