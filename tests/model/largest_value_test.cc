// The largest value that the contract allows, the whole way: batch, log, memtable, recovery, table, check.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cstring>
#include <filesystem>

#include "base/hash.h"
#include "lightning/database.h"
#include "support/child_process.h"

namespace lightning {
namespace {

#ifdef __SANITIZE_THREAD__  // it keeps eight bytes and more for each byte that is touched
constexpr std::size_t kValueBytes = 16u << 20;
#else
constexpr std::size_t kValueBytes = kValueBytesMax;
#endif

// No two of its parts are alike, so that a misplaced one shows.
std::string large_value() {
  std::string value(kValueBytes, '\0');
  for (std::size_t at = 0; at + 8 <= value.size(); at += 8) {
    const std::uint64_t mixed = (at + 1) * 0x9e3779b97f4a7c15u;
    std::memcpy(value.data() + at, &mixed, 8);
  }
  return value;
}

class LargestValue : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "lightning-large-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  Database open() {
    auto db = Database::open(path_ + "/db");
    if (!db) ADD_FAILURE() << db.error().to_string();
    return std::move(*db);
  }
  static void expect_whole(const Database& db, std::uint64_t hash) {
    PinnedValue value;
    const Status read = db.get(db.default_keyspace(), "large", value);
    ASSERT_TRUE(read) << read.error().to_string();
    ASSERT_EQ(value.value().size(), kValueBytes);
    EXPECT_EQ(base::hash64(value.value()), hash);
    EXPECT_EQ(*db.get("before"), "1");
    EXPECT_EQ(*db.get("later"), "2");
  }

  std::string path_;
};

TEST_F(LargestValue, GoesThroughABatchTheLogAndATable) {
  std::uint64_t hash = 0;
  {
    Database db = open();
    WriteBatch batch;
    {
      const std::string value = large_value();
      hash = base::hash64(value);
      batch.put("before", "1").put("large", value).put("later", "2");
    }
    const auto written = db.write(batch);
    ASSERT_TRUE(written) << written.error().to_string();
    batch = WriteBatch();
    expect_whole(db, hash);
    ASSERT_TRUE(db.close());
  }
  Database db = open();  // from the log
  expect_whole(db, hash);
  const Status flushed = db.flush();
  ASSERT_TRUE(flushed) << flushed.error().to_string();
  expect_whole(db, hash);  // from a table
  const auto checked = db.check();
  ASSERT_TRUE(checked) << checked.error().to_string();
  EXPECT_TRUE(checked->findings.empty());
  EXPECT_EQ(checked->entries, 3u);
}

// The most memory that this process has ever had resident.
std::uint64_t most_resident_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

TEST_F(LargestValue, GoesInAndOutInPiecesThroughLittleMemory) {
  EXPECT_TRUE(testing_support::passes_in_child([&] {
    constexpr std::size_t kPiece = 1 << 20;
    std::string piece(kPiece, '\0');
    const auto fill = [&piece](std::size_t at) {
      for (std::size_t i = 0; i < kPiece; i += 8) {
        const std::uint64_t mixed = (at + i + 1) * 0x9e3779b97f4a7c15u;
        std::memcpy(piece.data() + i, &mixed, 8);
      }
    };
    fill(0);
    const auto expect_whole = [&](const Database& db) {
      auto reader = *db.get_stream("large");
      ASSERT_TRUE(reader);
      ASSERT_EQ(reader->size(), kValueBytes);
      std::string read(kPiece, '\0');
      for (std::size_t at = 0; at < kValueBytes; at += kPiece) {
        ASSERT_TRUE(reader->read(at, read));
        fill(at);
        ASSERT_TRUE(read == piece) << at;
      }
    };
    const LightningDbConfig config = LightningDbConfig::low_memory();
    {
      auto db = Database::open(path_ + "/db", config);
      ASSERT_TRUE(db) << db.error().to_string();
      const std::uint64_t before = most_resident_bytes();
      auto writer = db->put_stream("large");
      ASSERT_TRUE(writer);
      for (std::size_t at = 0; at < kValueBytes; at += kPiece) {
        fill(at);
        ASSERT_TRUE(writer->append(piece));
      }
      const Status committed = writer->commit({.durability = Durability::kSync});
      ASSERT_TRUE(committed) << committed.error().to_string();
      expect_whole(*db);
      ASSERT_TRUE(db->flush());
      expect_whole(*db);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their own memory would be counted too
      EXPECT_LT(most_resident_bytes() - before, 16u << 20);
#endif
      ASSERT_TRUE(db->close());
    }
    auto db = Database::open(path_ + "/db", config);
    ASSERT_TRUE(db) << db.error().to_string();
    std::string part(1000, '\0');
    auto reader = *db->get_stream("large");
    ASSERT_TRUE(reader && reader->read(kValueBytes - part.size(), part));
    fill(kValueBytes - kPiece);
    EXPECT_EQ(part, piece.substr(kPiece - part.size()));
  }));
}

TEST_F(LargestValue, OneByteMoreIsRefusedAndNothingIsApplied) {
  Database db = open();
  WriteBatch batch;
  batch.put("before", "1").put("large", std::string(kValueBytesMax + 1, 'x'));
  const auto refused = db.write(batch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kValueTooLarge);
  EXPECT_EQ(*db.get("before"), std::nullopt);
}

}  // namespace
}  // namespace lightning
