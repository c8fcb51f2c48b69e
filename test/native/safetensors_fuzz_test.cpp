// Mutated files and headers, the same ones in every run. Whatever a file holds, reading it ends in an IoError or in tensors
// that fill its data exactly. Run with -DLDLM_SANITIZE=ON to have every access checked too.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "io/file_descriptor.h"
#include "io/io_error.h"
#include "io/safetensors.h"
#include "io/safetensors_header.h"
#include "temporary_folder.h"

namespace ldlm {
namespace {

class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}

  // One to four changes within the first `span` bytes.
  std::string mutate(std::string bytes, size_t span) {
    for (size_t changes = 1 + below(4); changes > 0; --changes) change(bytes, std::min(span, bytes.size()));
    return bytes;
  }

  size_t below(size_t end) { return end == 0 ? 0 : random_() % end; }

 private:
  void change(std::string& bytes, size_t span) {
    static const char* const kTexts[] = {"9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "0", "1e9", "[", "]",
                                         "{", "}", ",", ":", "\"", "\\u", "\\ud800", "\"F64\"", "\"BOOL\"", "[0,0]", "null", "\xFF",
                                         "\"__metadata__\":{},", "4294967296,4294967296"};
    const size_t at = below(span), length = below(std::min<size_t>(24, span - at) + 1);
    switch (below(7)) {
      case 0: if (at < bytes.size()) bytes[at] = static_cast<char>(random_()); break;
      case 1: if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
      case 2: bytes.erase(at, length); break;
      case 3: bytes.insert(at, bytes.substr(below(span), length)); break;
      case 4: bytes.insert(at, kTexts[below(std::size(kTexts))]); break;
      case 5: bytes.replace(at, length, kTexts[below(std::size(kTexts))]); break;
      default: bytes.resize(below(bytes.size() + 1)); break;
    }
  }

  std::mt19937 random_;
};

// A file in memory: writing 20 000 files to a disk would take longer than reading them.
class MemoryFile {
 public:
  MemoryFile() : file_(::memfd_create("fuzz", MFD_CLOEXEC)) { TORCH_CHECK(file_.get() >= 0, "memfd_create failed"); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }
  void replace(const std::string& bytes) {
    TORCH_CHECK(::ftruncate(file_.get(), static_cast<off_t>(bytes.size())) == 0 &&
                    ::pwrite(file_.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
                "the file in memory cannot be written");
  }

 private:
  FileDescriptor file_;
};

std::string seed_file() { return test::read_file(std::string(LDLM_GOLDEN_DIR) + "/types.safetensors"); }

uint64_t header_length(const std::string& file) {
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  return length;
}

TEST(SafetensorsFuzz, AFileGivesAnErrorOrTensorsThatFillItsData) {
  MemoryFile memory;
  const std::string whole = seed_file();
  const size_t header = header_length(whole);
  Mutator mutator(1);
  int accepted = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string file = mutator.mutate(whole, mutator.below(4) == 0 ? whole.size() : 8 + header);
    // Half of them keep a truthful length, or few would come as far as the JSON.
    if (round % 2 == 0 && file.size() > 8 + whole.size() - header) {
      const uint64_t length = file.size() - (whole.size() - header - 8) - 8;
      std::memcpy(file.data(), &length, 8);
    }
    memory.replace(file);
    try {
      uint64_t bytes = 0, sum = 0;
      for (const auto& [name, tensor] : read_safetensors(memory.path())) {
        const auto* data = static_cast<const unsigned char*>(tensor.const_data_ptr());
        for (size_t i = 0; i < tensor.nbytes(); ++i) sum += data[i];
        bytes += tensor.nbytes();
      }
      ASSERT_EQ(bytes + 8 + header_length(file), file.size()) << sum;
      ++accepted;
    } catch (const IoError&) {
      ++refused;
    }
  }
  // Both outcomes must occur, or the mutations test nothing.
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 10'000);
}

TEST(SafetensorsFuzz, AHeaderGivesAnErrorOrEntriesWithinTheData) {
  const std::string whole = seed_file();
  const std::string header = whole.substr(8, header_length(whole));
  const auto data_bytes = static_cast<int64_t>(whole.size() - 8 - header.size());
  Mutator mutator(2);
  int accepted = 0;
  for (int round = 0; round < 30'000; ++round) {
    const std::string mutant = mutator.mutate(header, header.size());
    const std::vector<char> exact(mutant.begin(), mutant.end());  // no terminator behind it: a sanitizer sees a byte too far
    try {
      int64_t position = 0;
      for (const auto& entry : parse_safetensors_header({exact.data(), exact.size()}, data_bytes, "fuzz").entries) {
        ASSERT_EQ(entry.begin, position);
        position = entry.end;
      }
      ASSERT_EQ(position, data_bytes);
      ++accepted;
    } catch (const IoError&) {
    }
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace ldlm
