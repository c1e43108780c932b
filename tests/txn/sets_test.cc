// What a transaction remembers: writes in order, keys and ranges that were read.
#include <gtest/gtest.h>

#include <set>

#include "env/simulated_content.h"
#include "txn/key_ranges.h"
#include "txn/key_text.h"
#include "txn/read_set.h"
#include "txn/write_set.h"

namespace lightning::txn {
namespace {

std::string text(const KeyRanges& ranges) {
  std::string out;
  for (const auto& [keyspace, of_keyspace] : ranges.by_keyspace())
    for (const auto& [start, end] : of_keyspace)
      out += std::to_string(keyspace) + "[" + start + "," + end.value_or("...") + ") ";
  return out;
}

TEST(KeyRanges, JoinWhatOverlapsOrTouches) {
  KeyRanges ranges;
  ranges.add(0, "d", "f");
  ranges.add(0, "a", "b");
  ranges.add(1, "a", "z");
  EXPECT_EQ(text(ranges), "0[a,b) 0[d,f) 1[a,z) ");
  ranges.add(0, "b", "c");
  EXPECT_EQ(text(ranges), "0[a,c) 0[d,f) 1[a,z) ");
  ranges.add(0, "bb", "d");
  EXPECT_EQ(text(ranges), "0[a,f) 1[a,z) ");
  ranges.add(0, "b", "c");
  ranges.add(0, "x", "x");
  EXPECT_EQ(text(ranges), "0[a,f) 1[a,z) ");
  ranges.add(0, "m", std::nullopt);
  ranges.add(0, "q", "r");
  EXPECT_EQ(text(ranges), "0[a,f) 0[m,...) 1[a,z) ");
  ranges.add(0, "", std::nullopt);
  EXPECT_EQ(text(ranges), "0[,...) 1[a,z) ");
}

TEST(KeyRanges, ContainWhatASetOfKeysWould) {
  env::Dice dice(7);
  for (int round = 0; round < 200; ++round) {
    KeyRanges ranges;
    std::set<int> model;
    for (int i = 0; i < 12; ++i) {
      const int from = static_cast<int>(dice.below(90)), to = from + static_cast<int>(dice.below(20));
      ranges.add(3, std::to_string(100 + from), std::to_string(100 + to));
      for (int k = from; k < to; ++k) model.insert(k);
    }
    for (int k = 0; k < 110; ++k) ASSERT_EQ(ranges.contains(3, std::to_string(100 + k)), model.contains(k)) << k;
    EXPECT_FALSE(ranges.contains(2, "150"));
    const std::size_t before = ranges.count();
    ranges.coarsen(2);
    EXPECT_LE(ranges.count(), std::min<std::size_t>(before, 2));
    for (const int k : model) ASSERT_TRUE(ranges.contains(3, std::to_string(100 + k)));
  }
}

TEST(ReadSet, StaysWithinItsBoundAndForgetsNothing) {
  ReadSet set;
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "key" + std::to_string(i * 7919 % 10'007);
    set.add(0, key, key_hash(key), 100 + static_cast<Sequence>(i), false);
    if (set.bytes() > 40'000) set.shrink_to(20'000);
    ASSERT_LE(set.bytes(), 41'000u);
  }
  EXPECT_EQ(set.ranges_after(), 100u);
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "key" + std::to_string(i * 7919 % 10'007);
    const bool as_key = set.keys() != nullptr && set.keys()->contains(WriteSet::Key{0, key});
    ASSERT_TRUE(as_key || set.ranges().contains(0, key)) << key;
  }
}

TEST(ReadSet, KeepsTheFirstMomentOfAKeyThatWasReadTwice) {
  ReadSet set;
  set.add(0, "a", key_hash("a"), 7, false);
  set.add(0, "a", key_hash("a"), 9, true);
  ASSERT_EQ(set.keys()->size(), 1u);
  EXPECT_EQ(set.keys()->begin()->second.after, 7u);
  EXPECT_TRUE(set.keys()->begin()->second.for_update);
}

TEST(WriteSet, EncodesTheNewestOfEachKeyInOrder) {
  WriteSet set;
  const auto add = [&](format::EntryType type, std::uint32_t keyspace, std::string_view key, std::string_view value) {
    set.add({type, keyspace, key, value}, key_hash(key));
  };
  add(format::EntryType::kPut, 1, "a", "x");
  add(format::EntryType::kPut, 0, "b", "1");
  add(format::EntryType::kPut, 0, "a", "1");
  add(format::EntryType::kErase, 0, "b", {});
  std::string batch, seen;
  EXPECT_EQ(set.encode(batch), 3u);
  for (format::BatchReader reader(batch); reader.next();)
    seen += std::to_string(reader.operation().keyspace) + std::string(reader.operation().key) + "=" +
            std::string(reader.operation().value) + " ";
  EXPECT_EQ(seen, "0a=1 0b= 1a=x ");
}

// Against a stack of copies: any nesting of marks, changes and undoing.
TEST(WriteSet, UndoesToAnyMark) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    env::Dice dice(seed);
    WriteSet set;
    std::map<std::string, std::string> model;
    std::vector<std::pair<std::uint64_t, std::map<std::string, std::string>>> marks;
    for (int step = 0; step < 200; ++step) {
      const std::string key(1, static_cast<char>('a' + dice.below(6)));
      if (dice.one_in(8)) {
        marks.emplace_back(set.mark(), model);
      } else if (dice.one_in(8) && !marks.empty()) {
        const std::size_t to = dice.below(marks.size());
        set.undo_to(marks[to].first);
        model = marks[to].second;
        marks.resize(to + 1);
      } else {
        model[key] = std::to_string(step);
        set.add({format::EntryType::kPut, 0, key, model[key]}, key_hash(key));
      }
      ASSERT_EQ(set.live(), model.size());
      for (char c = 'a'; c < 'g'; ++c) {
        const auto* version = set.find(0, std::string(1, c));
        const auto found = model.find(std::string(1, c));
        ASSERT_EQ(version != nullptr, found != model.end());
        if (version != nullptr) {
          ASSERT_EQ(version->value, found->second);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lightning::txn
