#include "model/pretrained_layers.h"

#include "ops/gelu/gelu.h"

namespace ldlm {
namespace {

bool all_within(const Tensor& values, int64_t first, int64_t last) {
  if (values.numel() == 0) return true;
  return values.min().item<int64_t>() >= first && values.max().item<int64_t>() <= last;
}

bool is_integer(const Tensor& x) { return x.scalar_type() == at::kLong || x.scalar_type() == at::kInt; }

}  // namespace

LayerNorm::LayerNorm(int64_t width, double epsilon, const at::TensorOptions& options)
    : weight(at::empty({width}, options)), bias(at::empty({width}, options)), epsilon(epsilon) {}

void LayerNorm::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(join_name(prefix, "weight"), weight);
  visitor(join_name(prefix, "bias"), bias);
}

PretrainedRmsNorm::PretrainedRmsNorm(int64_t width, double epsilon, const at::TensorOptions& options)
    : weight(at::empty({width}, options)), epsilon(epsilon) {}

void PretrainedRmsNorm::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(join_name(prefix, "weight"), weight);
}

Conv1d::Conv1d(int64_t in, int64_t out, const at::TensorOptions& options)
    : weight(at::empty({in, out}, options)), bias(at::empty({out}, options)) {}

Tensor Conv1d::operator()(const Tensor& x) const { return ldlm::linear(x, weight.t(), bias); }

void Conv1d::visit(const std::string& prefix, const ParameterVisitor& visitor) {
  visitor(join_name(prefix, "weight"), weight);
  visitor(join_name(prefix, "bias"), bias);
}

Activation parse_activation(const std::string& name) {
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_new") return Activation::kGeluTanh;
  if (name == "relu") return Activation::kRelu;
  if (name == "silu") return Activation::kSilu;
  TORCH_CHECK_VALUE(false, "activation must be gelu, gelu_new, relu or silu, got ", name);
}

Tensor activate(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kGelu: return at::gelu(x, "none");
    case Activation::kGeluTanh: return gelu_tanh(x);
    case Activation::kRelu: return at::relu(x);
    case Activation::kSilu: return at::silu(x);
  }
  TORCH_INTERNAL_ASSERT(false);
}

Tensor padding_mask(const Tensor& lengths_B, int64_t length) {
  const Tensor column = at::arange(length, lengths_B.options());
  return (column.unsqueeze(0) < lengths_B.clamp_min(1).unsqueeze(1)).unsqueeze(1).unsqueeze(1);
}

Tensor positions_behind_padding(const Tensor& ids_BL, int64_t padding_id) {
  const Tensor real = ids_BL.ne(padding_id);
  return real.cumsum(1).mul(real).add(padding_id);
}

void check_heads(const char* network, int64_t hidden_width, int64_t heads) {
  TORCH_CHECK_VALUE(heads >= 1 && hidden_width % heads == 0, network, ": heads must divide the width ", hidden_width, ", got ", heads);
}

void check_tokens(const char* network, const Tensor& ids_BL, const Tensor& lengths_B, int64_t vocabulary, int64_t positions) {
  TORCH_CHECK_VALUE(ids_BL.dim() == 2 && is_integer(ids_BL) && ids_BL.size(0) >= 1, network,
                    ": ids must be integers [B, L] with a row or more, got ", ids_BL.scalar_type(), " ", ids_BL.sizes());
  const int64_t batch = ids_BL.size(0), length = ids_BL.size(1);
  TORCH_CHECK_VALUE(length >= 1 && length <= positions, network, ": ids must have 1 to ", positions,
                    " tokens a row (the model's positions), got ", length);
  TORCH_CHECK_VALUE(lengths_B.dim() == 1 && lengths_B.size(0) == batch && is_integer(lengths_B), network,
                    ": lengths must be integers [B] = [", batch, "], got ", lengths_B.scalar_type(), " ", lengths_B.sizes());
  if (ids_BL.is_cpu()) {
    TORCH_CHECK_VALUE(all_within(ids_BL, 0, vocabulary - 1), network, ": ids must be in 0..", vocabulary - 1,
                      " (also behind a row's length), got ", ids_BL.min().item<int64_t>(), "..", ids_BL.max().item<int64_t>(),
                      "; was the text tokenized for another model?");
  }
  if (lengths_B.is_cpu()) {
    TORCH_CHECK_VALUE(all_within(lengths_B, 0, length), network, ": lengths must be in 0..", length, ", got ",
                      lengths_B.min().item<int64_t>(), "..", lengths_B.max().item<int64_t>());
  }
}

int64_t resolve_layer(const char* network, int64_t layer, int64_t layers) {
  TORCH_CHECK_VALUE(layer >= -layers - 1 && layer <= layers, network, ": layer must be in ", -layers - 1, "..", layers,
                    " (an index into hidden_states), got ", layer);
  return layer < 0 ? layer + layers + 1 : layer;
}

}  // namespace ldlm
