#include "io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "io/atomic_file.h"
#include "io/io_error.h"
#include "io/json_string.h"
#include "io/mapped_file.h"
#include "io/safetensors_header.h"

namespace ldlm {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian and the data is mapped as it is");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kLengthBytes = 8;

Tensor view_of(const std::shared_ptr<const MappedFile>& file, const char* data, const SafetensorsEntry& entry) {
  const auto options = at::TensorOptions(entry.dtype);
  if (entry.end == entry.begin) return at::empty(entry.shape, options);
  const char* first = data + entry.begin;
  if (reinterpret_cast<uintptr_t>(first) % c10::elementSize(entry.dtype) != 0) {  // legal in the format, not for the CPU
    Tensor copy = at::empty(entry.shape, options);
    std::memcpy(copy.mutable_data_ptr(), first, static_cast<size_t>(entry.end - entry.begin));
    return copy;
  }
  return at::from_blob(const_cast<char*>(first), entry.shape, [file](void*) {}, options);
}

std::vector<SafetensorsEntry> lay_out(const TensorMap& tensors, const std::string& path) {
  std::vector<SafetensorsEntry> entries;
  for (const auto& [name, tensor] : tensors) {
    TORCH_CHECK_VALUE(tensor.defined() && safetensors_can_hold(tensor.scalar_type()), path, ": tensor ", name,
                      " must have a dtype of the safetensors format, got ",
                      tensor.defined() ? c10::toString(tensor.scalar_type()) : "an undefined tensor");
    TORCH_CHECK_VALUE(is_utf8(name) && name != "__metadata__", path, ": a tensor's name must be UTF-8 and not __metadata__, got ",
                      name);
    entries.push_back({name, tensor.scalar_type(), tensor.sizes().vec(), 0, static_cast<int64_t>(tensor.nbytes())});
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return c10::elementSize(a.dtype) > c10::elementSize(b.dtype); });
  int64_t position = 0;
  for (auto& entry : entries) {
    entry.begin = position;
    entry.end = position += entry.end;
  }
  return entries;
}

}  // namespace

TensorMap read_safetensors(const std::string& path) {
  const auto file = MappedFile::open(path);
  const std::string_view bytes = file->bytes();
  require_in_file(bytes.size() >= kLengthBytes, path, ": a safetensors file must have at least 8 bytes, got ", bytes.size());
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  require_in_file(header_bytes <= kMaxHeaderBytes, path, ": the header must have at most ", kMaxHeaderBytes, " bytes, got ",
                    header_bytes, "; is this a safetensors file?");
  require_in_file(header_bytes <= bytes.size() - kLengthBytes, path, ": the header must end within the file of ", bytes.size(),
                    " bytes, got a header of ", header_bytes, "; the file is cut short");
  const std::string_view data = bytes.substr(kLengthBytes + header_bytes);
  const auto header =
      parse_safetensors_header(bytes.substr(kLengthBytes, header_bytes), static_cast<int64_t>(data.size()), path);
  TensorMap tensors;
  for (const auto& entry : header.entries) {
    if (entry.dtype == at::kBool) {  // any other byte in a C++ bool is undefined behaviour
      const auto values = data.substr(static_cast<size_t>(entry.begin), static_cast<size_t>(entry.end - entry.begin));
      require_in_file(std::all_of(values.begin(), values.end(), [](char c) { return c == 0 || c == 1; }), path, ": tensor ",
                        quote_json(entry.name), " must hold booleans 0 and 1 only");
    }
    tensors.emplace(entry.name, view_of(file, data.data(), entry));
  }
  return tensors;
}

void write_safetensors(const std::string& path, const TensorMap& tensors, const std::map<std::string, std::string>& metadata) {
  for (const auto& [key, value] : metadata) {
    TORCH_CHECK_VALUE(is_utf8(key) && is_utf8(value), path, ": metadata must be UTF-8, got ", key);
  }
  const SafetensorsHeader header{lay_out(tensors, path), metadata};
  const std::string text = format_safetensors_header(header);
  const uint64_t header_bytes = text.size();
  TORCH_CHECK_VALUE(header_bytes <= kMaxHeaderBytes, path, ": the header must have at most ", kMaxHeaderBytes, " bytes, got ",
                    header_bytes);
  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&header_bytes), kLengthBytes});
  file.write(text);
  for (const auto& entry : header.entries) {
    const Tensor values = tensors.at(entry.name).detach().to(at::kCPU).contiguous();
    file.write({static_cast<const char*>(values.const_data_ptr()), values.nbytes()});
  }
  file.commit();
}

}  // namespace ldlm
