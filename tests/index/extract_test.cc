#include "index/extract.h"

#include <gtest/gtest.h>

#include "support/expect.h"

namespace lightning::index {
namespace {

// The value as text; "none", or the error's code.
std::string extracted(const Extractor& extractor, std::string_view value, std::string_view key = "key") {
  const auto extract = make_extract(extractor, {});
  if (!extract) return std::string(name_of(extract.error().code()));
  const auto got = (**extract)(key, value);
  if (!got) return std::string(name_of(got.error().code()));
  if (!*got) return "none";
  const auto text = [](const auto& any) -> std::string {
    using Any = std::decay_t<decltype(any)>;
    if constexpr (std::is_same_v<Any, std::string>) return "'" + any + "'";
    if constexpr (std::is_same_v<Any, bool>) return any ? "true" : "false";
    if constexpr (std::is_same_v<Any, double>) return "double " + std::to_string(any);
    if constexpr (std::is_integral_v<Any> && !std::is_same_v<Any, bool>) return std::to_string(any);
    return {};
  };
  return std::visit(text, (*got)->any());
}

TEST(Extract, TakesBytesAndFields) {
  EXPECT_EQ(extracted(ByteRange{2, 3}, "abcdefg"), "'cde'");
  EXPECT_EQ(extracted(ByteRange{2, 30}, "abcdefg"), "'cdefg'");
  EXPECT_EQ(extracted(ByteRange{7, 1}, "abcdefg"), "none");
  EXPECT_EQ(extracted(ByteRange{0, 2, true}, "abcdefg", "xyz"), "'xy'");
  EXPECT_EQ(extracted(ByteRange{0, 0}, "abc"), "InvalidArgument");
  EXPECT_EQ(extracted(DelimitedField{0}, "a,b,c"), "'a'");
  EXPECT_EQ(extracted(DelimitedField{2}, "a,b,c"), "'c'");
  EXPECT_EQ(extracted(DelimitedField{1}, "a,,c"), "''");
  EXPECT_EQ(extracted(DelimitedField{3}, "a,b,c"), "none");
  EXPECT_EQ(extracted(DelimitedField{1, ':', true}, "", "user:7"), "'7'");
  EXPECT_EQ(extracted(UserExtractor{"mine"}, ""), "ExtractorMissing");
  EXPECT_EQ(extracted(UserExtractor{""}, ""), "InvalidArgument");
}

#ifdef LIGHTNING_TEST_JSON

TEST(JsonPointer, FindsScalars) {
  const std::string_view doc =
      R"({"a":1,"b":{"c":"x","d":[10,{"e":true},[0,[7]],"s"],"":"empty"},"f/g":2,"h~i":-3,"big":18446744073709551615,)"
      R"("n":null,"low":-9223372036854775808,"pi":0.1,"exp":1e3,"u":"\u00e9\ud83d\ude00","z":"a\u0000b"})";
  EXPECT_EQ(extracted(JsonPointer{"/a"}, doc), "1");
  EXPECT_EQ(extracted(JsonPointer{"/b/c"}, doc), "'x'");
  EXPECT_EQ(extracted(JsonPointer{"/b/d/0"}, doc), "10");
  EXPECT_EQ(extracted(JsonPointer{"/b/d/1/e"}, doc), "true");
  EXPECT_EQ(extracted(JsonPointer{"/b/d/2/1/0"}, doc), "7");
  EXPECT_EQ(extracted(JsonPointer{"/b/d/3"}, doc), "'s'");
  EXPECT_EQ(extracted(JsonPointer{"/b/d/4"}, doc), "none");
  EXPECT_EQ(extracted(JsonPointer{"/b/d/00"}, doc), "none");
  EXPECT_EQ(extracted(JsonPointer{"/b/d/-"}, doc), "none");
  EXPECT_EQ(extracted(JsonPointer{"/b/"}, doc), "'empty'");
  EXPECT_EQ(extracted(JsonPointer{"/f~1g"}, doc), "2");
  EXPECT_EQ(extracted(JsonPointer{"/h~0i"}, doc), "-3");
  EXPECT_EQ(extracted(JsonPointer{"/big"}, doc), "18446744073709551615");
  EXPECT_EQ(extracted(JsonPointer{"/low"}, doc), "-9223372036854775808");
  EXPECT_EQ(extracted(JsonPointer{"/exp"}, doc), "double 1000.000000");
  EXPECT_EQ(extracted(JsonPointer{"/u"}, doc), "'\xc3\xa9\xf0\x9f\x98\x80'");
  EXPECT_EQ(extracted(JsonPointer{"/z"}, doc), std::string("'a\0b'", 5));
  EXPECT_EQ(extracted(JsonPointer{"/n"}, doc), "none");
  EXPECT_EQ(extracted(JsonPointer{"/c"}, doc), "none");
  EXPECT_EQ(extracted(JsonPointer{"/a/b"}, doc), "none");
  EXPECT_EQ(extracted(JsonPointer{"/b"}, doc), "ExtractFailed");
  EXPECT_EQ(extracted(JsonPointer{"/b/d"}, doc), "ExtractFailed");
  EXPECT_EQ(extracted(JsonPointer{""}, doc), "ExtractFailed");
  EXPECT_EQ(extracted(JsonPointer{""}, " \"top\" "), "'top'");
  EXPECT_EQ(extracted(JsonPointer{""}, "12"), "12");
  EXPECT_EQ(extracted(JsonPointer{"/0"}, "[5]"), "5");
  EXPECT_EQ(extracted(JsonPointer{"/1/x"}, R"([{"x":1},{"x":2},{"x":3}])"), "2");
  EXPECT_EQ(extracted(JsonPointer{"/1"}, R"([[9,9],"b"])"), "'b'");
  EXPECT_EQ(extracted(JsonPointer{"/a"}, R"({"a":1,"a":2})"), "2");
  EXPECT_EQ(extracted(JsonPointer{"/a"}, R"({"x":{"a":5},"y":[{"a":6}]})"), "none");
}

// What had been found inside of a member stayed found when the member came again without it.
TEST(JsonPointer, OfMembersWithOneNameTheLastCounts) {
  EXPECT_EQ(extracted(JsonPointer{"/a"}, R"({"a":1,"a":2})"), "2");
  EXPECT_EQ(extracted(JsonPointer{"/a/b"}, R"({"a":{"b":1},"a":4})"), "none");
  EXPECT_EQ(extracted(JsonPointer{"/a/b"}, R"({"a":{"b":1},"a":{"c":1}})"), "none");
  EXPECT_EQ(extracted(JsonPointer{"/a/b"}, R"({"a":{"b":[]},"a":null})"), "none");
  EXPECT_EQ(extracted(JsonPointer{"/a/0"}, R"({"a":[[1]],"a":["x"]})"), "'x'");
}

TEST(JsonPointer, ReadsNumbersExactly) {
  for (const double number : {0.1, 0.3, 2.2250738585072011e-308, 123456789.123456789, 1.7976931348623157e308, 8.41}) {
    char text[64];
    std::snprintf(text, sizeof text, "[%.17g]", number);
    const auto got = (**make_extract(JsonPointer{"/0"}, {}))("", text);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(**got, IndexValue(number)) << text;
  }
}

TEST(JsonPointer, FailsOnWhatIsNotJson) {
  for (const std::string_view text :
       {"", "{", "{\"a\":1", "{\"a\":}", "[1,]", "nul", "\"\xff\"", "{}x", "1 2", "\x01", "{\"a\":01}", "'a'"})
    EXPECT_EQ(extracted(JsonPointer{"/a"}, text), "ExtractFailed") << text;
  EXPECT_EQ(extracted(JsonPointer{"/a"}, std::string(1000, '[')), "ExtractFailed");
  EXPECT_EQ(extracted(JsonPointer{"/a"}, std::string(60, '[') + std::string(60, ']')), "none");
}

TEST(JsonPointer, RefusesWhatIsNoPointer) {
  EXPECT_EQ(extracted(JsonPointer{"a"}, "{}"), "InvalidArgument");
  EXPECT_EQ(extracted(JsonPointer{"/a~"}, "{}"), "InvalidArgument");
  EXPECT_EQ(extracted(JsonPointer{"/a~2"}, "{}"), "InvalidArgument");
}

#endif

}  // namespace
}  // namespace lightning::index
