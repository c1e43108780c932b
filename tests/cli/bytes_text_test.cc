// Bytes as text: what is written is read back as the same bytes, what is not text is refused.
#include "cli/bytes_text.h"

#include <gtest/gtest.h>

#include <random>

namespace lightning::cli {
namespace {

TEST(BytesText, HexAndBase64ReadBackWhatTheyWrote) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (std::size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    EXPECT_EQ(from_hex(to_hex(bytes)).value(), bytes);
    EXPECT_EQ(from_base64(to_base64(bytes)).value(), bytes);
  }
}

TEST(BytesText, Base64FollowsTheRfcVectors) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
}

TEST(BytesText, RefusesWhatIsNotTheEncoding) {
  for (const char* text : {"0", "0g", "zz", "00 1"}) EXPECT_FALSE(from_hex(text)) << text;
  for (const char* text : {"Z", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm9v!bad", "Zg==Zg=="})
    EXPECT_FALSE(from_base64(text)) << text;
  EXPECT_NE(from_hex("00xx").error().message().find("character 3"), std::string::npos);
}

TEST(BytesText, ArgumentsAreTextHexOrBase64) {
  EXPECT_EQ(parse_bytes("plain").value(), "plain");
  EXPECT_EQ(parse_bytes("hex:00fF").value(), std::string("\x00\xff", 2));
  EXPECT_EQ(parse_bytes("base64:AP8=").value(), std::string("\x00\xff", 2));
  EXPECT_EQ(parse_bytes("text:hex:00").value(), "hex:00");
  EXPECT_EQ(parse_bytes("hex:0").error().code(), ErrorCode::kInvalidArgument);
}

TEST(BytesText, KnowsUtf8) {
  for (const char* text : {"", "ascii", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(text)) << escaped(text);
  for (const char* text : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                           "\xf4\x90\x80\x80", "\xff", "12345678\x80", "1234567\xc3"})
    EXPECT_FALSE(is_utf8(text)) << escaped(text);
}

TEST(BytesText, NothingEscapedCanSteerATerminal) {
  EXPECT_EQ(escaped("a\x1b[31m\n\t\\\x7f"), "a\\x1b[31m\\n\\t\\\\\\x7f");
  EXPECT_EQ(escaped("\xc2\x9b"
                    "1m"),
            "\\xc2\\x9b1m")
      << "the one-character form of ESC [";
  EXPECT_EQ(escaped("gr\xc3\xbc\xc3\x9f \xff"), "gr\xc3\xbc\xc3\x9f \\xff");
}

TEST(BytesText, JsonStringsEscapeWhatTheyMust) {
  std::string json;
  append_json_string(json, std::string_view("a\"b\\c\n\0\x01", 8));
  EXPECT_EQ(json, "\"a\\\"b\\\\c\\n\\u0000\\u0001\"");
}

TEST(BytesText, CountsAreGrouped) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1000), "1,000");
  EXPECT_EQ(human_count(1234567), "1,234,567");
}

}  // namespace
}  // namespace lightning::cli
