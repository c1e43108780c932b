#include "memtable/memtable.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/sync.h"

namespace lightning::memtable {
namespace {

using base::MemoryBudget;
using base::MemoryOwner;
using format::EntryType;
using format::kSequenceMax;

struct EntryOrder {
  bool operator()(const std::pair<std::string, Sequence>& a, const std::pair<std::string, Sequence>& b) const {
    return format::compare_entries(a.first, a.second, b.first, b.second) < 0;
  }
};
using Model = std::map<std::pair<std::string, Sequence>, std::pair<EntryType, std::string>, EntryOrder>;

// A memtable and the map it should equal.
class Both {
 public:
  void add(const std::string& key, Sequence sequence, const std::string& value, EntryType type = EntryType::kPut) {
    table.add({key, sequence, type, value});
    model[{key, sequence}] = {type, value};
  }
  void expect_at(const format::EntryIterator& it, Model::const_iterator expected) const {
    ASSERT_EQ(it.valid(), expected != model.end());
    if (!it.valid()) return;
    ASSERT_EQ(it.entry().key, expected->first.first);
    ASSERT_EQ(it.entry().sequence, expected->first.second);
    ASSERT_EQ(it.entry().type, expected->second.first);
    ASSERT_EQ(it.entry().value, expected->second.second);
  }
  void expect_equal_both_ways() const {
    EXPECT_EQ(table.entries(), model.size());
    const auto it = table.iterator();
    it->seek_to_first();
    for (auto m = model.begin(); m != model.end(); ++m, it->next()) ASSERT_NO_FATAL_FAILURE(expect_at(*it, m));
    EXPECT_FALSE(it->valid());
    it->seek_to_last();
    for (auto m = model.end(); m != model.begin(); it->prev()) ASSERT_NO_FATAL_FAILURE(expect_at(*it, --m));
    EXPECT_FALSE(it->valid());
    EXPECT_TRUE(it->status());
  }
  void expect_seeks(const std::string& key, Sequence sequence) const {
    const auto it = table.iterator();
    it->seek(key, sequence);
    const auto lower = model.lower_bound({key, sequence});
    ASSERT_NO_FATAL_FAILURE(expect_at(*it, lower));
    it->seek_for_prev(key, sequence);
    const auto upper = model.upper_bound({key, sequence});
    ASSERT_NO_FATAL_FAILURE(expect_at(*it, upper == model.begin() ? model.end() : std::prev(upper)));
    const auto got = table.get(key, sequence);
    const bool there = lower != model.end() && lower->first.first == key;
    ASSERT_EQ(got.has_value(), there);
    if (!there) return;
    ASSERT_EQ(got->key, key);
    ASSERT_EQ(got->sequence, lower->first.second);
    ASSERT_EQ(got->type, lower->second.first);
    ASSERT_EQ(got->value, lower->second.second);
  }

  MemoryBudget budget{1 << 30};
  MemTable table{budget};
  Model model;
};

std::uint64_t seed() {
  static const std::uint64_t value = [] {
    const char* const given = std::getenv("LIGHTNING_TEST_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::uint64_t{20240917};
  }();
  return value;
}

std::string numbered(const char* prefix, std::uint64_t n, int digits) {
  std::string text = std::to_string(n);
  return prefix + std::string(static_cast<std::size_t>(digits) - text.size(), '0') + text;
}

// Key shapes that are hard on heads and prefixes.
struct Shape {
  const char* name;
  std::string (*make)(std::mt19937_64&);
  friend void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }
};
const Shape kShapes[] = {
    {"RandomHex", [](std::mt19937_64& r) { return numbered("k", r() % 100000000, 9) + std::string(20, '0'); }},
    {"LongSharedPrefix",
     [](std::mt19937_64& r) { return numbered("user0000000000000000000000000000", r() % 100000, 12); }},
    {"FewKeysManyVersions", [](std::mt19937_64& r) { return numbered("key", r() % 20, 3); }},
    {"OneKey", [](std::mt19937_64&) { return std::string("the one key"); }},
    {"BinaryWithZeros",
     [](std::mt19937_64& r) {
       std::string key(1 + r() % 12, '\0');  // "\0", "\0\0", ... are prefixes of each other and tie in their heads
       for (char& c : key) c = r() % 4 == 0 ? static_cast<char>(r() % 3) : '\0';
       return key;
     }},
    {"AllBytes",
     [](std::mt19937_64& r) {
       std::string key(1 + r() % 5, '\0');
       for (char& c : key) c = static_cast<char>(r() % 2 == 0 ? 0xff : r());
       return key;
     }},
    {"NestedPrefixes", [](std::mt19937_64& r) { return std::string(1 + r() % 3000, 'a') + (r() % 2 == 0 ? "b" : ""); }},
    {"GroupsOfNumbers",
     [](std::mt19937_64& r) {
       const char* const groups[] = {"a:", "b:", "table/customers/", "table/orders/", "z"};
       return numbered(groups[r() % 5], r() % 3000, 20);
     }},
};

class Shapes : public testing::TestWithParam<Shape> {};

TEST_P(Shapes, KeepTheOrderOfAMapAndAnswerEverySeek) {
  SCOPED_TRACE("seed " + std::to_string(seed()));
  std::mt19937_64 random(seed());
  Both both;
  std::vector<std::string> keys;
  for (Sequence sequence = 1; sequence <= 6000; ++sequence) {
    keys.push_back(GetParam().make(random));
    const auto type = random() % 5 == 0 ? EntryType::kErase : EntryType::kPut;
    both.add(keys.back(), sequence, type == EntryType::kErase ? "" : std::string(random() % 40, 'v'), type);
    if (sequence % 1500 == 0) both.expect_equal_both_ways();
  }
  for (int i = 0; i < 3000; ++i) {
    const std::string key = i % 2 == 0 ? keys[random() % keys.size()] : GetParam().make(random);
    const Sequence at = i % 3 == 0 ? kSequenceMax : i % 3 == 1 ? 0 : random() % 6001;
    ASSERT_NO_FATAL_FAILURE(both.expect_seeks(key, at)) << "key " << key.substr(0, 100) << " at " << at;
  }
}
INSTANTIATE_TEST_SUITE_P(MemTable, Shapes, testing::ValuesIn(kShapes),
                         [](const auto& shape) { return shape.param.name; });

TEST(MemTable, FindsNothingWhenEmpty) {
  Both both;
  EXPECT_TRUE(both.table.empty());
  EXPECT_FALSE(both.table.get("a", kSequenceMax));
  const auto it = both.table.iterator();
  EXPECT_FALSE(it->valid());
  both.expect_equal_both_ways();
  both.expect_seeks("a", kSequenceMax);
}

TEST(MemTable, SeesTheNewestVersionNotAfterTheGivenSequence) {
  Both both;
  both.add("a", 3, "three");
  both.add("a", 7, "", EntryType::kErase);
  EXPECT_FALSE(both.table.get("a", 2));
  EXPECT_EQ(both.table.get("a", 6)->value, "three");
  EXPECT_EQ(both.table.get("a", 7)->type, EntryType::kErase);
  EXPECT_FALSE(both.table.get("aa", kSequenceMax));
}

TEST(MemTable, CopiesKeysAndValues) {
  Both both;
  std::string key = "key", value = "value";
  both.table.add({key, 1, EntryType::kPut, value});
  key[0] = value[0] = 'x';
  EXPECT_EQ(both.table.get("key", 1)->value, "value");
}

TEST(MemTable, TakesSequentialKeysUpAndDownAndInterleavedStreams) {
  Both both;
  Sequence sequence = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) both.add(numbered("up", i, 30), ++sequence, "");
  for (std::uint64_t i = 3000; i > 0; --i) both.add(numbered("down", i, 30), ++sequence, "");
  for (std::uint64_t i = 0; i < 3000; ++i)
    both.add(numbered(i % 3 == 0 ? "x/" : i % 3 == 1 ? "y/" : "z/", i, 30), ++sequence, "");
  both.expect_equal_both_ways();
  for (std::uint64_t i = 0; i < 3000; i += 7) both.expect_seeks(numbered("up", i, 30), kSequenceMax);
}

TEST(MemTable, PacksSequentialKeysDensely) {
  MemoryBudget budget(1 << 30);
  MemTable table(budget);
  constexpr std::uint64_t kEntries = 20000;
  for (std::uint64_t i = 0; i < kEntries; ++i) table.add({numbered("user", i, 28), i + 1, EntryType::kPut, ""});
  // 16 bytes of record header and about 17 of leaf beside the 32-byte key, and less than 64 KiB of unused region.
  EXPECT_LT(table.memory_bytes(), kEntries * (32 + 16 + 20) + (128 << 10));
}

TEST(MemTable, HoldsKeysAndValuesOfAllSizes) {
  Both both;
  std::mt19937_64 random(seed());
  Sequence sequence = 0;
  for (const std::size_t size : {1, 7, 8, 9, 15, 16, 17, 255, 4095, 4096, 4097, 65535, 65536}) {
    for (int i = 0; i < 12; ++i) {
      std::string key(size, 'k');
      key.back() = static_cast<char>('a' + i);
      both.add(key, ++sequence, std::string(random() % 2 == 0 ? 0 : random() % 100000, 'v'));
    }
  }
  both.add("big", ++sequence, std::string(3 << 20, 'b'));
  both.expect_equal_both_ways();
  for (const auto& [at, value] : Model(both.model)) both.expect_seeks(at.first, at.second);
}

TEST(MemTable, TurnsAroundAnywhere) {
  Both both;
  for (Sequence i = 1; i <= 1000; ++i) both.add(numbered("k", i * 7919 % 1000, 5), i, "");
  std::mt19937_64 random(seed());
  const auto it = both.table.iterator();
  auto m = std::next(both.model.begin(), 500);
  it->seek(m->first.first, m->first.second);
  for (int i = 0; i < 20000; ++i) {
    ASSERT_NO_FATAL_FAILURE(both.expect_at(*it, m));
    const bool forward = m == both.model.begin() || (std::next(m) != both.model.end() && random() % 2 == 0);
    if (forward) {
      ++m, it->next();
    } else {
      --m, it->prev();
    }
  }
}

TEST(MemTable, GivesBackTheMemoryItCharged) {
  MemoryBudget budget(1 << 30);
  {
    MemTable table(budget);
    EXPECT_LE(table.memory_bytes(), 64u << 10) << "an empty memtable should be cheap";
    for (Sequence i = 1; i <= 5000; ++i)
      table.add({numbered("k", i, 8), i, EntryType::kPut, std::string(i % 500, 'v')});
    EXPECT_EQ(budget.held(MemoryOwner::kMemTables), table.memory_bytes());
    EXPECT_GT(table.memory_bytes(), 5000u * 250);
  }
  EXPECT_EQ(budget.held(MemoryOwner::kMemTables), 0u);
}

TEST(MemTable, NeverFailsAnAddThatWasReserved) {
  SCOPED_TRACE("seed " + std::to_string(seed()));
  std::mt19937_64 random(seed());
  for (const std::uint64_t limit : {400u << 10, 1u << 20, 5u << 20}) {
    MemoryBudget budget(1 << 30);
    MemTable table(budget, limit);
    Sequence sequence = 0;
    std::uint64_t refused = 0, batch_max = 300;
    // Memory runs out; from then on only what was reserved may be added, and smaller batches fill the rest.
    while (batch_max > 0) {
      std::vector<std::pair<std::string, std::string>> batch(1 + random() % batch_max);
      std::uint64_t bytes = 0;
      for (auto& [key, value] : batch) {
        key = numbered("key", random() % 1000000, 20);
        value = std::string(random() % (batch_max > 50 ? 20000 : 200), 'v');
        bytes += key.size() + value.size();
      }
      if (const auto status = table.reserve(batch.size(), bytes); !status) {
        ASSERT_EQ(status.error().code(), ErrorCode::kOutOfMemory);
        if (++refused % 4 == 0) batch_max /= 2;
        continue;
      }
      for (const auto& [key, value] : batch) ASSERT_NO_THROW(table.add({key, ++sequence, EntryType::kPut, value}));
    }
    EXPECT_EQ(table.entries(), sequence);
    EXPECT_GT(sequence, 0u);
    EXPECT_LE(table.memory_bytes(), limit);
  }
}

TEST(MemTable, SplitsNodesForReservedAddsAfterOthersTookAllMemory) {
  MemoryBudget budget(1 << 30);
  MemTable table(budget, 2 << 20);
  constexpr std::uint64_t kReserved = 6000;
  ASSERT_TRUE(table.reserve(kReserved, kReserved * 13));
  Sequence sequence = 0;
  base::Thread::spawn("hog", [&] {
    for (const std::uint64_t size : {5000, 500, 50, 1})
      while (table.reserve(1, size + 13))
        table.add({numbered("hog", ++sequence, 10), sequence, EntryType::kPut, std::string(size, 'h')});
  }).join();
  std::mt19937_64 random(seed());
  for (std::uint64_t i = 0; i < kReserved; ++i)
    ASSERT_NO_THROW(table.add({numbered("k", random() % 1000000, 12), ++sequence, EntryType::kPut, ""})) << i;
  EXPECT_EQ(table.entries(), sequence);
}

TEST(MemTable, KeepsNothingForWritesGivenUpAfterReserving) {
  MemoryBudget budget(1 << 30);
  MemTable table(budget, 4 << 20);
  for (std::uint64_t i = 0; i < 100000; ++i) {
    ASSERT_TRUE(table.reserve(1 + i % 20, 5000)) << i;
    table.withdraw(1 + i % 20, 5000);
  }
  EXPECT_LE(table.memory_bytes(), 64u << 10);
  ASSERT_TRUE(table.reserve(10000, 2 << 20)) << "and memory for real work is still there";
}

TEST(MemTable, SaysWhenABatchIsTooBigForMemory) {
  MemoryBudget budget(1 << 30);
  MemTable table(budget, 1 << 20);
  for (const auto& [entries, bytes] : {std::pair{std::uint64_t{1}, std::uint64_t{2} << 20},
                                       {std::uint64_t{1} << 20, std::uint64_t{1}},
                                       {~std::uint64_t{0}, ~std::uint64_t{0}}}) {
    const auto status = table.reserve(entries, bytes);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::kOutOfMemory);
  }
  ASSERT_TRUE(table.reserve(1, 6));
  table.add({"key", 1, EntryType::kPut, "abc"});
  EXPECT_EQ(table.get("key", 1)->value, "abc");
}

}  // namespace
}  // namespace lightning::memtable
