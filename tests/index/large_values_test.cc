// Indexes over values that lie in blob files, and over values that come in pieces.
#include <gtest/gtest.h>

#include "index/world.h"

namespace lightning::index {
namespace {

using namespace std::chrono_literals;

class LargeRecords : public testing::Test {
 protected:
  static std::string record(const std::string& field, std::size_t bytes) {
    std::string value = "x," + field + ",";
    value.resize(bytes, '.');
    return value;
  }
  static void put_in_pieces(Database& db, const Keyspace& keyspace, std::string_view key, std::string_view value,
                            const WriteOptions& options = {}) {
    auto writer = db.put_stream(keyspace, key);
    ASSERT_OK(writer);
    ASSERT_OK(writer->append(value));
    ASSERT_OK(writer->commit(options));
  }
  static void expect_right(const Database& db, const Keyspace& keyspace) {
    EXPECT_EQ(all_of(db, keyspace, "field", {}, 1000), expected(db, keyspace));
    const auto report = db.check();
    ASSERT_OK(report);
    for (const CheckFinding& finding : report->findings) ADD_FAILURE() << finding.error.to_string();
  }

  env::SimulatedWorld world_{1};
};

TEST_F(LargeRecords, AreIndexedWhereverTheyLie) {
  LightningDbConfig config = sim::small_config();
  config.memtable_bytes = 8 << 20;
  auto opened = DatabaseAccess::open_as_given(world_.env, "/store", config);
  ASSERT_OK(opened);
  Database& db = *opened;
  const Keyspace records = *db.create_keyspace("records");
  ASSERT_OK(db.create_index(records, "field", {.extractor = kSecondField}));
  for (int i = 0; i < 40; ++i)
    ASSERT_OK(db.put(records, "k" + std::to_string(i), record(std::to_string(i % 7), i % 2 == 0 ? 50 : 3000)));
  ASSERT_OK(db.flush());
  expect_right(db, records);
  // What they held before lies in blob files now.
  for (int i = 0; i < 40; i += 3) ASSERT_OK(db.put(records, "k" + std::to_string(i), record("new", 2000)));
  for (int i = 1; i < 40; i += 8) ASSERT_OK(db.erase(records, "k" + std::to_string(i)));
  expect_right(db, records);

  put_in_pieces(db, records, "k5", record("streamed", 2 << 20));
  put_in_pieces(db, records, "k6", record("streamed", 100));
  put_in_pieces(db, records, "fresh", record("streamed", 2 << 20), {.ttl = 1h});
  const auto page = db.query_index(records, "field", IndexQuery::equal(IndexValue("streamed")));
  ASSERT_OK(page);
  EXPECT_EQ(page->matches.size(), 3u);
  expect_right(db, records);
  ASSERT_OK(db.flush());
  ASSERT_OK(db.compact_range(records));
  expect_right(db, records);
  put_in_pieces(db, records, "k5", record("again", 2 << 20));
  ASSERT_OK(db.erase(records, "fresh"));
  expect_right(db, records);
  ASSERT_OK(db.rebuild_index(records, "field"));
  expect_right(db, records);
}

}  // namespace
}  // namespace lightning::index
