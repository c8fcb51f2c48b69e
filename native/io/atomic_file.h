// Writes a file so that readers, and a machine that loses power, see the whole new content or the old one: temporary name, fsync,
// rename, fsync of the folder. One writer per path at a time.
#pragma once

#include <string>
#include <string_view>

#include "io/file_descriptor.h"

namespace ldlm {

class AtomicFile {
 public:
  // Opens `path`.tmp. All methods throw IoError and leave `path` as it was.
  explicit AtomicFile(std::string path);
  // Removes the temporary file if commit() was not reached.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* requirement) const;

  std::string path_, temporary_;
  FileDescriptor file_;
  bool committed_ = false;
};

}  // namespace ldlm
