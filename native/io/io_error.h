// What the operating system refused (opening, reading, writing or renaming a file), and files that do not hold what they must. Reaches
// JavaScript as ERR_LDLM_IO.
#pragma once

#include <c10/util/StringUtil.h>

#include <stdexcept>
#include <string>

namespace ldlm {

struct IoError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws IoError "PATH must be REQUIREMENT, got: <errno's text>; <what to do, where that is known>".
[[noreturn]] void throw_io_error(const std::string& path, const char* requirement, int error_number);

// Throws IoError with the text of `parts` unless a file holds what it must.
template <typename... Parts>
void require_in_file(bool holds, const Parts&... parts) {
  if (!holds) throw IoError(c10::str(parts...));
}

}  // namespace ldlm
