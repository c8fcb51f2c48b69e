// The JSON header of a safetensors file: text <-> a checked list of tensors. Touches no file and no tensor.
#pragma once

#include <map>
#include <string_view>

#include "torch.h"

namespace ldlm {

struct SafetensorsEntry {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  int64_t begin, end;  // bytes from the start of the data
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their data
  std::map<std::string, std::string> metadata;
};

// Parses `json`, the header of a file with `data_bytes` bytes of tensor data. What comes back is safe to use: the entries fill the
// data without gap or overlap, shape x dtype is their size and nothing overflows. Else an IoError naming `source` and field.
SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t data_bytes, const std::string& source);

// The header's text, padded with spaces so that the data begins at a multiple of 8 bytes.
std::string format_safetensors_header(const SafetensorsHeader& header);

// Whether the format has a name for `dtype`.
bool safetensors_can_hold(at::ScalarType dtype);

}  // namespace ldlm
