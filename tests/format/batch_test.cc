#include "format/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace lightning::format {
namespace {

struct Owned {
  EntryType type;
  KeyspaceId keyspace;
  std::string key, value;
  bool operator==(const Owned&) const = default;
};

std::string encode(const std::vector<Owned>& operations) {
  std::string encoded;
  for (const Owned& o : operations) append_operation(encoded, {o.type, o.keyspace, o.key, o.value});
  return encoded;
}

Result<std::vector<Owned>> decode(std::string_view encoded) {
  std::vector<Owned> operations;
  BatchReader reader(encoded);
  while (reader.next()) {
    const Operation& o = reader.operation();
    operations.push_back({o.type, o.keyspace, std::string(o.key), std::string(o.value)});
  }
  LIGHTNING_TRY(reader.status());
  return operations;
}

TEST(Batch, PinsTheBytesOfItsExample) {
  const std::string encoded = encode({{EntryType::kPut, 0, "k", "vv"}, {EntryType::kErase, 7, "old", ""}});
  EXPECT_EQ(encoded, std::string("\x01\x00\x01k\x02vv\x00\x07\x03old", 13));
}

TEST(Batch, ReadsBackWhatWasAppended) {
  const std::vector<Owned> operations = {{EntryType::kPut, 0, "a", ""},
                                         {EntryType::kErase, 0xffffffffu, std::string(kKeyBytesMax, 'k'), ""},
                                         {EntryType::kPut, 300, std::string("\0\xff", 2), std::string(100'000, 'v')}};
  const auto decoded = decode(encode(operations));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, operations);
  EXPECT_EQ(count_operations(encode(operations)).value(), 3u);
}

TEST(Batch, TellsWhatChangesTheCount) {
  std::string encoded;
  append_operation(encoded, {EntryType::kPut, 0, "k", "v", true});
  append_operation(encoded, {EntryType::kErase, 0, "k", {}, true});
  append_operation(encoded, {EntryType::kPut, 0, "k", "v"});
  EXPECT_EQ(encoded.front(), '\x81');
  std::uint64_t count = 100;
  std::vector<EntryType> types;
  for (BatchReader reader(encoded); reader.next(); types.push_back(reader.operation().type)) {
    count += reader.operation().count_change();
    EXPECT_EQ(count, types.empty() ? 101u : 100u);
  }
  EXPECT_THAT(types, testing::ElementsAre(EntryType::kPut, EntryType::kErase, EntryType::kPut));
}

TEST(Batch, IsEmptyWithoutOperations) { EXPECT_EQ(count_operations("").value(), 0u); }

TEST(Batch, SizesAnOperationExactly) {
  for (const std::size_t size : {1u, 127u, 128u, 16383u, 16384u, 65536u}) {
    const std::string key(size, 'k');
    for (const EntryType type : {EntryType::kPut, EntryType::kErase}) {
      const Operation operation{type, 128, key, type == EntryType::kPut ? std::string_view(key) : std::string_view()};
      std::string buffer(operation_bytes(operation), '\0'), appended;
      EXPECT_EQ(put_operation(buffer.data(), operation), buffer.data() + buffer.size());
      append_operation(appended, operation);
      EXPECT_EQ(appended, buffer);
    }
  }
}

TEST(Batch, RefusesEveryTruncation) {
  const std::string encoded = encode({{EntryType::kPut, 300, "key", std::string(200, 'v')}});
  for (std::size_t size = 1; size < encoded.size(); ++size) {
    const auto decoded = decode(std::string_view(encoded).substr(0, size));
    ASSERT_FALSE(decoded.has_value()) << size;
    EXPECT_EQ(decoded.error().code(), ErrorCode::kWalCorrupt);
  }
}

TEST(Batch, NamesTheOperationThatIsMalformed) {
  std::string encoded = encode({{EntryType::kPut, 0, "k", "vv"}});
  const auto refuse = [&](std::string_view tail) {
    const auto decoded = decode(encoded + std::string(tail));
    EXPECT_FALSE(decoded.has_value());
    return decoded ? std::string() : decoded.error().to_string();
  };
  using namespace std::string_view_literals;
  EXPECT_THAT(refuse("\x01\x00\x00"sv), testing::HasSubstr("byte 7"));          // empty key
  EXPECT_THAT(refuse("\x01\x00\x81\x80\x04k"sv), testing::HasSubstr("65536"));  // key of 64 KiB + 1
  EXPECT_THAT(refuse("\x01\x80\x80\x80\x80\x10\x01k\x00"sv), testing::HasSubstr("32 bits"));
  EXPECT_THAT(refuse("\x01\x00\x01k\xff\xff\xff\xff\x7f"sv), testing::HasSubstr("512 MiB"));
  EXPECT_THAT(refuse("\x01\x00\x01k\x05v"sv), testing::HasSubstr("beyond its end"));
  EXPECT_THAT(refuse("\x99"sv), testing::HasSubstr("unknown type"));
  EXPECT_THAT(refuse("\x06\x00\x01k\x00"sv), testing::HasSubstr("unknown type"));
  EXPECT_THAT(refuse("\x03\x00\x01k\x01j"sv), testing::HasSubstr("ends before it begins"));
  EXPECT_THAT(refuse("\x03\x00\x00\x81\x80\x04"sv), testing::HasSubstr("65536"));  // so is an end
}

TEST(Batch, ErasesRangesWithAndWithoutBounds) {
  const auto range = [](const std::optional<std::string>& start, const std::optional<std::string>& end) {
    std::string encoded;
    append_operation(encoded, erase_range(7, start, end));
    BatchReader reader(encoded);
    EXPECT_TRUE(reader.next());
    const Operation& operation = reader.operation();
    EXPECT_EQ(operation.type, EntryType::kEraseRange);
    EXPECT_EQ(operation.keyspace, 7u);
    return std::string(operation.key) + ".." + std::string(operation.value);
  };
  EXPECT_EQ(range("a", "c"), "a..c");
  EXPECT_EQ(range("a", std::nullopt), "a..");
  EXPECT_EQ(range(std::nullopt, "c"), "..c");
  EXPECT_EQ(range(std::nullopt, std::nullopt), "..");
  EXPECT_EQ(range("a", "a"), "a..a");
  std::string encoded;
  append_operation(encoded, erase_range(0, std::nullopt, ""));  // empty, not the whole keyspace
  BatchReader reader(encoded);
  EXPECT_FALSE(reader.next() && reader.operation().value.empty());
  encoded.clear();
  append_operation(encoded, erase_range(0, "b", ""));
  BatchReader inverted(encoded, BatchReader::Source::kCaller);
  EXPECT_FALSE(inverted.next());
  EXPECT_EQ(inverted.status().error().code(), ErrorCode::kInvertedRange);
}

TEST(Batch, StaysMalformedOnceItWas) {
  BatchReader reader("\x99zzz");
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.status().has_value());
}

TEST(Batch, SurvivesHostileBytes) {
  const unsigned seed = 7131;
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 4 == 0 ? random() : random() % 3);
    BatchReader reader(bytes);
    std::size_t before = 0;
    while (reader.next()) {
      ASSERT_GT(reader.offset(), before);
      ASSERT_LE(reader.offset(), bytes.size());
      before = reader.offset();
      const bool range = reader.operation().type == EntryType::kEraseRange;
      ASSERT_TRUE(range || !reader.operation().key.empty());
    }
    // What was read is what would have been written, wherever lengths were encoded in the shortest way.
    const auto decoded = decode(bytes);
    if (decoded) {
      ASSERT_LE(encode(*decoded).size(), bytes.size());
    }
  }
}

}  // namespace
}  // namespace lightning::format
