#include "io/json_reader.h"

#include "io/json_string.h"
#include "temporary_folder.h"

namespace ldlm {
namespace {

std::string parse_string(const std::string& json) {
  JsonReader reader(json, "here");
  const std::string value = reader.string();
  reader.end();
  return value;
}

int64_t parse_integer(const std::string& json) {
  JsonReader reader(json, "here");
  const int64_t value = reader.integer();
  reader.end();
  return value;
}

void pass_over(const std::string& json) {
  JsonReader reader(json, "here");
  reader.skip_value();
  reader.end();
}

TEST(JsonReader, ResolvesEscapesAndSurrogatePairs) {
  EXPECT_EQ(parse_string(R"("a\"\\\/\b\f\n\r\t")"), "a\"\\/\b\f\n\r\t");
  EXPECT_EQ(parse_string(R"("\u0041\u00e9\u65e5\ud83d\ude00")"), "Aé日😀");
}

TEST(JsonReader, ReadsBackWhatQuoteJsonWrote) {
  constexpr char kText[] = "quote \" slash \\ newline \n zero \0 é 日 😀";
  const std::string text(kText, sizeof(kText) - 1);
  ASSERT_TRUE(is_utf8(text));
  EXPECT_EQ(parse_string(quote_json(text)), text);
}

TEST(JsonReader, RefusesBrokenStrings) {
  EXPECT_FILE_ERROR(parse_string("\"abc"), "here: unterminated string at byte 4");
  EXPECT_FILE_ERROR(parse_string("\"a\\"), "unterminated string");
  EXPECT_FILE_ERROR(parse_string("\"a\nb\""), "raw control character");
  EXPECT_FILE_ERROR(parse_string(R"("\x41")"), "unknown escape");
  EXPECT_FILE_ERROR(parse_string(R"("\u00g0")"), "four hex digits");
  EXPECT_FILE_ERROR(parse_string(R"("\u00)"), "four hex digits");
  for (const char* lone : {R"("\ud83d")", R"("\ud83dx")", R"("\ud83d\n")", R"("\ud83d\u0041")", R"("\ude00")"}) {
    EXPECT_FILE_ERROR(parse_string(lone), "half a surrogate pair");
  }
}

TEST(JsonReader, RefusesTextThatIsNotUtf8) {
  for (const char* bad : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xFF"}) {
    EXPECT_FALSE(is_utf8(bad));
    EXPECT_FILE_ERROR(parse_string(std::string("\"").append(bad).append("\"")), "not UTF-8");
  }
}

TEST(JsonReader, TakesOnlyNonNegativeIntegersBelowTwoToThe63) {
  EXPECT_EQ(parse_integer(" 0 "), 0);
  EXPECT_EQ(parse_integer("9223372036854775807"), INT64_MAX);
  EXPECT_FILE_ERROR(parse_integer("9223372036854775808"), "below 2^63");
  EXPECT_FILE_ERROR(parse_integer("99999999999999999999999"), "below 2^63");
  for (const char* bad : {"-1", "01", "1.0", "1e3", "", "x", "+1", "\"1\"", "true"}) {
    EXPECT_FILE_ERROR(parse_integer(bad), "expected a non-negative integer");
  }
}

TEST(JsonReader, PassesOverAnyValueAndRefusesWhatIsNone) {
  pass_over(R"( {"a": [1, -2.5e+3, 0.1, "x", true, false, null, {}, []], "b": {"c": 1E5}} )");
  for (const char* bad : {"", "{", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "{\"a\":1,}", "tru", "-", "1.", "1e", ".5", "[1 2]", "NaN"}) {
    EXPECT_NE(test::error_of<IoError>([&] { pass_over(bad); }), "") << bad;
  }
  EXPECT_FILE_ERROR(pass_over("01"), "unexpected text after the end");
  EXPECT_FILE_ERROR(pass_over("{} {}"), "unexpected text after the end");
}

TEST(JsonReader, RefusesAKeyThatComesTwice) {
  EXPECT_FILE_ERROR(pass_over(R"({"a": 1, "\u0061": 2})"), "the key \"a\" comes twice");
}

TEST(JsonReader, RefusesNestingThatCouldExhaustTheStack) {
  pass_over(std::string(32, '[') + std::string(32, ']'));
  EXPECT_FILE_ERROR(pass_over(std::string(33, '[') + std::string(33, ']')), "at most 32 deep");
  EXPECT_FILE_ERROR(pass_over(std::string(1'000'000, '[')), "at most 32 deep");
}

}  // namespace
}  // namespace ldlm
