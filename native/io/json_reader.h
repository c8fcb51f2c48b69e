// A strict, bounded pull reader for the little JSON that comes with tensor files (safetensors headers, shard indexes). Not a
// document model: the caller says what must come next. Every error is an IoError with the source and the byte.
#pragma once

#include <string_view>

#include "torch.h"

namespace ldlm {

class JsonReader {
 public:
  // `text` must outlive the reader; `source` names it in errors.
  JsonReader(std::string_view text, std::string source) : text_(text), source_(std::move(source)) {}

  // Calls on_member(key) for each member; it must consume the value. A key that comes twice is refused.
  void object(const std::function<void(const std::string& key)>& on_member);
  // Calls on_element() for each element; it must consume the value.
  void array(const std::function<void()>& on_element);
  // UTF-8, escapes resolved.
  std::string string();
  // A non-negative integer below 2^63, digits only.
  int64_t integer();
  // Passes over any value, nested at most 32 deep.
  void skip_value();
  // Only white space may be left.
  void end();

  // Throws: "<source>: <what> at byte <n> of the JSON".
  [[noreturn]] void fail(const std::string& what) const;

 private:
  void skip_space();
  bool accept(char wanted);
  void expect(char wanted);
  void skip_number();
  void skip_word(std::string_view word);
  void append_escape(std::string& out);
  uint32_t hex4();

  std::string_view text_;
  std::string source_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace ldlm
