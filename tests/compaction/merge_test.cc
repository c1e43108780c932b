// Retention and merging against brute force: whoever could look before sees the same afterwards.
#include "compaction/merge.h"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>

#include "format/merging_iterator.h"
#include "tables.h"

namespace lightning::compaction {
namespace {

std::uint64_t test_seed() {
  const char* given = std::getenv("LIGHTNING_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("LIGHTNING_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

// Many versions of few keys, a third of them tombstones, in entry order.
std::vector<Row> random_rows(std::mt19937_64& random, std::size_t count, std::size_t keys, Sequence first = 1,
                             std::size_t value_bytes = 8) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < count; ++i) {
    Row row{"key" + std::to_string(100 + random() % keys), first + i, {}, {}};
    row.type = random() % 3 == 0 ? format::EntryType::kErase : format::EntryType::kPut;
    if (row.type == format::EntryType::kPut) {
      row.value = std::to_string(row.sequence) + "=";
      row.value.resize(value_bytes, 'v');
    }
    rows.push_back(std::move(row));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::vector<Sequence> random_snapshots(std::mt19937_64& random, Sequence newest) {
  std::set<Sequence> snapshots{newest};
  for (std::uint64_t i = random() % 5; i > 0; --i) snapshots.insert(random() % (newest + 1));
  return {snapshots.begin(), snapshots.end()};
}

struct Kept final : EntrySink {
  Status add(const format::Entry& entry) override {
    rows.push_back({std::string(entry.key), entry.sequence, entry.type, std::string(entry.value)});
    return {};
  }
  std::vector<Row> rows;
};

std::vector<Row> kept(const std::vector<Row>& rows, const std::vector<Sequence>& snapshots, bool bottommost) {
  Retention retention(snapshots, bottommost);
  Kept kept;
  for (const Row& row : rows) must(retention.take(entry_of(row), kept));
  must(retention.finish(kept));
  return kept.rows;
}

TEST(Retention, EverySnapshotSeesTheSameBeforeAndAfter) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 500; ++round) {
    const std::size_t count = 1 + random() % 60;
    const std::vector<Row> rows = random_rows(random, count, 1 + random() % 6);
    // Writes beyond the newest visible one are on their way: they will be seen.
    const std::vector<Sequence> snapshots = random_snapshots(random, random() % (count + 1));
    // Older versions below: they must stay hidden unless the job is bottommost, where there are none.
    for (const bool bottommost : {false, true}) {
      std::vector<Row> before = rows, after = kept(rows, snapshots, bottommost);
      if (!bottommost) {
        for (int key = 100; key < 106; ++key) {
          const Row older{"key" + std::to_string(key), 0, format::EntryType::kPut, "from below"};
          before.push_back(older);
          after.push_back(older);
        }
      }
      for (const Sequence at : snapshots) ASSERT_EQ(visible_at(before, at), visible_at(after, at)) << "at " << at;
      for (Sequence at = snapshots.back(); at <= count; ++at)
        ASSERT_EQ(visible_at(before, at), visible_at(after, at)) << "at " << at;
    }
  }
}

TEST(Retention, KeepsNothingThatNobodySees) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 200; ++round) {
    const std::size_t count = 1 + random() % 60;
    const std::vector<Row> rows = random_rows(random, count, 1 + random() % 6);
    const std::vector<Sequence> snapshots = random_snapshots(random, count);
    const std::vector<Row> after = kept(rows, snapshots, true);
    // Each row that stays is what some snapshot sees, or a tombstone that hides an older one that stays.
    for (const Row& row : after) {
      const auto sees = [&](Sequence at) {
        const Row* newest = nullptr;
        for (const Row& other : rows)
          if (other.key == row.key && other.sequence <= at && (newest == nullptr || other.sequence > newest->sequence))
            newest = &other;
        return newest != nullptr && *newest == row;
      };
      EXPECT_TRUE(std::any_of(snapshots.begin(), snapshots.end(), sees)) << row.key << '@' << row.sequence;
    }
  }
}

TEST(Retention, DropsATombstoneOnlyAtTheBottomAndBelowAllSnapshots) {
  const std::vector<Row> rows{{"k", 5, format::EntryType::kErase, ""}, {"k", 3, format::EntryType::kPut, "v"}};
  EXPECT_EQ(kept(rows, {9}, true).size(), 0u);
  EXPECT_EQ(kept(rows, {9}, false).size(), 1u);
  EXPECT_EQ(kept(rows, {4, 9}, true).size(), 2u) << "the snapshot at 4 sees the value";
  EXPECT_EQ(kept(rows, {4}, true).size(), 2u) << "the tombstone is not visible yet";
}

class Merge : public Tables {};

TEST_F(Merge, CutsTablesOnlyBetweenKeys) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 20; ++round) {
    const std::vector<Row> rows = random_rows(random, 300, 20, 1, 50);
    Rows input(rows);
    std::vector<Sequence> every(300);
    for (Sequence i = 0; i < 300; ++i) every[i] = i + 1;  // everything is seen by somebody
    const MergeResult result = must(write_tables(input, {}, {}, Retention(every, false), output(1000)));
    EXPECT_GT(result.tables.size(), 3u);
    EXPECT_EQ(result.entries_in, rows.size());
    EXPECT_EQ(result.entries_out, rows.size());
    std::vector<Row> written;
    for (std::size_t i = 0; i < result.tables.size(); ++i) {
      if (i > 0) {
        EXPECT_LT(result.tables[i - 1].largest_key, result.tables[i].smallest_key);
      }
      const auto part = rows_of(open(result.tables[i]));
      written.insert(written.end(), part.begin(), part.end());
    }
    EXPECT_EQ(written, rows);
  }
}

TEST_F(Merge, WritesTheRangeAndNothingElse) {
  const std::vector<Row> rows{{"a", 1, {}, "1"}, {"b", 3, {}, "2"}, {"b", 2, {}, "3"}, {"c", 4, {}, "4"}};
  std::vector<Row> puts = rows;
  for (Row& row : puts) row.type = format::EntryType::kPut;
  Rows input(puts);
  const MergeResult result = must(write_tables(input, "b", "c", Retention({2, 9}, false), output(1 << 20)));
  ASSERT_EQ(result.tables.size(), 1u);
  EXPECT_EQ(rows_of(open(result.tables[0])), (std::vector<Row>{puts[1], puts[2]}));
  EXPECT_TRUE(must(write_tables(input, "x", {}, Retention({9}, false), output(1 << 20))).tables.empty());
}

TEST_F(Merge, ThatIsCancelledLeavesNoFile) {
  std::mt19937_64 random(1);
  Rows input(random_rows(random, 3000, 500, 1, 1000));
  OutputOptions options = output(100'000);
  int calls = 0;
  options.progress = [&](std::uint64_t) -> Status {
    if (++calls < 2) return {};
    return Error(ErrorCode::kCancelled, "enough");
  };
  std::vector<Sequence> every(3000);
  for (Sequence i = 0; i < 3000; ++i) every[i] = i + 1;
  const auto result = write_tables(input, {}, {}, Retention(every, false), options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kCancelled);
  EXPECT_GT(next_number_, 5u);
  EXPECT_TRUE(must(world_.files.list("/t")).empty());
}

// Level 0 over a sorted level, split into parts that are written one by one: as one map, for every snapshot.
TEST_F(Merge, OfManyTablesInPartsShowsEverySnapshotTheSameMap) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 10; ++round) {
    std::vector<Row> all;
    Plan plan{.input_level = 0, .output_level = 6, .inputs = {}, .overlapped = {}, .bottommost = true};
    const std::vector<Row> bottom = random_rows(random, 400, 60, 1, 100);
    {
      Rows input(bottom);
      std::vector<Sequence> every(400);
      for (Sequence i = 0; i < 400; ++i) every[i] = i + 1;
      for (const auto& meta : must(write_tables(input, {}, {}, Retention(every, false), output(5000))).tables)
        plan.overlapped.push_back(open(meta));
      all = bottom;
    }
    for (Sequence run = 1; run <= 4; ++run) {
      const std::vector<Row> rows = random_rows(random, 100, 60, run * 1000, 100);
      plan.inputs.insert(plan.inputs.begin(), table(next_number_, rows));
      all.insert(all.end(), rows.begin(), rows.end());
    }
    const std::vector<Sequence> snapshots = random_snapshots(random, 5000);
    std::vector<std::optional<std::string>> cuts{std::nullopt};
    for (std::string& cut : split_points(plan, 4)) cuts.emplace_back(std::move(cut));
    EXPECT_TRUE(std::is_sorted(cuts.begin() + 1, cuts.end()));
    EXPECT_EQ(cuts.size(), 4u);
    cuts.emplace_back();
    std::vector<Row> after;
    std::string last_key;
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
      const auto view = [&](const std::optional<std::string>& key) {
        return key ? std::optional<std::string_view>(*key) : std::nullopt;
      };
      const auto input = input_iterator(plan);
      const auto result =
          must(write_tables(*input, view(cuts[i]), view(cuts[i + 1]), Retention(snapshots, true), output(5000)));
      for (const auto& meta : result.tables) {
        EXPECT_LT(last_key, meta.smallest_key);
        last_key = meta.largest_key;
        const auto rows = rows_of(open(meta));
        after.insert(after.end(), rows.begin(), rows.end());
      }
    }
    for (const Sequence at : snapshots) EXPECT_EQ(visible_at(all, at), visible_at(after, at)) << "at " << at;
    EXPECT_LT(after.size(), all.size());
  }
}

TEST_F(Merge, SplitsNothingIntoOnePart) {
  Plan plan{.input_level = 0,
            .output_level = 6,
            .inputs = {table(1, {{"a", 1, format::EntryType::kPut, "v"}})},
            .overlapped = {}};
  EXPECT_TRUE(split_points(plan, 1).empty());
  for (const std::string& point : split_points(plan, 8)) EXPECT_EQ(point, "a");
}

TEST(Plan, MovesASingleTableThatOverlapsNothing) {
  Plan plan{.input_level = 1, .output_level = 2, .inputs = {nullptr}, .overlapped = {}};
  EXPECT_TRUE(plan.trivial_move());
  plan.overlapped = {nullptr};
  EXPECT_FALSE(plan.trivial_move());
  plan.overlapped.clear();
  plan.inputs = {nullptr, nullptr};
  EXPECT_FALSE(plan.trivial_move());
}

}  // namespace
}  // namespace lightning::compaction
