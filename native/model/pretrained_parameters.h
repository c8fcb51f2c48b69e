// Matches the tensors of a Hugging Face file with the parameters of a network, strictly in both directions.
#pragma once

#include "io/safetensors.h"
#include "model/parameters.h"

namespace ldlm {

// How a family names its tensors.
struct PretrainedNaming {
  std::string prefix;                       // "transformer." or "bert.", present or not
  bool (*may_skip)(const std::string& name);  // tensors without a use here; the name is without prefix
};

// Makes each parameter that `visit` shows the tensor of its name, on `device` and in the dtype that the parameter has. What is so already
// is not copied: the parameter is then the tensor itself, a view of a mapped file, and must not be written to. Before, parameters need
// shape and dtype only (device meta).
// Throws an IoError that names the tensors when a parameter is missing or of another shape, or when a tensor has neither a
// use nor leave to be skipped.
void bind_pretrained(const std::function<void(const ParameterVisitor&)>& visit, const TensorMap& tensors,
                     const PretrainedNaming& naming, const std::string& folder, const at::Device& device);

}  // namespace ldlm
