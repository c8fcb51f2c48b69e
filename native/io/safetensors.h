// The safetensors format: 8 bytes little-endian header length, JSON header, tensor data. Nothing in a file is trusted.
// Dtypes: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL.
#pragma once

#include <map>

#include "torch.h"

namespace ldlm {

using TensorMap = std::map<std::string, Tensor>;

// Maps the file and returns its tensors as views of the mapping (the mapping lives as long as any of them; do not write to them).
// Refuses, with an IoError naming the file and the field: header over 100 MB or longer than the file, broken JSON, unknown
// dtype, offsets that overlap, leave gaps or leave the file, shape x dtype != bytes, duplicate names, booleans other than 0 and 1.
// A file that cannot be opened is an IoError.
TensorMap read_safetensors(const std::string& path);

// Writes to `path`.tmp, syncs, renames. Tensors may live on any device and are written contiguous, the widest dtype first, so that
// each is aligned, and else in the order of the map. Names and metadata must be UTF-8.
// Throws IoError ("No space left on device") when the file cannot be written; `path` is then untouched.
void write_safetensors(const std::string& path, const TensorMap& tensors, const std::map<std::string, std::string>& metadata);

}  // namespace ldlm
