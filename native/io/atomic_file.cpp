#include "io/atomic_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "io/io_error.h"

namespace ldlm {
namespace {

// A rename is on disk only when its folder is.
bool sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  const FileDescriptor file(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // EINVAL: a file system that cannot sync folders; nothing more can be done there.
  return file.get() >= 0 && (::fsync(file.get()) == 0 || errno == EINVAL);
}

}  // namespace

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)),
      temporary_(path_ + ".tmp"),
      file_(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (file_.get() < 0) fail("a file that can be created");
}

AtomicFile::~AtomicFile() {
  file_.close();
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* requirement) const { throw_io_error(path_, requirement, errno); }

void AtomicFile::write(std::string_view bytes) {
  constexpr size_t kLargest = size_t{1} << 30;  // Linux writes at most 2^31 - 4096 bytes a call
  while (!bytes.empty()) {
    const ssize_t written = ::write(file_.get(), bytes.data(), std::min(bytes.size(), kLargest));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("a file that can be written");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void AtomicFile::commit() {
  if (::fsync(file_.get()) != 0) fail("a file that can be synced");
  if (file_.close() != 0) fail("a file that can be written");  // network file systems report a full disk here
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("a new name or a plain file");
  committed_ = true;
  if (!sync_folder_of(path_)) fail("in a folder that can be synced (it is complete, but may not survive a power cut)");
}

}  // namespace ldlm
