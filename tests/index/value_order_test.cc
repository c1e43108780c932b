#include "index/value_order.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "index/definition.h"

namespace lightning::index {
namespace {

std::string encoded(const IndexValue& value) {
  std::string bytes;
  EXPECT_TRUE(append_value(bytes, value));
  return bytes;
}

IndexValue decoded(const std::string& bytes) {
  std::string_view rest = bytes;
  const auto value = take_value(rest);
  EXPECT_TRUE(value.has_value());
  EXPECT_TRUE(rest.empty());
  return value.value_or(IndexValue(false));
}

TEST(ValueOrder, PinsTheBytesOfItsExamples) {
  EXPECT_EQ(encoded("Oslo"), std::string("\x05Oslo\x00\x01", 7));
  EXPECT_EQ(encoded(std::string("a\0b", 3)), std::string("\x05"
                                                         "a\x00\xff"
                                                         "b\x00\x01",
                                                         7));
  EXPECT_EQ(encoded(false), "\x02");
  EXPECT_EQ(encoded(true), "\x03");
  EXPECT_EQ(encoded(1), std::string("\x04\xbf\xf0\0\0\0\0\0\0\x80\0", 11));
  EXPECT_EQ(encoded(-2), std::string("\x04\x3f\xff\xff\xff\xff\xff\xff\xff\x80\0", 11));
}

TEST(ValueOrder, OfBytesIsTheOrderOfValues) {
  const double inf = std::numeric_limits<double>::infinity();
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const std::vector<IndexValue> ascending = {false,
                                             true,
                                             -inf,
                                             -1e300,
                                             -9223372036854775808.0 * 2,
                                             kMin,
                                             kMin + 1,
                                             std::int64_t{-9007199254740993},
                                             std::int64_t{-9007199254740992},
                                             -3.5,
                                             -3,
                                             -1e-300,
                                             0,
                                             1e-300,
                                             1,
                                             1.5,
                                             2,
                                             255,
                                             256,
                                             std::int64_t{9007199254740992},
                                             std::int64_t{9007199254740993},
                                             std::int64_t{9007199254740994},
                                             std::numeric_limits<std::int64_t>::max(),
                                             std::uint64_t{1} << 63,
                                             kMax - 1,
                                             kMax,
                                             18446744073709551616.0,
                                             1e300,
                                             inf,
                                             "",
                                             std::string("\0", 1),
                                             std::string("\0\0", 2),
                                             std::string("\0\x01", 2),
                                             "\x01",
                                             "a",
                                             std::string("a\0", 2),
                                             std::string("a\0b", 3),
                                             "a\x01",
                                             "aa",
                                             "b",
                                             "\xff",
                                             "\xff\xff"};
  for (std::size_t i = 0; i + 1 < ascending.size(); ++i)
    EXPECT_LT(encoded(ascending[i]), encoded(ascending[i + 1])) << "at " << i << ": " << value_text(ascending[i]);
  EXPECT_EQ(encoded(1), encoded(1.0));
  EXPECT_EQ(encoded(0), encoded(-0.0));
  EXPECT_EQ(encoded(std::int64_t{7}), encoded(std::uint64_t{7}));
  std::string bytes;
  EXPECT_FALSE(append_value(bytes, std::numeric_limits<double>::quiet_NaN()));
}

TEST(ValueOrder, ComesBackAsItWas) {
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(),
                                    std::numeric_limits<std::int64_t>::max(), std::int64_t{9007199254740993}})
    EXPECT_EQ(decoded(encoded(number)), IndexValue(number));
  for (const std::uint64_t number : {std::uint64_t{1} << 63, ~std::uint64_t{0}, ~std::uint64_t{0} - 1023})
    EXPECT_EQ(decoded(encoded(number)), IndexValue(number));
  for (const double number : {0.1, -2.5, 1e300, -1e-300}) EXPECT_EQ(decoded(encoded(number)), IndexValue(number));
  for (const std::string& text :
       {std::string(), std::string("\0\0", 2), std::string("x\0\xff", 3), std::string(5000, 'q')})
    EXPECT_EQ(decoded(encoded(text)), IndexValue(text));
  EXPECT_EQ(decoded(encoded(true)), IndexValue(true));
}

TEST(ValueOrder, OfRandomNumbersAgreesWithArithmetic) {
  std::mt19937_64 dice(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto a = static_cast<std::int64_t>(dice()) >> (dice() % 64);
    const auto b = dice() % 2 == 0 ? a + static_cast<std::int64_t>(dice() % 5) - 2 : static_cast<std::int64_t>(dice());
    EXPECT_EQ(encoded(a) < encoded(b), a < b) << a << " and " << b;
    EXPECT_EQ(decoded(encoded(a)), IndexValue(a)) << a;
  }
}

TEST(ValueOrder, OfPrefixesHoldsAllStringsThatBeginWithThem) {
  for (const std::string& prefix : {std::string(), std::string("ab"), std::string("a\0", 2), std::string("\xff")}) {
    std::string first;
    append_string_prefix(first, prefix);
    const std::string end = after_prefix(first).value();
    for (const std::string& rest : {std::string(), std::string("\0", 1), std::string("zz"), std::string("\xff\xff")}) {
      EXPECT_GE(encoded(prefix + rest), first);
      EXPECT_LT(encoded(prefix + rest), end);
    }
  }
}

// They were read as values whose own encoding was another: zero less five as 2^64 - 5.
TEST(ValueOrder, BytesThatNoNumberHasAreNone) {
  for (const std::string& bytes : {std::string("\x04\x80\0\0\0\0\0\0\0\x7f\xfb", 11),                 // zero less five
                                   std::string("\x04\xbf\xe0\0\0\0\0\0\0\x80\x01", 11),               // a half and one
                                   std::string("\x04\x7f\xff\xff\xff\xff\xff\xff\xff\x80\0", 11)}) {  // minus zero
    std::string_view rest = bytes;
    EXPECT_FALSE(take_value(rest));
  }
}

TEST(ValueOrder, OfForeignBytesIsAValueOrNothing) {
  std::mt19937_64 dice(11);
  for (int i = 0; i < 50'000; ++i) {
    std::string bytes;
    for (std::uint64_t n = dice() % 20; n > 0; --n)
      bytes.push_back(static_cast<char>(dice() % 8 == 0 ? dice() : dice() % 6));
    std::string_view rest = bytes;
    if (const auto value = take_value(rest)) {
      std::string again;
      EXPECT_TRUE(append_value(again, *value)) << value_text(*value);
    }
    if (const auto definition = decode_definition(bytes)) {
      EXPECT_FALSE(definition->name.empty());
    }
  }
}

TEST(Definition, ComesBackAsItWasWritten) {
  Definition definition;
  definition.name = "by_city";
  definition.unique = true;
  definition.on_extract_failure = OnExtractFailure::kLeaveOut;
  definition.state = Definition::State::kFailed;
  definition.ready = 77;
  definition.error = "why";
  for (const Extractor& extractor : {Extractor(JsonPointer{"/a/0"}), Extractor(ByteRange{3, 9, true}),
                                     Extractor(DelimitedField{2, '\xff', true}), Extractor(UserExtractor{"mine"})}) {
    definition.extractor = extractor;
    const auto back = decode_definition(encode(definition));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(encode(*back), encode(definition));
    EXPECT_EQ(back->extractor, extractor);
    EXPECT_EQ(back->name, "by_city");
    EXPECT_TRUE(back->unique);
    EXPECT_EQ(back->on_extract_failure, OnExtractFailure::kLeaveOut);
    EXPECT_EQ(back->state, Definition::State::kFailed);
    EXPECT_EQ(back->ready, 77u);
    EXPECT_EQ(back->error, "why");
  }
  const std::string bytes = encode(definition);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    if (const auto back = decode_definition(std::string_view(bytes).substr(0, cut))) {
      EXPECT_EQ(back->name, "by_city");
    }
  EXPECT_FALSE(decode_definition("\x09\x01x").has_value());
}

}  // namespace
}  // namespace lightning::index
