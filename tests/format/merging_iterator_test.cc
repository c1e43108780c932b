// The merging cursor against the sorted union of its sources: both ways, every turn, every seek, and failures.
#include "format/merging_iterator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace lightning::format {
namespace {

struct Row {
  std::string key;
  Sequence sequence = 0;
  bool operator==(const Row&) const = default;
};
bool operator<(const Row& a, const Row& b) { return compare_entries(a.key, a.sequence, b.key, b.sequence) < 0; }

void PrintTo(const Row& row, std::ostream* out) { *out << row.key << '@' << row.sequence; }

// Rows in entry order. With `fails_left` set, that many moves succeed and the next one fails until a seek succeeds
// again.
class Rows final : public EntryIterator {
 public:
  explicit Rows(std::vector<Row> rows, std::optional<int> fails_left = {})
      : rows_(std::move(rows)), moves_left_(fails_left) {}
  bool valid() const override { return !failed_ && at_ < rows_.size(); }
  void seek_to_first() override { go(0); }
  void seek_to_last() override { go(rows_.size() - 1); }
  void seek(std::string_view key, Sequence sequence) override { go(rank({std::string(key), sequence}, false)); }
  void seek_for_prev(std::string_view key, Sequence sequence) override {
    go(rank({std::string(key), sequence}, true) - 1);
  }
  void next() override { go(at_ + 1); }
  void prev() override { go(at_ - 1); }
  const Entry& entry() const override { return entry_; }
  Status status() const override {
    if (failed_) return Error(ErrorCode::kIo, "this source failed");
    return {};
  }

 private:
  std::size_t rank(const Row& row, bool after_equal) const {
    const auto found = after_equal ? std::upper_bound(rows_.begin(), rows_.end(), row)
                                   : std::lower_bound(rows_.begin(), rows_.end(), row);
    return static_cast<std::size_t>(found - rows_.begin());
  }
  void go(std::size_t at) {  // size_t(0) - 1: before the first
    if (moves_left_ && *moves_left_ == 0) failed_ = true;
    if (moves_left_ && *moves_left_ > 0) --*moves_left_;
    at_ = std::min(at, rows_.size());
    if (valid()) entry_ = {rows_[at_].key, rows_[at_].sequence, EntryType::kPut, {}};
  }
  const std::vector<Row> rows_;
  std::optional<int> moves_left_;
  std::size_t at_ = 0;
  bool failed_ = false;
  Entry entry_;
};

std::optional<Row> current(const EntryIterator& cursor) {
  if (!cursor.valid()) return std::nullopt;
  return Row{std::string(cursor.entry().key), cursor.entry().sequence};
}

std::uint64_t test_seed() {
  const char* given = std::getenv("LIGHTNING_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("LIGHTNING_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

struct Union {
  std::vector<std::vector<Row>> sources;
  std::vector<Row> rows;
  std::unique_ptr<EntryIterator> cursor() const {
    std::vector<std::unique_ptr<EntryIterator>> iterators;
    for (const auto& source : sources) iterators.push_back(std::make_unique<Rows>(source));
    return merge(std::move(iterators));
  }
};

// Few keys and many versions, spread over the sources at random; some sources stay empty.
Union random_union(std::mt19937_64& random, std::size_t sources, std::size_t rows) {
  Union all;
  all.sources.resize(sources);
  for (Sequence sequence = 1; sequence <= rows; ++sequence) {
    Row row{std::string(1 + random() % 2, static_cast<char>('a' + random() % 4)), sequence};
    all.sources[random() % sources].push_back(row);
    all.rows.push_back(std::move(row));
  }
  for (auto& source : all.sources) std::sort(source.begin(), source.end());
  std::sort(all.rows.begin(), all.rows.end());
  return all;
}

TEST(Merge, OfNothingIsEmpty) {
  const auto cursor = merge({});
  cursor->seek_to_first();
  EXPECT_FALSE(cursor->valid());
  cursor->seek_to_last();
  EXPECT_FALSE(cursor->valid());
  EXPECT_TRUE(cursor->status());
}

TEST(Merge, GivesTheSortedUnionBothWays) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 100; ++round) {
    const Union all = random_union(random, 1 + random() % 6, random() % 40);
    const auto cursor = all.cursor();
    std::vector<Row> seen;
    for (cursor->seek_to_first(); cursor->valid(); cursor->next()) seen.push_back(*current(*cursor));
    EXPECT_EQ(seen, all.rows);
    seen.clear();
    for (cursor->seek_to_last(); cursor->valid(); cursor->prev()) seen.push_back(*current(*cursor));
    std::reverse(seen.begin(), seen.end());
    EXPECT_EQ(seen, all.rows);
  }
}

TEST(Merge, TurnsAtEveryPosition) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 30; ++round) {
    const Union all = random_union(random, 2 + random() % 4, 1 + random() % 25);
    const auto row = [&](std::size_t i) { return i < all.rows.size() ? std::optional(all.rows[i]) : std::nullopt; };
    for (std::size_t i = 0; i < all.rows.size(); ++i) {
      const auto cursor = all.cursor();
      cursor->seek_to_first();
      for (std::size_t step = 0; step < i; ++step) cursor->next();
      ASSERT_EQ(current(*cursor), row(i));
      cursor->prev();
      ASSERT_EQ(current(*cursor), row(i - 1)) << "back from " << i;
      if (i == 0) continue;
      cursor->next();
      ASSERT_EQ(current(*cursor), row(i)) << "and forth again";
      cursor->next();
      ASSERT_EQ(current(*cursor), row(i + 1));
    }
  }
}

TEST(Merge, AgreesWithAModelOnRandomWalks) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 100; ++round) {
    const Union all = random_union(random, 2 + random() % 5, 1 + random() % 40);
    const auto cursor = all.cursor();
    std::size_t at = all.rows.size();  // size: not valid
    for (int step = 0; step < 200; ++step) {
      const Row target{std::string(1 + random() % 2, static_cast<char>('`' + random() % 6)), random() % 42};
      switch (random() % 8) {
        case 0:
          cursor->seek(target.key, target.sequence);
          at = static_cast<std::size_t>(std::lower_bound(all.rows.begin(), all.rows.end(), target) - all.rows.begin());
          break;
        case 1:
          cursor->seek_for_prev(target.key, target.sequence);
          at = static_cast<std::size_t>(std::upper_bound(all.rows.begin(), all.rows.end(), target) - all.rows.begin()) -
               1;
          break;
        default:
          if (!cursor->valid()) {
            cursor->seek_to_first();
            at = 0;
          } else if (random() % 2 == 0) {
            cursor->next();
            ++at;
          } else {
            cursor->prev();
            --at;
          }
      }
      if (at > all.rows.size()) at = all.rows.size();
      ASSERT_EQ(current(*cursor), at < all.rows.size() ? std::optional(all.rows[at]) : std::nullopt) << "step " << step;
    }
  }
}

// A source that fails is not one that ended: what another source says next may be an older version, or be hidden.
TEST(Merge, IsNotValidAfterASourceFailed) {
  const std::vector<Row> mine{{"a", 9}, {"c", 8}, {"e", 7}}, failing{{"b", 6}, {"d", 5}, {"f", 4}};
  for (int moves = 0; moves < 4; ++moves) {
    for (const bool forward : {true, false}) {
      std::vector<std::unique_ptr<EntryIterator>> sources;
      sources.push_back(std::make_unique<Rows>(mine));
      sources.push_back(std::make_unique<Rows>(failing, moves));
      const auto cursor = merge(std::move(sources));
      int seen = 0;
      if (forward) {
        for (cursor->seek_to_first(); cursor->valid(); cursor->next()) ++seen;
      } else {
        for (cursor->seek_to_last(); cursor->valid(); cursor->prev()) ++seen;
      }
      EXPECT_FALSE(cursor->status());
      EXPECT_LE(seen, 2 * moves + 1);
    }
  }
}

TEST(Merge, IsNotValidWhenASourceFailsAtATurn) {
  for (const bool forward : {true, false}) {
    std::vector<std::unique_ptr<EntryIterator>> sources;
    sources.push_back(std::make_unique<Rows>(std::vector<Row>{{"a", 9}, {"c", 8}, {"e", 7}}));
    sources.push_back(std::make_unique<Rows>(std::vector<Row>{{"b", 6}, {"d", 5}}, 1));  // fails at its second move
    const auto cursor = merge(std::move(sources));
    if (forward) {
      cursor->seek("c", kSequenceMax);
      ASSERT_TRUE(cursor->valid());
      cursor->prev();
    } else {
      cursor->seek_for_prev("c", 0);
      ASSERT_TRUE(cursor->valid());
      cursor->next();
    }
    EXPECT_FALSE(cursor->valid());
    EXPECT_FALSE(cursor->status());
  }
}

}  // namespace
}  // namespace lightning::format
