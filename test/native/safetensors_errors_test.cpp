// What the system or the caller can do wrong around a safetensors file: every error says why, and the old file stays.
#include <sys/resource.h>

#include <csignal>

#include "io/io_error.h"
#include "io/safetensors.h"
#include "temporary_folder.h"

namespace ldlm {
namespace {

class SafetensorsErrors : public testing::Test {
 protected:
  test::TemporaryFolder folder_;
  std::string path_ = folder_ / "x.safetensors";
};

TEST_F(SafetensorsErrors, RefusesToWriteWhatTheFormatCannotHold) {
  EXPECT_ERROR(write_safetensors(path_, {{"a", at::zeros({2}, at::kComplexFloat)}}, {}), "tensor a must have a dtype");
  EXPECT_ERROR(write_safetensors(path_, {{"a", Tensor()}}, {}), "an undefined tensor");
  EXPECT_ERROR(write_safetensors(path_, {{"__metadata__", at::zeros({2})}}, {}), "not __metadata__");
  EXPECT_ERROR(write_safetensors(path_, {{"\xFF", at::zeros({2})}}, {}), "must be UTF-8");
  EXPECT_ERROR(write_safetensors(path_, {{"a", at::zeros({2})}}, {{"k", "\xFF"}}), "metadata must be UTF-8");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SafetensorsErrors, SaysWhyAFileCannotBeOpened) {
  const auto error = [](const std::function<void()>& action) { return test::error_of<IoError>(action); };
  EXPECT_NE(error([&] { read_safetensors(folder_ / "none"); }).find("No such file or directory"), std::string::npos);
  EXPECT_NE(error([&] { read_safetensors(folder_.path()); }).find("must be a plain file"), std::string::npos);
  EXPECT_NE(error([&] { write_safetensors(folder_ / "none/x", {{"a", at::zeros({2})}}, {}); }).find("No such file or directory"),
            std::string::npos);
  std::filesystem::create_directory(path_);
  EXPECT_NE(error([&] { write_safetensors(path_, {{"a", at::zeros({2})}}, {}); }).find("Is a directory"), std::string::npos);
}

TEST_F(SafetensorsErrors, LeavesTheOldFileWhenTheDiskIsFull) {
  write_safetensors(path_, {{"a", at::ones({2})}}, {});
  std::filesystem::create_symlink("/dev/full", path_ + ".tmp");
  const std::string message =
      test::error_of<IoError>([&] { write_safetensors(path_, {{"a", at::zeros({100'000})}}, {}); });
  EXPECT_NE(message.find("No space left on device"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::is_symlink(path_ + ".tmp"));
  EXPECT_TRUE(at::equal(read_safetensors(path_).at("a"), at::ones({2})));
}

TEST_F(SafetensorsErrors, RemovesAFileThatWasCutShortByTheSystem) {
  struct rlimit old_limit{};
  ::getrlimit(RLIMIT_FSIZE, &old_limit);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small{4096, old_limit.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string message =
      test::error_of<IoError>([&] { write_safetensors(path_, {{"a", at::zeros({100'000})}}, {}); });
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

}  // namespace
}  // namespace ldlm
