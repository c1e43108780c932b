// Range tombstones in merges against brute force: whoever could look before sees the same afterwards.
#include "compaction/range_retention.h"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>

#include "format/merge_operators.h"
#include "tables.h"

namespace lightning::compaction {
namespace {

std::uint64_t seed_of_test() {
  const char* given = std::getenv("LIGHTNING_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("LIGHTNING_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

struct Store {
  std::vector<Row> rows;
  std::vector<Erased> ranges;
};

std::string key(std::uint64_t i) { return "key" + std::to_string(100 + i); }

// `count` writes, each at a sequence of its own: puts, erases, operands that are appended, erased ranges.
Store random_store(std::mt19937_64& random, std::size_t count, std::size_t keys, bool operands) {
  Store store;
  for (Sequence sequence = 1; sequence <= count; ++sequence) {
    if (random() % 5 == 0) {
      Erased range{key(random() % keys), key(random() % keys), sequence};
      if (range.end < range.start) std::swap(range.start, range.end);
      if (random() % 6 == 0) range.start.clear();
      if (random() % 6 == 0) range.end.clear();
      store.ranges.push_back(std::move(range));
      continue;
    }
    Row row{key(random() % keys), sequence, format::EntryType::kPut, std::to_string(sequence) + " "};
    if (operands && random() % 2 == 0) row.type = format::EntryType::kMerge;
    if (random() % 5 == 0) row.type = format::EntryType::kErase, row.value.clear();
    store.rows.push_back(std::move(row));
  }
  std::sort(store.rows.begin(), store.rows.end());
  return store;
}

// As visible_at, with operands, which are appended to what is older and not erased.
std::map<std::string, std::string> merged_at(const Store& store, Sequence at) {
  std::map<std::string, std::string> values;
  std::set<std::string> decided;
  for (const Row& row : store.rows) {  // of each key, the newest first
    if (row.sequence > at || decided.contains(row.key)) continue;
    if (erases(store.ranges, row, at) || row.type == format::EntryType::kErase) {
      decided.insert(row.key);
      continue;
    }
    std::string& value = values[row.key];
    value.insert(0, row.value);
    if (row.type == format::EntryType::kPut) decided.insert(row.key);
  }
  return values;
}

struct Kept final : EntrySink {
  Status add(const format::Entry& entry) override {
    rows.push_back({std::string(entry.key), entry.sequence, entry.type, std::string(entry.value)});
    return {};
  }
  std::vector<Row> rows;
};

std::vector<Erased> owned(const format::RangeTombstones& set) {
  std::vector<Erased> ranges;
  for (std::size_t i = 0; i < set.size(); ++i)
    for (const Sequence sequence : set[i].sequences)
      ranges.push_back({std::string(set[i].start), std::string(set[i].end), sequence});
  return ranges;
}

Store after_merge(const Store& store, const std::vector<Sequence>& snapshots, bool bottommost,
                  const MergeOperator* merge_operator) {
  const format::RangeTombstones erased = set_of(store.ranges);
  const auto input = without_erased(std::make_unique<Rows>(store.rows), erased, snapshots);
  Retention retention(snapshots, bottommost, {.merge_operator = merge_operator});
  Kept kept;
  for (input->seek_to_first(); input->valid(); input->next()) must(retention.take(input->entry(), kept));
  must(input->status());
  must(retention.finish(kept));
  return {kept.rows, owned(needed_ranges(erased, snapshots, bottommost))};
}

TEST(RangeRetention, EverySnapshotSeesTheSameBeforeAndAfter) {
  std::mt19937_64 random(seed_of_test());
  const format::MergeOperators operators;
  const MergeOperator* const append = operators.find("append");
  for (int round = 0; round < 1500; ++round) {
    const std::size_t count = 1 + random() % 60;
    const bool operands = random() % 2 == 0;
    const Store store = random_store(random, count, 1 + random() % 6, operands);
    // Writes beyond the newest visible one are on their way: they will be seen.
    std::set<Sequence> chosen{random() % (count + 1)};
    for (std::uint64_t i = random() % 4; i > 0; --i) chosen.insert(random() % (*chosen.rbegin() + 1));
    const std::vector<Sequence> snapshots(chosen.begin(), chosen.end());
    for (const bool bottommost : {false, true}) {
      Store before = store, after = after_merge(store, snapshots, bottommost, operands ? append : nullptr);
      if (!bottommost) {  // what is older lies below, and must stay hidden
        for (std::uint64_t i = 0; i < 6; ++i)
          for (Store* each : {&before, &after}) each->rows.push_back({key(i), 0, format::EntryType::kPut, "below "});
        std::sort(before.rows.begin(), before.rows.end());
        std::sort(after.rows.begin(), after.rows.end());
      }
      for (const Sequence at : snapshots) ASSERT_EQ(merged_at(before, at), merged_at(after, at)) << "at " << at;
      for (Sequence at = snapshots.back(); at <= count; ++at)
        ASSERT_EQ(merged_at(before, at), merged_at(after, at)) << "at " << at;
    }
  }
}

TEST(RangeRetention, KeepsNothingThatNobodySees) {
  std::mt19937_64 random(seed_of_test());
  for (int round = 0; round < 200; ++round) {
    const std::size_t count = 1 + random() % 60;
    const Store store = random_store(random, count, 1 + random() % 6, false);
    const Store after = after_merge(store, {count}, true, nullptr);
    EXPECT_TRUE(after.ranges.empty());
    EXPECT_EQ(after.rows.size(), visible_at(store.rows, count, store.ranges).size());
  }
}

TEST(RangeRetention, OneTombstoneForEachSnapshotIsEnough) {
  const std::vector<Erased> all{{"a", "m", 3}, {"a", "m", 5}, {"a", "m", 7}, {"a", "m", 9}};
  const format::RangeTombstones ranges = set_of(all);
  const auto needed = [&](const std::vector<Sequence>& snapshots, bool bottommost) {
    std::vector<Sequence> sequences;
    for (const Erased& range : owned(needed_ranges(ranges, snapshots, bottommost))) sequences.push_back(range.sequence);
    return sequences;
  };
  EXPECT_EQ(needed({20}, false), std::vector<Sequence>{9});
  EXPECT_EQ(needed({20}, true), std::vector<Sequence>{});
  EXPECT_EQ(needed({6, 20}, false), (std::vector<Sequence>{9, 5}));
  EXPECT_EQ(needed({6, 20}, true), std::vector<Sequence>{9}) << "the snapshot at 6 sees nothing that 9 hides";
  EXPECT_EQ(needed({4, 6, 20}, false), (std::vector<Sequence>{9, 5, 3}));
  EXPECT_EQ(needed({6}, false), (std::vector<Sequence>{9, 7, 5})) << "what nobody sees yet is seen one by one";
}

class RangeMerge : public Tables {};

// The cut of a table cuts its ranges: what lies in one table speaks of the keys up to the next one, and together they
// say what was said before.
TEST_F(RangeMerge, OfManyTablesInPartsShowsEverySnapshotTheSameMap) {
  std::mt19937_64 random(seed_of_test());
  for (int round = 0; round < 30; ++round) {
    Store all;
    Plan plan{.input_level = 0, .output_level = 6, .inputs = {}, .overlapped = {}, .bottommost = random() % 2 == 0};
    const std::size_t keys = 40;
    for (Sequence run = 0; run < 5; ++run) {
      Store part = random_store(random, 60, keys, false);
      for (Row& row : part.rows) row.sequence += run * 100, row.value.resize(row.value.empty() ? 0 : 100, 'v');
      for (Erased& range : part.ranges) range.sequence += run * 100;
      plan.inputs.insert(plan.inputs.begin(), table(next_number_, part.rows, part.ranges));
      all.rows.insert(all.rows.end(), part.rows.begin(), part.rows.end());
      all.ranges.insert(all.ranges.end(), part.ranges.begin(), part.ranges.end());
    }
    std::set<Sequence> chosen{500};
    for (std::uint64_t i = random() % 4; i > 0; --i) chosen.insert(random() % 500);
    const std::vector<Sequence> snapshots(chosen.begin(), chosen.end());
    const format::RangeTombstones erased = input_ranges(plan), kept = needed_ranges(erased, snapshots, plan.bottommost);
    const std::vector<std::string> cuts = split_points(plan, 3);
    Store after;
    std::optional<sstable::TableMeta> last;
    for (std::size_t i = 0; i <= cuts.size(); ++i) {
      const auto start = i > 0 ? std::optional<std::string_view>(cuts[i - 1]) : std::nullopt;
      const auto end = i < cuts.size() ? std::optional<std::string_view>(cuts[i]) : std::nullopt;
      const auto input = without_erased(input_iterator(plan), erased, snapshots);
      const auto result =
          must(write_tables(*input, start, end, Retention(snapshots, plan.bottommost), output(1000), &kept));
      for (const auto& meta : result.tables) {
        if (last) {
          EXPECT_TRUE(last->largest().before(meta.smallest_key));
        }
        last = meta;
        const auto written = open(meta);
        const auto rows = rows_of(written);
        after.rows.insert(after.rows.end(), rows.begin(), rows.end());
        if (const auto* set = written->table->ranges())
          for (Erased& range : owned(*set)) after.ranges.push_back(std::move(range));
      }
    }
    for (const Sequence at : snapshots)
      EXPECT_EQ(visible_at(all.rows, at, all.ranges), visible_at(after.rows, at, after.ranges)) << "at " << at;
  }
}

}  // namespace
}  // namespace lightning::compaction
