#include "base/coding.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

namespace lightning::base {
namespace {

std::vector<std::uint64_t> interesting_numbers() {
  std::vector<std::uint64_t> numbers{0, std::numeric_limits<std::uint64_t>::max()};
  for (unsigned bit = 0; bit < 64; ++bit)
    for (const std::uint64_t offset : {~std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{1}})
      numbers.push_back((std::uint64_t{1} << bit) + offset);
  return numbers;
}

TEST(Varint, RoundTripsInTheBytesItAnnounces) {
  for (const std::uint64_t number : interesting_numbers()) {
    std::string bytes;
    append_varint(bytes, number);
    EXPECT_EQ(bytes.size(), varint_bytes(number));
    EXPECT_LE(bytes.size(), kVarint64BytesMax);
    std::string_view rest = bytes;
    std::uint64_t back = 0;
    ASSERT_TRUE(get_varint(rest, back));
    EXPECT_EQ(back, number);
    EXPECT_TRUE(rest.empty());
  }
}

TEST(Varint, RefusesEveryTruncation) {
  for (const std::uint64_t number : interesting_numbers()) {
    std::string bytes;
    append_varint(bytes, number);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const std::vector<char> exact(bytes.begin(),
                                    bytes.begin() + static_cast<std::ptrdiff_t>(size));  // ASan sees its end
      std::string_view rest(exact.data(), exact.size());
      std::uint64_t value = 0;
      EXPECT_FALSE(get_varint(rest, value)) << number << " cut to " << size;
    }
  }
}

TEST(Varint, RefusesMoreThan64Bits) {
  for (const char last : {'\x02', '\x7f', '\x80', '\xff'}) {
    const std::string bytes = std::string(9, '\xff') + last + '\x01';
    std::string_view rest = bytes;
    std::uint64_t value = 0;
    EXPECT_FALSE(get_varint(rest, value));
  }
}

TEST(FixedWidth, IsLittleEndianAndRefusesTruncation) {
  std::string bytes;
  append_le<std::uint32_t>(bytes, 0x01020304);
  EXPECT_EQ(bytes, std::string("\x04\x03\x02\x01", 4));
  std::uint32_t value = 0;
  for (std::size_t size = 0; size < 4; ++size) {
    std::string_view cut(bytes.data(), size);
    EXPECT_FALSE(get_le(cut, value));
  }
  std::string_view whole = bytes;
  ASSERT_TRUE(get_le(whole, value));
  EXPECT_EQ(value, 0x01020304u);
}

TEST(LengthPrefixed, RefusesADeclaredLengthBeyondTheBytes) {
  std::string bytes;
  append_length_prefixed(bytes, "value");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::string_view cut(bytes.data(), size), out;
    EXPECT_FALSE(get_length_prefixed(cut, out));
  }
  std::string huge;
  append_varint(huge, std::numeric_limits<std::uint64_t>::max());
  huge += "x";
  std::string_view rest = huge, out;
  EXPECT_FALSE(get_length_prefixed(rest, out));
  rest = bytes;
  ASSERT_TRUE(get_length_prefixed(rest, out));
  EXPECT_EQ(out, "value");
}

TEST(HeadOf, OrdersAsTheStringsDo) {
  std::mt19937_64 random(1);
  std::vector<std::string> strings{"", std::string(1, '\0'), "a", "ab", "abcdefgh", "abcdefghi", "\xff"};
  for (int i = 0; i < 200; ++i) {
    std::string s(random() % 12, ' ');
    for (char& c : s) c = static_cast<char>(random());
    strings.push_back(s);
  }
  for (const std::string& a : strings)
    for (const std::string& b : strings) EXPECT_TRUE(head_of(a) >= head_of(b) || a < b);
}

}  // namespace
}  // namespace lightning::base
