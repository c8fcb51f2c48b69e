// Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): the momentum of a matrix, replaced by the nearest semi-orthogonal one, so
// that every direction of it learns at one pace. Scaled to AdamW's usual step (Liu et al. 2025, arXiv 2502.16982, section 2.2).
#pragma once

#include "torch.h"

namespace ldlm {

// U V^T of the singular value decomposition U S V^T of `matrix` [R, C], with singular values within about 0.7 to 1.2: five quintic
// Newton-Schulz iterations. fp32 on a CPU, bf16 inside on a GPU. A matrix of zeros stays zeros.
Tensor orthogonalized(const Tensor& matrix);

// One update in place. momentum_RC <- lerp towards the gradient; parameter <- parameter (1 - lr weight_decay) - lr 0.2 sqrt(max(R, C)) O
// with O orthogonalized from Nesterov's look-ahead. The root mean square of the step is 0.2 lr, whatever the shape.
// lr is a scalar on the device: 0 leaves the parameter alone.
void muon_update(const Tensor& parameter_RC, const Tensor& gradient_RC, const Tensor& momentum_RC, double momentum, const Tensor& lr, double weight_decay);

}  // namespace ldlm
