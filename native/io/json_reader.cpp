#include "io/json_reader.h"

#include <set>

#include "io/io_error.h"
#include "io/json_string.h"

namespace ldlm {
namespace {

constexpr int kMaxDepth = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, uint32_t point) {
  const auto tail = [&](int shift) { out.push_back(static_cast<char>(0x80 | ((point >> shift) & 0x3F))); };
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (point >> 6)));
    tail(0);
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (point >> 12)));
    tail(6), tail(0);
  } else {
    out.push_back(static_cast<char>(0xF0 | (point >> 18)));
    tail(12), tail(6), tail(0);
  }
}

}  // namespace

void JsonReader::fail(const std::string& what) const {
  throw IoError(source_ + ": " + what + " at byte " + std::to_string(at_) + " of the JSON");
}

void JsonReader::skip_space() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
}

bool JsonReader::accept(char wanted) {
  skip_space();
  if (at_ >= text_.size() || text_[at_] != wanted) return false;
  ++at_;
  return true;
}

void JsonReader::expect(char wanted) {
  if (!accept(wanted)) fail(std::string("expected '") + wanted + "'");
}

void JsonReader::object(const std::function<void(const std::string&)>& on_member) {
  expect('{');
  if (++depth_ > kMaxDepth) fail("nesting must be at most 32 deep");
  std::set<std::string> seen;
  if (!accept('}')) {
    do {
      const std::string key = string();
      if (!seen.insert(key).second) fail("the key " + quote_json(key) + " comes twice");
      expect(':');
      on_member(key);
    } while (accept(','));
    expect('}');
  }
  --depth_;
}

void JsonReader::array(const std::function<void()>& on_element) {
  expect('[');
  if (++depth_ > kMaxDepth) fail("nesting must be at most 32 deep");
  if (!accept(']')) {
    do on_element();
    while (accept(','));
    expect(']');
  }
  --depth_;
}

std::string JsonReader::string() {
  expect('"');
  std::string out;
  for (;;) {
    if (at_ >= text_.size()) fail("unterminated string");
    const char c = text_[at_++];
    if (c == '"') break;
    if (static_cast<unsigned char>(c) < 0x20) fail("raw control character in a string");
    if (c == '\\') {
      append_escape(out);
    } else {
      out.push_back(c);
    }
  }
  if (!is_utf8(out)) fail("a string that is not UTF-8 ends");
  return out;
}

void JsonReader::append_escape(std::string& out) {
  constexpr std::string_view kShort = "\"\\/bfnrt", kMeaning = "\"\\/\b\f\n\r\t";
  if (at_ >= text_.size()) fail("unterminated string");
  const char c = text_[at_++];
  if (const size_t found = kShort.find(c); found != std::string_view::npos) {
    out.push_back(kMeaning[found]);
    return;
  }
  if (c != 'u') fail("unknown escape");
  uint32_t point = hex4();
  if (point >= 0xD800 && point < 0xDC00) {  // the first half of a surrogate pair
    if (at_ + 1 >= text_.size() || text_[at_] != '\\' || text_[at_ + 1] != 'u') fail("half a surrogate pair");
    at_ += 2;
    const uint32_t low = hex4();
    if (low < 0xDC00 || low > 0xDFFF) fail("half a surrogate pair");
    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
  } else if (point >= 0xDC00 && point <= 0xDFFF) {
    fail("half a surrogate pair");
  }
  append_utf8(out, point);
}

uint32_t JsonReader::hex4() {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    const bool lower = c >= 'a' && c <= 'f', upper = c >= 'A' && c <= 'F';
    if (!is_digit(c) && !lower && !upper) fail("expected four hex digits");
    value = value * 16 + static_cast<uint32_t>(is_digit(c) ? c - '0' : lower ? c - 'a' + 10 : c - 'A' + 10);
    ++at_;
  }
  return value;
}

int64_t JsonReader::integer() {
  skip_space();
  const size_t start = at_;
  int64_t value = 0;
  for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
    if (__builtin_mul_overflow(value, int64_t{10}, &value) || __builtin_add_overflow(value, int64_t{text_[at_] - '0'}, &value)) {
      fail("integer must be below 2^63");
    }
  }
  const char next = at_ < text_.size() ? text_[at_] : '\0';
  const bool leading_zero = at_ - start > 1 && text_[start] == '0';
  if (at_ == start || leading_zero || next == '.' || next == 'e' || next == 'E') fail("expected a non-negative integer");
  return value;
}

void JsonReader::skip_value() {
  skip_space();
  switch (at_ < text_.size() ? text_[at_] : '\0') {
    case '{': return object([&](const std::string&) { skip_value(); });
    case '[': return array([&] { skip_value(); });
    case '"': return static_cast<void>(string());
    case 't': return skip_word("true");
    case 'f': return skip_word("false");
    case 'n': return skip_word("null");
    default: return skip_number();
  }
}

void JsonReader::skip_word(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) fail("expected a value");
  at_ += word.size();
}

void JsonReader::skip_number() {
  const auto peek = [&] { return at_ < text_.size() ? text_[at_] : '\0'; };
  const auto digits = [&] {
    if (!is_digit(peek())) fail("expected a value");
    while (is_digit(peek())) ++at_;
  };
  if (peek() == '-') ++at_;
  if (peek() == '0') {
    ++at_;  // no digit may follow a leading zero
  } else {
    digits();
  }
  if (peek() == '.') ++at_, digits();
  if (peek() == 'e' || peek() == 'E') {
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    digits();
  }
}

void JsonReader::end() {
  skip_space();
  if (at_ != text_.size()) fail("unexpected text after the end");
}

}  // namespace ldlm
