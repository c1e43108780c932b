// How a table uses the block cache: hits without pins, reads without waits inside an epoch, eviction at any time.
#include <algorithm>
#include <atomic>

#include "base/sync.h"
#include "table_fixture.h"

namespace lightning::sstable {
namespace {

using format::kSequenceMax;

TEST(TableCache, AnswersFromTheCacheWithoutReadingOrPinning) {
  TestTable test;
  const std::vector<Row> rows = plain_rows(2000);
  test.write(rows);
  const std::string& key = rows[1000].key;
  TableLookup result;
  const auto look = [&](std::string_view wanted, Sequence at) {
    const base::EpochDomain::Guard guard(test.epochs);
    return test.table->find_cached(wanted, filter_hash(wanted), at, result);
  };
  EXPECT_EQ(look(key, kSequenceMax), Table::Cached::kMiss);
  ASSERT_TRUE(test.find(key)->found);
  const std::uint64_t reads = test.files.log->reads;
  {
    const base::EpochDomain::Guard guard(test.epochs);
    ASSERT_EQ(test.table->find_cached(key, filter_hash(key), kSequenceMax, result), Table::Cached::kFound);
    EXPECT_FALSE(result.pinned);
    EXPECT_EQ(result.value, rows[1000].value);
    EXPECT_EQ(result.sequence, rows[1000].sequence);
  }
  EXPECT_EQ(look(key, 1000), Table::Cached::kAbsent) << "that version is younger";
  EXPECT_EQ(look("key00001000x", kSequenceMax), Table::Cached::kAbsent);
  EXPECT_EQ(look("zzz", kSequenceMax), Table::Cached::kAbsent);
  EXPECT_EQ(test.files.log->reads, reads);
  EXPECT_EQ(test.cache->counters().pinned_bytes, 0u);
}

TEST(TableCache, IsLeftAloneWhenTheReaderAsksForIt) {
  TestTable test;
  const std::vector<Row> rows = plain_rows(2000);
  test.write(rows);
  ASSERT_TRUE(test.find(rows[5].key, kSequenceMax, false)->found);
  EXPECT_EQ(test.cache->counters().blocks, 0u);
  const auto cursor = test.table->iterator({.fill_cache = false});
  std::size_t n = 0;
  for (cursor->seek_to_first(); cursor->valid(); cursor->next()) ++n;
  EXPECT_EQ(n, rows.size());
  EXPECT_EQ(test.cache->counters().blocks, 0u);
}

TEST(TableCache, IsFilledForManyKeysByOneRead) {
  TestTable test;
  const std::vector<Row> rows = plain_rows(5000);
  test.write(rows);
  std::vector<Table::Pending> pending;
  for (std::size_t i = 0; i < rows.size(); i += 500)
    pending.push_back({rows[i].key, filter_hash(rows[i].key), kSequenceMax});
  const std::string absent = "nowhere";
  pending.push_back({absent, filter_hash(absent), kSequenceMax});
  test.table->load_many(pending, {});
  EXPECT_EQ(test.files.log->read_many_calls, 1u);
  const std::uint64_t reads = test.files.log->reads;
  for (const Table::Pending& one : pending) {
    const base::EpochDomain::Guard guard(test.epochs);
    TableLookup result;
    EXPECT_EQ(test.table->find_cached(one.key, one.key_hash, one.at, result),
              one.key == absent ? Table::Cached::kAbsent : Table::Cached::kFound);
  }
  test.table->load_many(pending, {});
  EXPECT_EQ(test.files.log->read_many_calls, 1u) << "all of it is cached";
  EXPECT_EQ(test.files.log->reads, reads);
  EXPECT_EQ(test.cache->counters().pinned_bytes, 0u);
}

TEST(TableCache, LoadingManyLeavesDamageForFindToReport) {
  TestTable test;
  const std::vector<Row> rows = plain_rows(100);
  test.write(rows, {.compression = Compression::kNone});
  test.bytes()[200] ^= 1;
  const Table::Pending one{rows[0].key, filter_hash(rows[0].key), kSequenceMax};
  test.table->load_many({&one, 1}, {});
  EXPECT_EQ(test.find(rows[0].key).error().code(), ErrorCode::kTableCorrupt);
}

TEST(TableCache, MayEvictWhatACursorStandsOn) {
  TestTable test(8 << 20);
  const std::vector<Row> rows = plain_rows(3000, 100);
  test.write(rows, {.block_bytes = 1024});
  const auto cursor = test.table->iterator({});
  std::size_t i = 0;
  for (cursor->seek_to_first(); cursor->valid(); cursor->next(), ++i) {
    if (i % 100 == 50) {  // everyone else needs the memory
      test.budget.charge(base::MemoryOwner::kMemTables, 64 << 20);
      test.cache->trim();
      test.budget.charge(base::MemoryOwner::kMemTables, -(64 << 20));
      test.epochs.collect();
    }
    ASSERT_EQ(cursor->entry().key, rows[i].key);
    ASSERT_EQ(cursor->entry().value, rows[i].value);
  }
  EXPECT_EQ(i, rows.size());
}

TEST(TableCache, ServesManyThreadsWhileBlocksComeAndGo) {
  TestTable test(1 << 20);
  const std::vector<Row> rows = plain_rows(8000, 200);
  test.write(rows, {.block_bytes = 4096, .compression = Compression::kNone});
  std::atomic<int> wrong = 0;
  const auto read = [&](std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int round = 0; round < 3000; ++round) {
      const Row& row = rows[random() % rows.size()];
      TableLookup result;
      auto cached = Table::Cached::kMiss;
      {
        const base::EpochDomain::Guard guard(test.epochs);
        cached = test.table->find_cached(row.key, filter_hash(row.key), kSequenceMax, result);
        if (cached == Table::Cached::kFound && result.value != row.value) ++wrong;
      }
      if (cached == Table::Cached::kMiss) {
        const auto answer = test.find(row.key);
        if (!answer || answer->value != row.value) ++wrong;
      }
      if (cached == Table::Cached::kAbsent) ++wrong;
    }
  };
  // The readers share the log of reads, which counts without locks: its numbers mean nothing here.
  std::vector<base::Thread> threads;
  for (std::uint64_t i = 0; i < 3; ++i) threads.push_back(base::Thread::spawn("reader", [&, i] { read(i); }));
  for (base::Thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(TableIterator, ReadsAheadOnceItMovesOnThroughTheFile) {
  TestTable test;
  const std::vector<Row> rows = plain_rows(30000, 100);
  test.write(rows, {.compression = Compression::kNone});
  const auto cursor = test.table->iterator({});
  cursor->seek(rows[5].key, kSequenceMax);
  for (int i = 0; i < 100; ++i) cursor->next();
  EXPECT_EQ(test.files.log->prefetches, 0u) << "a short scan asks for no more than it needs";
  while (cursor->valid()) cursor->next();
  const std::uint64_t bytes = test.table->properties().data_stored_bytes;
  EXPECT_GT(test.files.log->prefetched_bytes, bytes * 9 / 10);
  EXPECT_LE(test.files.log->prefetched_bytes, bytes);
  EXPECT_LT(test.files.log->prefetches, bytes / (64 * 1024));

  ASSERT_TRUE(test.open());
  test.files.log->prefetched_bytes = 0;
  const auto back = test.table->iterator({});
  for (back->seek_to_last(); back->valid();) back->prev();
  EXPECT_GT(test.files.log->prefetched_bytes, bytes * 9 / 10);
  EXPECT_LE(test.files.log->prefetched_bytes, bytes);
}

}  // namespace
}  // namespace lightning::sstable
