#include "io/safetensors_header.h"

#include <algorithm>

#include "io/io_error.h"
#include "io/json_reader.h"
#include "io/json_string.h"

namespace ldlm {
namespace {

constexpr size_t kMaxDimensions = 32;
constexpr std::string_view kMetadata = "__metadata__";

struct DtypeName {
  std::string_view name;
  at::ScalarType dtype;
};
constexpr DtypeName kDtypes[] = {{"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16},
                                 {"I64", at::kLong},   {"I32", at::kInt},   {"I16", at::kShort}, {"I8", at::kChar},
                                 {"U8", at::kByte},    {"BOOL", at::kBool}};

at::ScalarType parse_dtype(const std::string& name, const JsonReader& reader) {
  for (const auto& known : kDtypes) {
    if (known.name == name) return known.dtype;
  }
  reader.fail("dtype must be one of F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL, got " + quote_json(name));
}

std::vector<int64_t> parse_integers(JsonReader& reader, size_t at_most) {
  std::vector<int64_t> values;
  reader.array([&] {
    if (values.size() == at_most) reader.fail("a list must have at most " + std::to_string(at_most) + " numbers");
    values.push_back(reader.integer());
  });
  return values;
}

SafetensorsEntry parse_entry(JsonReader& reader, const std::string& name) {
  SafetensorsEntry entry{name, at::kFloat, {}, 0, 0};
  int fields = 0;  // three known keys, none twice: three fields are all of them
  reader.object([&](const std::string& key) {
    ++fields;
    if (key == "dtype") {
      entry.dtype = parse_dtype(reader.string(), reader);
    } else if (key == "shape") {
      entry.shape = parse_integers(reader, kMaxDimensions);
    } else if (key == "data_offsets") {
      const auto offsets = parse_integers(reader, 2);
      if (offsets.size() != 2) reader.fail("data_offsets must be [begin, end]");
      entry.begin = offsets[0], entry.end = offsets[1];
    } else {
      reader.fail("unknown key " + quote_json(key) + " of tensor " + quote_json(name));
    }
  });
  if (fields != 3) reader.fail("tensor " + quote_json(name) + " must have dtype, shape and data_offsets");
  return entry;
}

// Bytes of shape x dtype. Zero sizes count as one for the overflow check, because ATen multiplies strides that way.
int64_t checked_bytes(const SafetensorsEntry& entry, const std::string& source) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(entry.dtype));
  bool empty = false;
  for (const int64_t size : entry.shape) {
    empty |= size == 0;
    require_in_file(!__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes), source, ": the shape of tensor ",
                      quote_json(entry.name), " must have fewer than 2^63 bytes, got ", at::IntArrayRef(entry.shape));
  }
  return empty ? 0 : bytes;
}

void check_layout(std::vector<SafetensorsEntry>& entries, int64_t data_bytes, const std::string& source) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  int64_t position = 0;
  for (const auto& entry : entries) {
    const int64_t bytes = checked_bytes(entry, source);
    require_in_file(entry.begin == position, source, ": data_offsets of tensor ", quote_json(entry.name), " must begin at ",
                      position, ", where the tensor before it ends, got ", entry.begin);
    require_in_file(entry.end >= entry.begin && entry.end - entry.begin == bytes, source, ": data_offsets of tensor ",
                      quote_json(entry.name), " must span ", bytes, " bytes (shape x dtype), got [", entry.begin, ", ",
                      entry.end, "]");
    require_in_file(entry.end <= data_bytes, source, ": tensor ", quote_json(entry.name), " must end within the ", data_bytes,
                      " bytes of data, got end ", entry.end, "; the file is cut short");
    position = entry.end;
  }
  require_in_file(position == data_bytes, source, ": the tensors must fill the ", data_bytes, " bytes of data, got ", position);
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t data_bytes, const std::string& source) {
  JsonReader reader(json, source);
  SafetensorsHeader header;
  reader.object([&](const std::string& name) {
    if (name == kMetadata) {
      reader.object([&](const std::string& key) { header.metadata[key] = reader.string(); });
    } else {
      header.entries.push_back(parse_entry(reader, name));
    }
  });
  reader.end();
  check_layout(header.entries, data_bytes, source);
  return header;
}

std::string format_safetensors_header(const SafetensorsHeader& header) {
  std::string out = "{";
  if (!header.metadata.empty()) {
    out += quote_json(kMetadata) + ":{";
    for (const auto& [key, value] : header.metadata) {
      if (out.back() != '{') out.push_back(',');
      out += quote_json(key) + ":" + quote_json(value);
    }
    out.push_back('}');
  }
  for (const auto& entry : header.entries) {
    if (out.size() > 1) out.push_back(',');
    const auto known = std::find_if(std::begin(kDtypes), std::end(kDtypes), [&](const auto& d) { return d.dtype == entry.dtype; });
    TORCH_INTERNAL_ASSERT(known != std::end(kDtypes));
    out += quote_json(entry.name) + ":{\"dtype\":\"" + std::string(known->name) + "\",\"shape\":[";
    for (const int64_t size : entry.shape) {
      if (out.back() != '[') out.push_back(',');
      out += std::to_string(size);
    }
    out += "],\"data_offsets\":[" + std::to_string(entry.begin) + "," + std::to_string(entry.end) + "]}";
  }
  out.push_back('}');
  out.resize((out.size() + 7) / 8 * 8, ' ');
  return out;
}

bool safetensors_can_hold(at::ScalarType dtype) {
  return std::any_of(std::begin(kDtypes), std::end(kDtypes), [&](const auto& known) { return known.dtype == dtype; });
}

}  // namespace ldlm
