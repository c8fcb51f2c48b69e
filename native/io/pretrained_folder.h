// The tensor files of a Hugging Face layout folder.
#pragma once

#include "io/safetensors.h"

namespace ldlm {

// Reads model.safetensors or, where that is missing, the shards named by model.safetensors.index.json. Every tensor of the index
// must be in the shard that it names, and every tensor of a shard in the index. Views of mappings, as in read_safetensors().
TensorMap read_pretrained_folder(const std::string& folder);

}  // namespace ldlm
