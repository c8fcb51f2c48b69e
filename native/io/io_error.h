// What the operating system refused: opening, reading, writing or renaming a file. Reaches JavaScript as ERR_LDLM_IO.
#pragma once

#include <stdexcept>
#include <string>

namespace ldlm {

struct IoError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws IoError "PATH must be REQUIREMENT, got: <errno's text>; <what to do, where that is known>".
[[noreturn]] void throw_io_error(const std::string& path, const char* requirement, int error_number);

}  // namespace ldlm
