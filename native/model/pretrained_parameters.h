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

// Copies each tensor into its parameter, whatever float dtype it has. Throws a c10::ValueError that names the tensors when a
// parameter is missing or of another shape, or when a tensor has neither a use nor leave to be skipped.
void fill_from_pretrained(const std::vector<NamedParameter>& parameters, const TensorMap& tensors, const PretrainedNaming& naming,
                          const std::string& folder);

}  // namespace ldlm
