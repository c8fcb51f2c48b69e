// A file mapped read-only. Writing through the pointer faults; cutting the file short while it is mapped faults on access.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace ldlm {

class MappedFile {
 public:
  // Throws IoError when `path` cannot be opened or mapped, or is not a regular file.
  static std::shared_ptr<const MappedFile> open(const std::string& path);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_}; }

 private:
  MappedFile(const char* data, size_t size) : data_(data), size_(size) {}

  const char* data_;
  size_t size_;
};

}  // namespace ldlm
