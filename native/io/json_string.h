// Text as JSON wants it: well-formed UTF-8 and quoting.
#pragma once

#include <string>
#include <string_view>

namespace ldlm {

// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool is_utf8(std::string_view text);

// `text` as a JSON string with its quotes. `text` must be UTF-8.
std::string quote_json(std::string_view text);

}  // namespace ldlm
