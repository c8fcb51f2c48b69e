// A folder that is gone when the test ends, small files in it, and the text of an error.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "io/io_error.h"
#include "torch.h"

namespace ldlm::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ldlm-test-XXXXXX").string();
    TORCH_CHECK(::mkdtemp(pattern.data()) != nullptr, "no temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The message of the Error that `action` throws; "" and a failure when it throws none.
template <typename Error = c10::ValueError>
std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    if constexpr (std::is_base_of_v<c10::Error, Error>) {
      return error.what_without_backtrace();
    } else {
      return error.what();
    }
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

// The message must hold `part`.
#define EXPECT_ERROR_OF(Error, action, part)                                      \
  do {                                                                            \
    const std::string message = ::ldlm::test::error_of<Error>([&] { action; });   \
    EXPECT_NE(message.find(part), std::string::npos) << "the message: " << message; \
  } while (false)
#define EXPECT_ERROR(action, part) EXPECT_ERROR_OF(c10::ValueError, action, part)
// Of a file that does not hold what it must.
#define EXPECT_FILE_ERROR(action, part) EXPECT_ERROR_OF(::ldlm::IoError, action, part)

}  // namespace ldlm::test
