#include "io/safetensors.h"

#include <cstring>

#include "temporary_folder.h"

namespace ldlm {
namespace {

const std::string kGolden = LDLM_GOLDEN_DIR;
const std::map<std::string, std::string> kMetadata = {{"made by", "Python \"safetensors\""}, {"ünïcode", "日本\n"}};

// What test/golden/make_safetensors_fixture.py writes.
TensorMap fixture() {
  TensorMap tensors;
  const auto count = [](at::ScalarType dtype) { return at::arange(6).reshape({2, 3}).to(dtype); };
  for (const auto& [name, dtype] : {std::pair{"F64", at::kDouble}, {"F32", at::kFloat}, {"F16", at::kHalf}, {"BF16", at::kBFloat16}}) {
    tensors[name] = count(dtype) * 0.5 - 1;
  }
  for (const auto& [name, dtype] : {std::pair{"I64", at::kLong}, {"I32", at::kInt}, {"I16", at::kShort}, {"I8", at::kChar}}) {
    tensors[name] = count(dtype) - 3;
  }
  tensors["U8"] = (count(at::kLong) + 250).to(at::kByte);
  tensors["BOOL"] = at::tensor({1, 0, 1, 0, 0, 1}).reshape({2, 3}).to(at::kBool);
  tensors["scalar"] = at::scalar_tensor(2.5);
  tensors["empty"] = at::empty({0, 4});
  return tensors;
}

void expect_equal(const TensorMap& found, const TensorMap& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, value] : expected) {
    ASSERT_EQ(found.count(name), 1u) << name;
    EXPECT_EQ(found.at(name).scalar_type(), value.scalar_type()) << name;
    EXPECT_TRUE(at::equal(found.at(name), value)) << name;
  }
}

std::string file_of(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

class Safetensors : public testing::Test {
 protected:
  // Reads a file of this header and `bytes` zero bytes of data.
  TensorMap read(const std::string& header, size_t bytes) {
    test::write_file(path_, file_of(header, std::string(bytes, '\0')));
    return read_safetensors(path_);
  }

  test::TemporaryFolder folder_;
  std::string path_ = folder_ / "x.safetensors";
};

TEST_F(Safetensors, ReadsWhatPythonWrote) { expect_equal(read_safetensors(kGolden + "/types.safetensors"), fixture()); }

// The golden file was read by Python with `make_safetensors_fixture.py --check`.
TEST_F(Safetensors, WritesTheBytesThatPythonRead) {
  write_safetensors(path_, fixture(), kMetadata);
  EXPECT_EQ(test::read_file(path_), test::read_file(kGolden + "/types-native.safetensors"));
}

TEST_F(Safetensors, ReadsBackWhatItWroteFromAnyLayout) {
  TensorMap tensors = fixture();
  tensors["transposed"] = at::arange(12, at::TensorOptions(at::kFloat)).reshape({3, 4}).t();
  tensors["strided"] = at::arange(12, at::TensorOptions(at::kShort)).slice(0, 1, 12, 3);
  tensors["with gradient"] = at::ones({3}).set_requires_grad(true);
  tensors["name \" \\ é"] = at::ones({2});
  write_safetensors(path_, tensors, {});
  expect_equal(read_safetensors(path_), tensors);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".tmp"));
}

TEST_F(Safetensors, KeepsTheMappingAliveAsLongAsATensor) {
  write_safetensors(path_, {{"a", at::full({1000}, 7.0)}, {"b", at::ones({10})}}, {});
  Tensor a = read_safetensors(path_).at("a");
  std::filesystem::remove(path_);
  EXPECT_EQ(a.sum().item<double>(), 7000);
}

TEST_F(Safetensors, ReadsTensorsAtOddAddresses) {
  const std::string header = "{\"a\":" + entry("U8", "[1]", "[0,1]") + ",\"b\":" + entry("F32", "[2]", "[1,9]") + "}";
  const float values[] = {1.5, -2.0};
  std::string data(9, '\1');
  std::memcpy(data.data() + 1, values, 8);
  test::write_file(path_, file_of(header, data));
  EXPECT_TRUE(at::equal(read_safetensors(path_).at("b"), at::tensor({1.5F, -2.0F})));
}

TEST_F(Safetensors, ReadsAnEmptyFileOfTensors) {
  EXPECT_TRUE(read("{}", 0).empty());
  EXPECT_TRUE(read(" {\"__metadata__\": {\"a\": \"b\"}}  \n", 0).empty());
}

TEST_F(Safetensors, RefusesABrokenFrame) {
  const auto read_bytes = [&](const std::string& bytes) {
    test::write_file(path_, bytes);
    read_safetensors(path_);
  };
  EXPECT_FILE_ERROR(read_bytes(""), "must have at least 8 bytes, got 0");
  EXPECT_FILE_ERROR(read_bytes("1234567"), "must have at least 8 bytes, got 7");
  EXPECT_FILE_ERROR(read_bytes(std::string("\x10\0\0\0\0\0\0\0{}", 10)), "the file is cut short");
  EXPECT_FILE_ERROR(read_bytes(std::string("\0\0\0\0\0\0\0\x80{}", 10)), "at most 100000000 bytes, got 9223372036854775808");
  EXPECT_FILE_ERROR(read_bytes(std::string("\1\xE1\xF5\5\0\0\0\0{}", 10)), "at most 100000000 bytes, got 100000001");
  EXPECT_FILE_ERROR(read_bytes(std::string("\0\0\0\0\0\0\0\0", 8)), "expected '{'");
  const std::string whole = test::read_file(kGolden + "/types.safetensors");
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(test::error_of<IoError>([&] { read_bytes(whole.substr(0, length)); }), "") << length;
  }
  EXPECT_FILE_ERROR(read_bytes(whole + "x"), "must fill the");
}

TEST_F(Safetensors, RefusesABrokenEntry) {
  const auto one = [&](const std::string& text) { read("{\"a\":" + text + "}", 8); };
  one(entry("F32", "[2]", "[0,8]"));  // the good one
  EXPECT_FILE_ERROR(one(entry("F31", "[2]", "[0,8]")), "dtype must be one of");
  EXPECT_FILE_ERROR(one(entry("F64", "[2]", "[0,8]")), "must span 16 bytes");
  EXPECT_FILE_ERROR(one(entry("F32", "[3]", "[0,8]")), "must span 12 bytes");
  EXPECT_FILE_ERROR(one(entry("F32", "[-2]", "[0,8]")), "non-negative integer");
  EXPECT_FILE_ERROR(one(entry("F32", "[2.0]", "[0,8]")), "non-negative integer");
  EXPECT_FILE_ERROR(one(entry("F32", "[4]", "[0,16]")), "must end within the 8 bytes");
  EXPECT_FILE_ERROR(one(entry("F32", "[2]", "[0,8,9]")), "at most 2 numbers");
  EXPECT_FILE_ERROR(one(entry("F32", "[2]", "[0]")), "must be [begin, end]");
  EXPECT_FILE_ERROR(one(entry("F32", "[2]", "[8,0]")), "must begin at 0");
  EXPECT_FILE_ERROR(one(entry("F32", "[4294967296,4294967296]", "[0,8]")), "fewer than 2^63 bytes");
  EXPECT_FILE_ERROR(one(entry("U8", "[0,9223372036854775807,9223372036854775807]", "[0,0]")), "fewer than 2^63 bytes");
  EXPECT_FILE_ERROR(one(entry("F32", "[9223372036854775808]", "[0,8]")), "below 2^63");
  EXPECT_FILE_ERROR(one("{\"dtype\":\"F32\",\"shape\":[2]}"), "must have dtype, shape and data_offsets");
  EXPECT_FILE_ERROR(one("{\"dtype\":\"F32\",\"dtype\":\"F32\"}"), "comes twice");
  EXPECT_FILE_ERROR(one("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}"), "unknown key \"x\"");
  EXPECT_FILE_ERROR(one("[]"), "expected '{'");
  std::string ones = "1";
  for (int i = 1; i < 33; ++i) ones += ",1";
  EXPECT_FILE_ERROR(one(entry("U8", "[" + ones + "]", "[0,1]")), "at most 32 numbers");
}

TEST_F(Safetensors, RefusesOverlapsGapsAndDuplicates) {
  const std::string four = entry("F32", "[1]", "[0,4]");
  EXPECT_FILE_ERROR(read("{\"a\":" + four + ",\"b\":" + four + "}", 8), "tensor \"b\" must begin at 4");
  EXPECT_FILE_ERROR(read("{\"a\":" + four + ",\"b\":" + entry("F32", "[1]", "[2,6]") + "}", 8), "tensor \"b\" must begin at 4");
  EXPECT_FILE_ERROR(read("{\"a\":" + four + ",\"b\":" + entry("F32", "[1]", "[8,12]") + "}", 12), "tensor \"b\" must begin at 4");
  EXPECT_FILE_ERROR(read("{\"a\":" + entry("F32", "[1]", "[4,8]") + "}", 8), "must begin at 0");
  EXPECT_FILE_ERROR(read("{\"a\":" + four + "}", 8), "must fill the 8 bytes of data, got 4");
  EXPECT_FILE_ERROR(read("{\"a\":" + four + ",\"a\":" + entry("F32", "[1]", "[4,8]") + "}", 8), "the key \"a\" comes twice");
  EXPECT_FILE_ERROR(read("{\"__metadata__\":{\"a\":1}}", 0), "expected '\"'");
  EXPECT_FILE_ERROR(read("{} x", 0), "unexpected text");
}

TEST_F(Safetensors, RefusesBooleansThatAreNeither) {
  test::write_file(path_, file_of("{\"a\":" + entry("BOOL", "[2]", "[0,2]") + "}", "\1\2"));
  EXPECT_FILE_ERROR(read_safetensors(path_), "booleans 0 and 1");
}

}  // namespace
}  // namespace ldlm
