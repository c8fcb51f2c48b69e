#include "model/pretrained_parameters.h"

#include "io/io_error.h"

namespace ldlm {
namespace {

// Drops the prefix and spells old BERT files' LayerNorm.gamma and .beta as today's weight and bias.
std::string canonical_name(std::string name, const std::string& prefix) {
  if (name.starts_with(prefix)) name.erase(0, prefix.size());
  for (const auto& [old_end, new_end] : {std::pair{".gamma", ".weight"}, std::pair{".beta", ".bias"}}) {
    if (name.ends_with(std::string("LayerNorm") + old_end)) name.replace(name.rfind('.'), std::string::npos, new_end);
  }
  return name;
}

// "a, b, c and 9 more"
std::string list_names(const std::vector<std::string>& names) {
  constexpr size_t kShown = 6;
  std::string out;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) {
    if (i > 0) out.append(", ");
    out.append(names[i]);
  }
  if (names.size() > kShown) out.append(" and ").append(std::to_string(names.size() - kShown)).append(" more");
  return out;
}

}  // namespace

void bind_pretrained(const std::function<void(const ParameterVisitor&)>& visit, const TensorMap& tensors,
                     const PretrainedNaming& naming, const std::string& folder, const at::Device& device) {
  TensorMap unused;
  for (const auto& [name, tensor] : tensors) {
    require_in_file(unused.emplace(canonical_name(name, naming.prefix), tensor).second, folder, ": tensor ", name,
                      " must come once, got it with and without the prefix ", naming.prefix);
  }
  std::vector<std::string> missing, unknown;
  visit([&](const std::string& name, Tensor& parameter) {
    const auto found = unused.find(name);
    if (found == unused.end()) {
      missing.push_back(name);
      return;
    }
    const Tensor& source = found->second;
    require_in_file(source.sizes() == parameter.sizes() && at::isFloatingType(source.scalar_type()), folder, ": tensor ", name,
                      " must be float ", parameter.sizes(), " by config.json, got ", source.scalar_type(), " ", source.sizes());
    parameter = source.to(device, parameter.scalar_type());
    unused.erase(found);
  });
  for (const auto& [name, tensor] : unused) {
    if (!naming.may_skip(name)) unknown.push_back(name);
  }
  require_in_file(missing.empty(), folder, ": the model must hold every parameter of config.json, missing: ", list_names(missing));
  require_in_file(unknown.empty(), folder, ": the model must hold only what config.json describes, unknown: ",
                    list_names(unknown));
}

}  // namespace ldlm
