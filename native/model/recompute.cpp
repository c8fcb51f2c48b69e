#include "model/recompute.h"

#include "model/autocast.h"

namespace ldlm {

namespace {

thread_local bool recompute_enabled = false;

struct KeptCall : torch::CustomClassHolder {
  BlockCall call;
  size_t inputs;
  bool autocast;
};

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class RecomputedBlock : public torch::autograd::Function<RecomputedBlock> {
 public:
  // `tensors`: the inputs, then the parameters. In a TensorList autograd sees them, in a vector it does not.
  static Tensor forward(AutogradContext* context, const c10::intrusive_ptr<KeptCall>& kept, const at::TensorList& tensors) {
    context->saved_data["kept"] = c10::IValue::make_capsule(kept);
    context->save_for_backward(tensors.vec());
    return kept->call({tensors.begin(), tensors.begin() + static_cast<std::ptrdiff_t>(kept->inputs)});
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto kept = c10::static_intrusive_pointer_cast<KeptCall>(context->saved_data["kept"].toCapsule());
    variable_list leaves = context->get_saved_variables();
    for (size_t i = 0; i < kept->inputs; ++i) leaves[i] = leaves[i].detach().requires_grad_(leaves[i].requires_grad());
    Tensor output;
    {
      const c10::AutoGradMode with_gradients(true);
      const Autocast autocast(kept->autocast);
      output = kept->call({leaves.begin(), leaves.begin() + static_cast<std::ptrdiff_t>(kept->inputs)});
    }
    variable_list wanted;
    for (const Tensor& leaf : leaves) {
      if (leaf.requires_grad()) wanted.push_back(leaf);
    }
    const variable_list found = torch::autograd::grad({output}, wanted, {gradients[0]}, /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
    variable_list result(1);  // of `kept`
    size_t next = 0;
    for (const Tensor& leaf : leaves) result.push_back(leaf.requires_grad() ? found[next++] : Tensor());
    return result;
  }
};

}  // namespace

Recompute::Recompute(bool enabled) : before_(recompute_enabled) { recompute_enabled = recompute_enabled || enabled; }
Recompute::~Recompute() { recompute_enabled = before_; }
bool Recompute::enabled() { return recompute_enabled; }

Tensor recomputed(BlockCall call, const std::vector<Tensor>& inputs, const std::vector<NamedParameter>& parameters) {
  auto kept = c10::make_intrusive<KeptCall>();
  kept->call = std::move(call);
  kept->inputs = inputs.size();
  kept->autocast = at::autocast::is_autocast_enabled(at::kCUDA);
  variable_list tensors = inputs;
  for (const NamedParameter& parameter : parameters) tensors.push_back(parameter.tensor);
  return RecomputedBlock::apply(kept, at::TensorList(tensors));
}

}  // namespace ldlm
