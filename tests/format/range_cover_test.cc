// Cursors without what is hidden, against the plainest filter: both ways, every turn and seek, and what they never
// touch.
#include "format/range_cover.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace lightning::format {
namespace {

struct Row {
  std::string key;
  Sequence sequence = 0;
  bool operator==(const Row&) const = default;
};
bool operator<(const Row& a, const Row& b) { return compare_entries(a.key, a.sequence, b.key, b.sequence) < 0; }

// Rows in entry order; counts those it stood on.
class Rows final : public EntryIterator {
 public:
  Rows(std::vector<Row> rows, std::uint64_t& touched) : rows_(std::move(rows)), touched_(touched) {}
  bool valid() const override { return at_ < rows_.size(); }
  void seek_to_first() override { go(0); }
  void seek_to_last() override { go(rows_.size() - 1); }
  void seek(std::string_view key, Sequence sequence) override { go(rank({std::string(key), sequence}, false)); }
  void seek_for_prev(std::string_view key, Sequence sequence) override {
    go(rank({std::string(key), sequence}, true) - 1);
  }
  void next() override { go(at_ + 1); }
  void prev() override { go(at_ - 1); }
  const Entry& entry() const override { return entry_; }
  Status status() const override { return {}; }

 private:
  std::size_t rank(const Row& row, bool after_equal) const {
    const auto found = after_equal ? std::upper_bound(rows_.begin(), rows_.end(), row)
                                   : std::lower_bound(rows_.begin(), rows_.end(), row);
    return static_cast<std::size_t>(found - rows_.begin());
  }
  void go(std::size_t at) {  // size_t(0) - 1: before the first
    at_ = std::min(at, rows_.size());
    if (!valid()) return;
    ++touched_;
    entry_ = {rows_[at_].key, rows_[at_].sequence, EntryType::kPut, {}};
  }
  const std::vector<Row> rows_;
  std::uint64_t& touched_;
  std::size_t at_ = 0;
  Entry entry_;
};

std::string key_of(std::uint64_t number) {
  return {static_cast<char>('a' + number / 6), static_cast<char>('a' + number % 6)};
}

struct Case {
  explicit Case(std::uint32_t seed) : random(seed) {
    for (std::uint64_t count = random() % 30; count > 0; --count)
      rows.push_back({key_of(random() % 36), Sequence{1} + random() % 20});
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    for (std::uint64_t count = random() % 10; count > 0; --count) {
      keys.push_back(random() % 8 == 0 ? std::string() : key_of(random() % 36));
      keys.push_back(random() % 8 == 0 ? std::string() : key_of(random() % 36));
    }
    std::vector<RangeTombstone> parts[2];
    for (std::size_t i = 0; i + 1 < keys.size(); i += 2)
      parts[random() % 2].push_back({keys[i], keys[i + 1], Sequence{1} + random() % 25});
    first = RangeTombstones(parts[0]), second = RangeTombstones(parts[1]);
    at = random() % 26;
    for (const Row& row : rows)
      if (row.sequence >= std::max(first.covering(row.key, at), second.covering(row.key, at))) shown.push_back(row);
  }
  SourceBounds bounds() {
    SourceBounds known;
    if (rows.empty()) return known;
    if (random() % 2 == 0) known.smallest = rows.front().key;
    if (random() % 2 == 0) known.largest = rows.back().key;
    if (random() % 3 != 0) {
      known.newest = 0;
      for (const Row& row : rows) known.newest = std::max(known.newest, row.sequence);
    }
    return known;
  }
  std::mt19937 random;
  std::vector<Row> rows, shown;
  std::vector<std::string> keys;
  RangeTombstones first, second;
  Sequence at = 0;
};

void expect_at(const EntryIterator& cursor, const std::vector<Row>& rows, std::size_t i) {
  ASSERT_EQ(cursor.valid(), i < rows.size());
  if (!cursor.valid()) return;
  ASSERT_EQ((Row{std::string(cursor.entry().key), cursor.entry().sequence}), rows[i]);
}

TEST(RangeCover, LeavesWhatTheNaiveFilterLeaves) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 seeds(seed);
  for (int round = 0; round < 2000; ++round) {
    Case test(static_cast<std::uint32_t>(seeds()));
    const RangeCover cover({&test.first, &test.second}, test.at);
    std::uint64_t touched = 0;
    const SourceBounds bounds = test.bounds();
    const auto cursor = without_hidden(std::make_unique<Rows>(test.rows, touched), cover, bounds);
    std::size_t i = 0;
    for (cursor->seek_to_first(); cursor->valid(); cursor->next())
      ASSERT_NO_FATAL_FAILURE(expect_at(*cursor, test.shown, i++));
    ASSERT_EQ(i, test.shown.size());
    for (cursor->seek_to_last(); cursor->valid(); cursor->prev())
      ASSERT_NO_FATAL_FAILURE(expect_at(*cursor, test.shown, --i));
    ASSERT_EQ(i, 0);
    for (int move = 0; move < 20; ++move) {
      const Row target{key_of(test.random() % 36), test.random() % 3 == 0 ? kSequenceMax : test.random() % 22};
      if (test.random() % 2 == 0) {
        cursor->seek(target.key, target.sequence);
        i = static_cast<std::size_t>(std::lower_bound(test.shown.begin(), test.shown.end(), target) -
                                     test.shown.begin());
      } else {
        cursor->seek_for_prev(target.key, target.sequence);
        i = static_cast<std::size_t>(std::upper_bound(test.shown.begin(), test.shown.end(), target) -
                                     test.shown.begin()) -
            1;
      }
      ASSERT_NO_FATAL_FAILURE(expect_at(*cursor, test.shown, i));
      for (int step = 0; step < 4 && cursor->valid(); ++step) {
        if (test.random() % 2 == 0) {
          cursor->next(), ++i;
        } else {
          cursor->prev(), --i;
        }
        ASSERT_NO_FATAL_FAILURE(expect_at(*cursor, test.shown, i));
      }
    }
  }
}

TEST(RangeCover, IsPassedWithoutTouchingWhatLiesUnderIt) {
  std::vector<Row> rows;
  for (int i = 0; i < 1000; ++i) {
    const std::string digits = std::to_string(i);
    rows.push_back({"k" + std::string(3 - digits.size(), '0') + digits, 5});
  }
  // Pieces that touch, of two sets, from 100 to 900.
  const RangeTombstones first({{"k100", "k400", 9}, {"k700", "k900", 8}}),
      second({{"k300", "k700", 7}, {"k5", "k6", 3}});
  const RangeCover cover({&first, &second}, kSequenceMax);
  std::uint64_t touched = 0, passed = 0;
  const auto cursor = without_hidden(std::make_unique<Rows>(rows, touched), cover, {.newest = 5}, &passed);
  std::size_t shown = 0;
  for (cursor->seek_to_first(); cursor->valid(); cursor->next()) ++shown;
  EXPECT_EQ(shown, 200);
  EXPECT_EQ(touched, 201);
  EXPECT_EQ(passed, 1);
  touched = 0;
  for (cursor->seek_to_last(); cursor->valid(); cursor->prev()) ++shown;
  EXPECT_EQ(shown, 400);
  EXPECT_EQ(touched, 201);
  touched = 0;
  cursor->seek("k550", kSequenceMax);
  EXPECT_EQ(cursor->entry().key, "k900");
  cursor->seek_for_prev("k550", 0);
  EXPECT_EQ(cursor->entry().key, "k099");
  EXPECT_EQ(touched, 2);
  EXPECT_EQ(passed, 2);
}

TEST(RangeCover, OfEverythingTouchesNothing) {
  const RangeTombstones all({{"", "", 9}});
  const RangeCover cover({&all}, kSequenceMax);
  std::uint64_t touched = 0;
  const auto cursor = without_hidden(std::make_unique<Rows>(std::vector<Row>{{"a", 5}, {"b", 6}}, touched), cover,
                                     {.newest = 6, .smallest = "a", .largest = "b"});
  cursor->seek_to_first();
  EXPECT_FALSE(cursor->valid());
  cursor->seek_to_last();
  EXPECT_FALSE(cursor->valid());
  cursor->seek("b", kSequenceMax);
  EXPECT_FALSE(cursor->valid());
  EXPECT_EQ(touched, 0);
}

}  // namespace
}  // namespace lightning::format
