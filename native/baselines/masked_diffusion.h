// Masked diffusion (MDLM, Sahoo et al. 2024): tokens are replaced by a mask, each with probability t at time t (log-linear schedule,
// alpha = 1 - t), and the network predicts the clean tokens at the masks. SUBS parameterisation: no probability for the mask, and tokens
// that are there stay. Knows no network.
#pragma once

#include "baselines/token_sampler.h"

namespace ldlm {

// A batch with masks, and what its loss needs. K: masked tokens of the batch.
struct MaskedTokens {
  Tensor ids_BL;       // int64, `mask_id` at the masks
  Tensor positions_K;  // into the flat batch [B * L]
  Tensor targets_K;    // the ids that were there
  Tensor weights_K;    // fp32, 1 / t of the row: -alpha' / (1 - alpha)
};

// Rows `first_row` ... of a batch of `batch` rows at training step `step`. The times of the batch are stratified, (row + one shared
// number) / batch, which lowers the variance of the loss (their "low-discrepancy sampler"), and not below kLeastTime.
MaskedTokens mask_tokens(const Tensor& ids_BL, int64_t mask_id, int64_t first_row, int64_t batch, uint64_t seed, int64_t step);
inline constexpr double kLeastTime = 1e-3;

// The continuous-time bound on -log p of the rows, nats, summed: of sum over masks of -log p(token) / t. logits [K, V].
Tensor masked_bound_sum(const Tensor& logits_KV, const MaskedTokens& masked);

// Ancestral sampling in `steps` steps from t = 1 to 0, all of it in fp64. In step k of T a mask goes with probability (t - s)/t =
// 1/(T - k), whatever the network says: so the step at which a position loses its mask is uniform, and is drawn first. The network then
// runs only in the steps in which a mask goes (in the others nothing changes: that is MDLM's cache, at any batch size and with a network
// that is conditioned on time too), and its head only at the positions that lose theirs: once each.
TokenSample sample_masked(const TokenDenoiser& denoise, const TokenSampling& sampling, const TokenObserver& observe);

// The same law as it is usually written: in every step the network, its head and a draw at every position. An oracle for the tests, and
// for what the shortcuts save.
TokenSample sample_masked_stepwise(const TokenDenoiser& denoise, const TokenSampling& sampling, const TokenObserver& observe);

}  // namespace ldlm
