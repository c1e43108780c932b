#include "format/range_tombstones.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "format/entry.h"

namespace lightning::format {
namespace {

TEST(RangeTombstones, HoldNothingWhenTheyAreEmpty) {
  const RangeTombstones none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.covering("a", kSequenceMax), 0);
  EXPECT_FALSE(none.newer_in("", "", 0));
  const RangeTombstones hollow({{"b", "b", 3}, {"c", "a", 4}});
  EXPECT_TRUE(hollow.empty());
}

TEST(RangeTombstones, CoverTheirStartAndNotTheirEnd) {
  const RangeTombstones set({{"b", "d", 7}});
  EXPECT_EQ(set.covering("a", kSequenceMax), 0);
  EXPECT_EQ(set.covering("b", kSequenceMax), 7);
  EXPECT_EQ(set.covering("cz", kSequenceMax), 7);
  EXPECT_EQ(set.covering("d", kSequenceMax), 0);
}

TEST(RangeTombstones, AreSeenFromTheirSequenceOn) {
  const RangeTombstones set({{"b", "d", 7}, {"b", "d", 9}});
  EXPECT_EQ(set.covering("b", 6), 0);
  EXPECT_EQ(set.covering("b", 7), 7);
  EXPECT_EQ(set.covering("b", 8), 7);
  EXPECT_EQ(set.covering("b", 9), 9);
}

TEST(RangeTombstones, MayHaveNoEnd) {
  const RangeTombstones set({{"b", "", 7}, {"", "c", 9}});
  EXPECT_EQ(set.covering("a", kSequenceMax), 9);
  EXPECT_EQ(set.covering("b", kSequenceMax), 9);
  EXPECT_EQ(set.covering("b", 8), 7);
  EXPECT_EQ(set.covering(std::string(1000, '\xff'), kSequenceMax), 7);
  ASSERT_EQ(set.size(), 3);
  EXPECT_EQ(set[2].start, "c");
  EXPECT_EQ(set[2].end, "");
}

TEST(RangeTombstones, AreCutWhereTheyOverlap) {
  const RangeTombstones set({{"a", "g", 1}, {"c", "e", 3}});
  ASSERT_EQ(set.size(), 3);
  const Sequence one[] = {1}, both[] = {3, 1};
  EXPECT_EQ(set[0], (RangeTombstones::Fragment{"a", "c", one}));
  EXPECT_EQ(set[1], (RangeTombstones::Fragment{"c", "e", both}));
  EXPECT_EQ(set[2], (RangeTombstones::Fragment{"e", "g", one}));
  EXPECT_EQ(set.smallest_sequence(), 1);
  EXPECT_EQ(set.largest_sequence(), 3);
}

TEST(RangeTombstones, AreWholeAgainWhenTheirPiecesMeet) {
  const RangeTombstones set({{"a", "c", 4}, {"c", "f", 4}, {"b", "d", 4}});
  ASSERT_EQ(set.size(), 1);
  const Sequence four[] = {4};
  EXPECT_EQ(set[0], (RangeTombstones::Fragment{"a", "f", four}));
}

TEST(RangeTombstones, TellOfNewerOnesInARange) {
  const RangeTombstones set({{"b", "d", 7}, {"m", "", 3}});
  EXPECT_FALSE(set.newer_in("a", "b", 0));
  EXPECT_EQ(set.newer_in("a", "b\x01", 0), (RangeTombstone{"b", "d", 7}));
  EXPECT_FALSE(set.newer_in("a", "e", 7));
  EXPECT_FALSE(set.newer_in("d", "m", 0));
  EXPECT_EQ(set.newer_in("d", "", 2), (RangeTombstone{"m", "", 3}));
}

// Ranges over few short keys, so that they meet in all ways, and the plainest implementation beside them.
class Naive {
 public:
  explicit Naive(std::uint32_t seed) : random_(seed) {}
  std::string key() {
    static constexpr std::string_view kLetters("\0abz\xff", 5);
    std::string key;
    for (std::size_t length = 1 + random_() % 3; key.size() < length;) key += kLetters[random_() % kLetters.size()];
    return key;
  }
  void add() {
    keys_.push_back(random_() % 10 == 0 ? std::string() : key());
    keys_.push_back(random_() % 10 == 0 ? std::string() : key());
    sequences_.push_back(1 + random_() % 20);
  }
  std::vector<RangeTombstone> ranges() const {
    std::vector<RangeTombstone> ranges;
    for (std::size_t i = 0; i < sequences_.size(); ++i)
      ranges.push_back({keys_[2 * i], keys_[2 * i + 1], sequences_[i]});
    return ranges;
  }
  Sequence covering(std::string_view key, Sequence at) const {
    Sequence newest = 0;
    for (const RangeTombstone& range : ranges())
      if (range.start <= key && (range.end.empty() || key < range.end) && range.sequence <= at)
        newest = std::max(newest, range.sequence);
    return newest;
  }
  std::mt19937& random() { return random_; }

 private:
  std::mt19937 random_;
  std::vector<std::string> keys_;
  std::vector<Sequence> sequences_;
};

void expect_well_formed(const RangeTombstones& set) {
  for (std::size_t i = 0; i < set.size(); ++i) {
    ASSERT_FALSE(ends_before(set[i].end, set[i].start));
    ASSERT_TRUE(i == 0 || ends_before(set[i - 1].end, set[i].start));
    ASSERT_FALSE(set[i].sequences.empty());
    ASSERT_TRUE(std::ranges::is_sorted(set[i].sequences, std::greater<>()));
  }
}

TEST(RangeTombstones, AnswerAsTheNaiveModel) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 seeds(seed);
  for (int round = 0; round < 300; ++round) {
    Naive model(static_cast<std::uint32_t>(seeds()));
    for (std::size_t count = model.random()() % 12; count > 0; --count) model.add();
    const RangeTombstones set(model.ranges());
    expect_well_formed(set);
    const RangeTombstones newest = RangeTombstones::newest_of(model.ranges());
    expect_well_formed(newest);
    ASSERT_EQ(newest.sequences(), newest.size());
    const std::string from = model.key(), to = model.random()() % 4 == 0 ? std::string() : model.key();
    std::vector<RangeTombstone> clipped_ranges;
    set.clip(from, to, clipped_ranges);
    const RangeTombstones clipped(clipped_ranges);
    const std::string encoded = set.encode();
    const auto decoded = RangeTombstones::decode(encoded);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().to_string();
    for (int probe = 0; probe < 60; ++probe) {
      const std::string key = model.key();
      const Sequence at = model.random()() % 22;
      ASSERT_EQ(set.covering(key, at), model.covering(key, at));
      ASSERT_EQ(decoded->covering(key, at), model.covering(key, at));
      ASSERT_EQ(newest.covering(key, kSequenceMax), model.covering(key, kSequenceMax));
      const bool inside = from <= key && (to.empty() || key < to);
      ASSERT_EQ(clipped.covering(key, at), inside ? model.covering(key, at) : 0);
    }
  }
}

TEST(RangeTombstones, MergeIntoWhatTheyAreTogether) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Naive model(seed);
  for (int i = 0; i < 40; ++i) model.add();
  const auto all = model.ranges();
  std::vector<RangeTombstones> parts;
  for (std::size_t i = 0; i < all.size(); i += 7)
    parts.emplace_back(std::vector(all.begin() + static_cast<std::ptrdiff_t>(i),
                                   all.begin() + static_cast<std::ptrdiff_t>(std::min(i + 7, all.size()))));
  std::vector<const RangeTombstones*> sets;
  for (const RangeTombstones& part : parts) sets.push_back(&part);
  const RangeTombstones together = RangeTombstones::merge(sets), at_once(all);
  ASSERT_EQ(together.size(), at_once.size());
  for (std::size_t i = 0; i < together.size(); ++i) EXPECT_EQ(together[i], at_once[i]);
}

TEST(RangeTombstones, RefuseBytesThatNoneHaveWritten) {
  const RangeTombstones set({{"b", "d", 7}, {"b", "d", 5}, {"f", "", 9}});
  const std::string whole = set.encode();
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(RangeTombstones::decode(whole.substr(0, size)).has_value()) << size;
  EXPECT_FALSE(RangeTombstones::decode(whole + '\0').has_value());
  const auto refuses = [](std::string_view bytes) {
    const auto decoded = RangeTombstones::decode(bytes);
    return !decoded.has_value() && decoded.error().code() == ErrorCode::kTableCorrupt;
  };
  using namespace std::string_view_literals;
  EXPECT_TRUE(refuses("\x01\1b\1b\1\7"sv));                           // empty
  EXPECT_TRUE(refuses("\x01\1d\1b\1\7"sv));                           // backwards
  EXPECT_TRUE(refuses("\x01\1b\1d\0"sv));                             // no sequence
  EXPECT_TRUE(refuses("\x01\1b\1d\1\0"sv));                           // sequence 0
  EXPECT_TRUE(refuses("\x01\1b\1d\2\7\0"sv));                         // twice the same
  EXPECT_TRUE(refuses("\x01\1b\1d\2\7\7"sv));                         // down to 0
  EXPECT_TRUE(refuses("\x02\1b\1d\1\7\1c\1e\1\7"sv));                 // overlap
  EXPECT_TRUE(refuses("\x02\1b\1d\1\7\1d\1e\1\7"sv));                 // two pieces of one
  EXPECT_TRUE(refuses("\x02\1b\0\1\7\1d\1e\1\7"sv));                  // behind one without an end
  EXPECT_TRUE(refuses("\xff\xff\xff\xff\xff\xff\xff\xff\x7f\1b"sv));  // more than is there
}

TEST(RangeTombstones, SurviveAnyDamageToTheirBytes) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Naive model(seed);
  for (int i = 0; i < 6; ++i) model.add();
  const std::string whole = RangeTombstones(model.ranges()).encode();
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = whole;
    for (std::size_t flips = 1 + model.random()() % 3; flips > 0; --flips)
      bytes[model.random()() % bytes.size()] = static_cast<char>(model.random()());
    if (const auto decoded = RangeTombstones::decode(bytes)) expect_well_formed(*decoded);
  }
}

}  // namespace
}  // namespace lightning::format
