// Damaged tables stay where they are; around them, level 0 neither grows without bound nor loses its order.
#include "compaction/around_damage.h"

#include <cstdio>
#include <cstdlib>
#include <random>

#include "compaction/range_retention.h"
#include "support/simulated_seeds.h"
#include "tables.h"

namespace lightning::compaction {
namespace {

class AroundDamage : public Tables {
 protected:
  std::string pick_from(const std::string& text) { return text_of(pick(version(text), options_)); }
  std::string pick_range_from(const std::string& text) { return text_of(pick_range(version(text), options_, {})); }
  PickOptions options_{.level0_trigger = 2, .size_multiplier = 10, .base_bytes = 16 << 10};
};

TEST_F(AroundDamage, ADamagedTableIsNeitherInputNorOverlapped) {
  EXPECT_EQ(pick_from("L5: 1[a..c 30k x]\nL6: 4[a..b 90k]"), "nothing");
  EXPECT_EQ(pick_from("L5: 1[a..c 30k]\nL6: 4[a..b 90k x]"), "nothing");
}

TEST_F(AroundDamage, OtherTablesOfItsLevelGoOn) {
  EXPECT_EQ(pick_from("L5: 1[a..c 30k x] 2[d..f 30k] 3[g..i 30k]\n"
                      "L6: 4[a..b 90k] 5[c..e 90k x] 6[h..i 20k]"),
            "L5 {3} + L6 {6} -> L6 bottommost");
}

TEST_F(AroundDamage, WhatWouldSinkBeneathItStaysInLevelZero) {
  EXPECT_EQ(pick_from("L0: 7[a..z] 5[a..z]\n"
                      "L6: 3[a..d] 4[e..m x] 6[p..z]"),
            "L0 {7 5} + L6 {3 6} but e..m -> L6 bottommost");
}

TEST_F(AroundDamage, RunsOlderThanItSink) {
  EXPECT_EQ(pick_from("L0: 8[a..z] 7[c..d x] 6[a..z] 5[a..z]\nL6: 3[a..d]"), "L0 {6 5} + L6 {3} -> L6 bottommost");
}

TEST_F(AroundDamage, RunsNewerThanItSinkWhereItDoesNotReach) {
  EXPECT_EQ(pick_from("L0: 9[a..z] 8[a..z] 7[c..d x]\nL6: 3[a..b] 4[c..c]"),
            "L0 {9 8} + L6 {3} but c..d -> L6 bottommost");
}

TEST_F(AroundDamage, OneThatSpansAllKeysHoldsNewerRunsBackWhichAreMerged) {
  EXPECT_EQ(pick_from("L0: 9[b..y] 8[a..z] 7[a..z x]\nL6: 3[a..b] 4[c..c]"), "L0 {9 8} -> L0");
  EXPECT_EQ(pick_from("L0: 9[b..y] 7[a..z x] 6[c..d x] 5[a..z x]\nL6: 3[a..b]"), "nothing");
}

TEST_F(AroundDamage, LargeRunsThatAreHeldBackAreNotRewrittenForEachSmallOne) {
  options_.level0_trigger = 4;
  EXPECT_EQ(pick_from("L0: 9[b..y] 8[a..z] 7[a..z] 6[a..y 200k] 5[a..z x]"), "L0 {9 8 7} -> L0");
  EXPECT_EQ(pick_from("L0: 9[b..y] 8[a..z 90k] 7[a..z 99k] 6[a..y 200k] 5[a..z x]"), "L0 {9 8 7 6} -> L0");
}

TEST_F(AroundDamage, RunsHeldBackInDifferentPlacesAreNoReasonToMerge) {
  EXPECT_EQ(pick_from("L0: 9[b..b] 8[m..m]\nL6: 3[a..c x] 4[l..n x]"), "nothing");
  EXPECT_EQ(level0_runs(version("L0: 9[b..b] 8[m..m]\nL6: 3[a..c x] 4[l..n x]"), options_), 1u);
}

TEST_F(AroundDamage, DamagedRunsDoNotHoldWritersBack) {
  EXPECT_EQ(level0_runs(version("L0: 9[a..z x] 8[a..z x] 7[a..z x] 6[a..b]"), options_), 1u);
  EXPECT_EQ(level0_runs(version("L0: 9[a..z] 8[a..z]"), options_), 2u);
}

TEST_F(AroundDamage, OfARangeAllGoesOnThatCan) {
  EXPECT_EQ(pick_range_from("L0: 9[a..z] 7[c..d x]\nL6: 3[a..b]"), "L0 {9} + L6 {3} but c..d -> L6 bottommost");
  EXPECT_EQ(pick_range_from("L0: 9[c..d] 7[c..d x]\nL6: 3[a..b]"), "nothing");
  EXPECT_EQ(pick_range_from("L5: 1[a..c x] 2[d..f] 3[g..i]\nL6: 4[a..b] 5[c..e x] 6[h..i]"),
            "L5 {3} + L6 {6} -> L6 bottommost");
}

// Random stores, some of whose tables are marked as damaged though they can be read: so the whole truth is known. All
// steps are taken until nothing is due, while runs arrive, some with erased ranges, and a snapshot comes and goes;
// whatever a reader saw, it sees after each step.
class RandomStores : public AroundDamage {
 protected:
  manifest::TablePtr run_of(std::mt19937_64& random, Sequence first) {
    std::map<std::string, Row> rows;
    const std::size_t low = random() % kKeys, width = 1 + random() % kKeys;
    for (Sequence i = 0; i < 6; ++i) {
      Row row{key(low + random() % width), first + i, {}, {}};
      row.type = random() % 3 == 0 ? format::EntryType::kErase : format::EntryType::kPut;
      if (row.type == format::EntryType::kPut) row.value = std::to_string(row.sequence);
      rows[row.key + "@" + std::to_string(999'999 - row.sequence)] = row;
    }
    std::vector<Row> sorted;
    for (auto& [name, row] : rows) sorted.push_back(row);
    std::sort(sorted.begin(), sorted.end());
    std::vector<Erased> ranges;
    for (Sequence i = 6; i < 8 && random() % 3 == 0; ++i) {
      Erased range{key(random() % kKeys), key(random() % kKeys), first + i};
      if (range.end < range.start) std::swap(range.start, range.end);
      if (random() % 8 == 0) range.end.clear();
      if (range.end != range.start) ranges.push_back(std::move(range));
    }
    return table(next_number_, random() % 10 == 0 && !ranges.empty() ? std::vector<Row>() : sorted, ranges);
  }
  static std::string key(std::size_t i) { return "key" + std::to_string(100 + i % kKeys); }

  // As engine/read.cc: the first table that knows the key decides, and what erased ranges hide is not there.
  static std::map<std::string, std::string> seen(const manifest::Version& version, Sequence at) {
    std::map<std::string, std::string> values;
    std::map<std::string, bool> decided;
    for (const auto& level : version.levels) {
      for (const manifest::TablePtr& table : level) {
        std::map<std::string, Row> newest;
        for (const Row& row : rows_of(table))
          if (row.sequence <= at) newest.emplace(row.key, row);
        for (const auto& [name, row] : newest) {
          const Sequence hidden = version.ranges ? version.ranges->covering(name, at) : 0;
          if (decided.emplace(name, true).second && row.type == format::EntryType::kPut && row.sequence > hidden)
            values[name] = row.value;
        }
      }
    }
    return values;
  }

  // As engine/background.cc. `readers`: snapshots, ascending, and now.
  std::shared_ptr<const manifest::Version> carry_out(const manifest::Version& version, const Plan& plan,
                                                     const std::vector<Sequence>& readers) {
    manifest::Version::Change change;
    const auto put = [&](std::uint32_t level, const std::vector<sstable::TableMeta>& metas) {
      for (const auto& meta : metas) change.add.emplace_back(level, open(meta));
    };
    if (plan.erased) {
    } else if (plan.trivial_move()) {
      change.add.emplace_back(plan.output_level, plan.inputs.front());
    } else {
      const format::RangeTombstones none, &erased = version.ranges ? *version.ranges : none;
      const format::RangeTombstones kept = needed_ranges(input_ranges(plan), readers, plan.bottommost),
                                    kept_back = needed_ranges(held_back_ranges(plan), readers, false);
      std::vector<std::string> cuts = split_points(plan, 2);
      for (std::size_t i = 0; i <= cuts.size(); ++i) {
        const auto start = i > 0 ? std::optional<std::string_view>(cuts[i - 1]) : std::nullopt;
        const auto end = i < cuts.size() ? std::optional<std::string_view>(cuts[i]) : std::nullopt;
        const OutputOptions into = output(plan.output_level == 0 ? ~0ull : 100);
        const auto input = without_erased(input_iterator(plan), erased, readers);
        put(plan.output_level,
            must(write_tables(*input, start, end, Retention(readers, plan.bottommost), into, &kept)).tables);
      }
      for (const KeySpan& span : plan.held_back) {
        const std::string_view behind = span.behind();
        const auto end = behind.empty() ? std::nullopt : std::optional(behind);
        put(0, must(write_tables(*held_back_iterator(plan), span.smallest, end, Retention(readers, false),
                                 output(~0ull), &kept_back))
                   .tables);
      }
    }
    for (const auto& table : plan.inputs) change.drop.emplace_back(plan.input_level, table->meta().number);
    for (const auto& table : plan.overlapped) change.drop.emplace_back(plan.output_level, table->meta().number);
    return version.with(change);
  }

  static constexpr std::size_t kKeys = 30;
};

TEST_F(RandomStores, StaySameToReadersAndOfBoundedDepth) {
  const char* given = std::getenv("LIGHTNING_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("LIGHTNING_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  options_.size_multiplier = 2;
  for (std::uint64_t store = 0; store < testing_support::simulated_seeds(80); ++store) {
    options_.base_bytes = random() % 2 == 0 ? 1 : 1 << 20;  // many levels, or one
    auto version = std::make_shared<const manifest::Version>();
    Sequence next = 1;
    std::size_t damaged = 0, steps = 0;
    options_.level0_trigger = 2 + static_cast<std::uint32_t>(random() % 3);
    options_.tombstone_run_max = random() % 3;
    std::optional<Sequence> snapshot;
    const auto settle_all = [&](bool a_range) {
      const std::string start = key(random() % kKeys), end = key(random() % kKeys);
      const RangeRequest request{.start = start,
                                 .end = end,
                                 .bottom = static_cast<BottomLevel>(random() % 3),
                                 .oldest_reader = snapshot.value_or(next),
                                 .before = next_number_};
      std::vector<Sequence> readers{next};
      if (snapshot) readers.insert(readers.begin(), *snapshot);
      options_.oldest_reader = readers.front();
      for (;;) {
        const auto plan = a_range ? pick_range(*version, options_, request) : pick(*version, options_);
        if (!plan) break;
        ASSERT_LT(++steps, 5000u) << "no end in sight: " << text_of(plan);
        for (const auto* tables : {&plan->inputs, &plan->overlapped}) EXPECT_FALSE(any_damaged(*tables));
        const auto before = seen(*version, next), before_at_snapshot = seen(*version, readers.front());
        version = carry_out(*version, *plan, readers);
        ASSERT_TRUE(version->validate()) << version->validate().error().to_string() << " after " << text_of(plan);
        ASSERT_EQ(seen(*version, next), before) << "after " << text_of(plan);
        ASSERT_EQ(seen(*version, readers.front()), before_at_snapshot) << "after " << text_of(plan);
      }
    };
    for (int run = 0; run < 40; ++run) {
      version = version->with({.add = {{0, run_of(random, next)}}, .drop = {}});
      next += 10;
      if (random() % 4 == 0) snapshot = snapshot ? std::nullopt : std::optional(next);
      if (random() % 6 == 0) {
        std::vector<manifest::TablePtr> all;
        for (const auto& level : version->levels) all.insert(all.end(), level.begin(), level.end());
        const auto& victim = random() % 4 == 0 ? version->levels[0].front() : all[random() % all.size()];
        if (!victim->damaged()) ++damaged;
        victim->mark_damaged(Error(ErrorCode::kTableCorrupt, "drawn so"));
      }
      settle_all(false);
      if (HasFatalFailure()) return;
      ASSERT_LT(level0_runs(*version, options_), options_.level0_trigger + 0u);
      if (random() % 5 == 0) settle_all(true);
      if (HasFatalFailure()) return;
    }
    std::size_t still = 0;
    for (const auto& level : version->levels)
      for (const auto& table : level) still += table->damaged() ? 1 : 0;
    EXPECT_EQ(still, damaged) << "damaged tables are kept for whoever can restore them";
  }
}

}  // namespace
}  // namespace lightning::compaction
