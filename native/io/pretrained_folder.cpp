#include "io/pretrained_folder.h"

#include <filesystem>
#include <set>

#include "io/io_error.h"
#include "io/json_reader.h"
#include "io/json_string.h"
#include "io/mapped_file.h"

namespace ldlm {
namespace {

using WeightMap = std::map<std::string, std::string>;  // tensor name -> file name

WeightMap read_index(const std::string& path) {
  const auto file = MappedFile::open(path);
  JsonReader reader(file->bytes(), path);
  WeightMap files;
  reader.object([&](const std::string& key) {
    if (key != "weight_map") return reader.skip_value();
    reader.object([&](const std::string& tensor) {
      const std::string name = reader.string();
      if (name.empty() || name.find('/') != std::string::npos || name == "..") {
        reader.fail("a shard must be a file beside the index, got " + quote_json(name));
      }
      files[tensor] = name;
    });
  });
  reader.end();
  require_in_file(!files.empty(), path, ": weight_map must name at least one tensor");
  return files;
}

}  // namespace

TensorMap read_pretrained_folder(const std::string& folder) {
  const auto root = std::filesystem::path(folder);
  const auto single = root / "model.safetensors", index = root / "model.safetensors.index.json";
  if (std::filesystem::exists(single)) return read_safetensors(single.string());
  require_in_file(std::filesystem::exists(index), folder,
                    ": a pretrained model must hold model.safetensors or model.safetensors.index.json; "
                    "convert other formats with save_pretrained(folder, safe_serialization=True) of Hugging Face transformers");
  const WeightMap files = read_index(index.string());
  std::set<std::string> shards;
  for (const auto& [tensor, file] : files) shards.insert(file);
  TensorMap all;
  for (const auto& shard : shards) {
    for (auto& [name, tensor] : read_safetensors((root / shard).string())) {
      const auto found = files.find(name);
      require_in_file(found != files.end() && found->second == shard, index.string(), ": must name ", shard,
                        " as the file of tensor ", name);
      all.emplace(name, tensor);
    }
  }
  for (const auto& [tensor, file] : files) {
    require_in_file(all.count(tensor) == 1, (root / file).string(), ": must hold tensor ", tensor, ", which the index names");
  }
  return all;
}

}  // namespace ldlm
