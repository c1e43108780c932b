#include "sstable/table.h"

#include <algorithm>

#include "sstable/index.h"
#include "table_fixture.h"

namespace lightning::sstable {
namespace {

using format::EntryType;
using format::kSequenceMax;

// Rows of one shape, sorted and without duplicates.
using Shape = std::vector<Row> (*)(std::mt19937_64&);

std::string random_bytes(std::mt19937_64& random, std::size_t bytes, unsigned alphabet = 256) {
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random() % alphabet);
  return text;
}

std::vector<Row> in_order(std::vector<Row> rows) {
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end(),
                         [](const Row& a, const Row& b) { return a.key == b.key && a.sequence == b.sequence; }),
             rows.end());
  return rows;
}

std::vector<Row> one_entry(std::mt19937_64&) { return {{"k", 0, EntryType::kErase, ""}}; }
std::vector<Row> sequential(std::mt19937_64&) { return plain_rows(2000, 100); }
std::vector<Row> binary_keys(std::mt19937_64& random) {
  std::vector<Row> rows;
  for (int i = 0; i < 3000; ++i)
    rows.push_back({random_bytes(random, 1 + random() % 20), random() % 1000, EntryType::kPut,
                    random_bytes(random, random() % 60)});
  return in_order(std::move(rows));
}
std::vector<Row> keys_of_two_letters(
    std::mt19937_64& random) {  // prefixes of each other, heads that tie, 0x00 and 0xff
  std::vector<Row> rows;
  for (int i = 0; i < 3000; ++i) {
    std::string key = random_bytes(random, 1 + random() % 14, 2);
    for (char& c : key) c = c != 0 ? '\xff' : '\0';
    rows.push_back({key, random() % 50, static_cast<EntryType>(random() % 2), random_bytes(random, random() % 30)});
  }
  return in_order(std::move(rows));
}
std::vector<Row> many_versions(std::mt19937_64& random) {  // of few keys, over many blocks
  std::vector<Row> rows;
  for (int i = 0; i < 4000; ++i)
    rows.push_back({"hot" + std::to_string(random() % 5), 1 + random() % 100000, static_cast<EntryType>(random() % 2),
                    random_bytes(random, random() % 50)});
  return in_order(std::move(rows));
}
std::vector<Row> large_entries(std::mt19937_64& random) {
  std::vector<Row> rows;
  for (int i = 0; i < 4; ++i) {
    rows.push_back({std::string(kKeyBytesMax - 1, 'k') + static_cast<char>('a' + i), 5, EntryType::kPut, "v"});
    rows.push_back({"m" + std::to_string(i), kSequenceMax, EntryType::kPut, random_bytes(random, 1 << 20)});
    rows.push_back({"m" + std::to_string(i), 3, EntryType::kPut, ""});
    rows.push_back({"n" + std::to_string(i), 3, EntryType::kPut, std::string(16 * 1024 - 14 + i, 'x')});
  }
  return in_order(std::move(rows));
}
std::vector<Row> empty_values(std::mt19937_64&) {
  std::vector<Row> rows;
  for (int i = 0; i < 5000; ++i) rows.push_back({"e" + std::to_string(i), 9, EntryType::kPut, ""});
  return in_order(std::move(rows));
}
std::vector<Row> long_common_prefix(std::mt19937_64& random) {
  std::vector<Row> rows;
  for (int i = 0; i < 2000; ++i)
    rows.push_back({std::string(300, 'p') + random_bytes(random, 4, 4) + std::string(random() % 300, 'q'),
                    random() % 9 + 1, EntryType::kPut, "v" + std::to_string(i)});
  return in_order(std::move(rows));
}

struct Case {
  const char* name;
  Shape shape;
  Compression compression;
  std::uint32_t block_bytes;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class TableShapes : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    random_.seed(test_seed());
    rows_ = GetParam().shape(random_);
    test_.write(rows_, {.block_bytes = GetParam().block_bytes, .compression = GetParam().compression});
    if (HasFatalFailure()) return;
    ASSERT_NE(test_.table, nullptr);
  }
  // Keys that are there, keys beside them, and keys of nowhere.
  std::string some_key() {
    std::string key = rows_[random_() % rows_.size()].key;
    switch (random_() % 6) {
      case 0:
        key += '\0';
        break;
      case 1:
        key.pop_back();
        break;
      case 2:
        key.back() = static_cast<char>(key.back() + 1);
        break;
      case 3:
        key = random_bytes(random_, 1 + random_() % 10);
        break;
      default:
        break;
    }
    return key.empty() ? "x" : key;
  }
  Sequence some_sequence() {
    return random_() % 4 == 0 ? kSequenceMax : rows_[random_() % rows_.size()].sequence + random_() % 3 - 1;
  }

  std::mt19937_64 random_;
  std::vector<Row> rows_;
  TestTable test_;
};

TEST_P(TableShapes, GiveBackEveryEntryInOrderBothWays) {
  EXPECT_EQ(*test_.scan(), rows_);
  const auto cursor = test_.table->iterator({});
  std::size_t i = rows_.size();
  for (cursor->seek_to_last(); cursor->valid(); cursor->prev()) {
    const format::Entry& entry = cursor->entry();
    ASSERT_GT(i, 0u);
    --i;
    ASSERT_EQ((Row{std::string(entry.key), entry.sequence, entry.type, std::string(entry.value)}), rows_[i]);
  }
  EXPECT_TRUE(cursor->status());
  EXPECT_EQ(i, 0u);
}

TEST_P(TableShapes, FindTheNewestVersionAtEachSequence) {
  for (const Row& row : rows_) {
    ASSERT_TRUE(test_.table->may_contain(filter_hash(row.key)));
    if (rows_.size() > 100 && random_() % 4 != 0) continue;
    for (const Sequence at : {row.sequence, row.sequence - 1, row.sequence + 1, kSequenceMax}) {
      if (at > kSequenceMax) continue;
      ASSERT_EQ(*test_.find(row.key, at), TestTable::answer(newest(rows_, row.key, at)));
    }
  }
  for (int i = 0; i < 2000; ++i) {
    const std::string key = some_key();
    const Sequence at = some_sequence() & kSequenceMax;
    ASSERT_EQ(*test_.find(key, at), TestTable::answer(newest(rows_, key, at)));
  }
}

TEST_P(TableShapes, ObeyTheLawsOfSeekAndStep) {
  const auto cursor = test_.table->iterator({});
  const auto stands_at = [&](std::ptrdiff_t i) {
    if (i < 0 || i >= std::ssize(rows_)) return !cursor->valid() && cursor->status();
    if (!cursor->valid()) return false;
    const Row& row = rows_[static_cast<std::size_t>(i)];
    const format::Entry& entry = cursor->entry();
    return entry.key == row.key && entry.sequence == row.sequence && entry.type == row.type && entry.value == row.value;
  };
  for (int round = 0; round < 1500; ++round) {
    const std::string key = some_key();
    const Sequence sequence = some_sequence() & kSequenceMax;
    const auto lower = std::lower_bound(rows_.begin(), rows_.end(), Row{key, sequence, {}, {}}) - rows_.begin();
    const auto upper = std::upper_bound(rows_.begin(), rows_.end(), Row{key, sequence, {}, {}}) - rows_.begin();
    std::ptrdiff_t i = 0;
    if (random_() % 2 == 0) {
      cursor->seek(key, sequence);
      i = lower;
    } else {
      cursor->seek_for_prev(key, sequence);
      i = upper - 1;
    }
    ASSERT_TRUE(stands_at(i));
    for (int step = 0; step < 6 && cursor->valid(); ++step) {
      if (random_() % 2 == 0)
        cursor->next(), ++i;
      else
        cursor->prev(), --i;
      ASSERT_TRUE(stands_at(i));
    }
  }
}

TEST_P(TableShapes, PassTheirOwnCheck) {
  for (const Error& error : test_.check()) ADD_FAILURE() << error.to_string();
}

TEST_P(TableShapes, DescribeThemselvesInTheMeta) {
  const TableMeta& meta = test_.meta;
  EXPECT_EQ(meta.entries, rows_.size());
  EXPECT_EQ(meta.smallest_key, rows_.front().key);
  EXPECT_EQ(meta.largest_key, rows_.back().key);
  std::uint64_t tombstones = 0, bytes = 0;
  Sequence least = kSequenceMax, most = 0;
  for (const Row& row : rows_) {
    tombstones += row.type == EntryType::kErase;
    bytes += row.key.size() + row.value.size();
    least = std::min(least, row.sequence);
    most = std::max(most, row.sequence);
  }
  EXPECT_EQ(meta.tombstones, tombstones);
  EXPECT_EQ(meta.data_bytes, bytes);
  EXPECT_EQ(meta.smallest_sequence, least);
  EXPECT_EQ(meta.largest_sequence, most);

  const auto described = describe_table(test_.env, "t");
  ASSERT_TRUE(described);
  EXPECT_EQ(described->store_id, test_.store_id);
  EXPECT_EQ(described->meta.root, meta.root);
  EXPECT_EQ(described->meta.largest_key, meta.largest_key);
  EXPECT_EQ(described->meta.entries, meta.entries);
}

TEST_P(TableShapes, TellOffsetsThatRiseWithTheKeyAndPiecesOfLikeSize) {
  std::vector<std::string> keys;
  for (int i = 0; i < 500; ++i) keys.push_back(some_key());
  std::sort(keys.begin(), keys.end());
  std::uint64_t before = 0;
  for (const std::string& key : keys) {
    const std::uint64_t offset = test_.table->approximate_offset(key);
    ASSERT_GE(offset, before);
    before = offset;
  }
  EXPECT_LE(before, test_.table->properties().data_stored_bytes);
  EXPECT_EQ(test_.table->approximate_offset(std::string(1, '\0')), 0u);

  const std::vector<std::string> splits = test_.table->split_keys(4);
  EXPECT_LE(splits.size(), 3u);
  EXPECT_TRUE(std::is_sorted(splits.begin(), splits.end()));
  EXPECT_EQ(std::adjacent_find(splits.begin(), splits.end()), splits.end());
  EXPECT_TRUE(test_.table->split_keys(1).empty());
}

INSTANTIATE_TEST_SUITE_P(All, TableShapes,
                         testing::Values(Case{"OneEntry", one_entry, Compression::kNone, 16384},
                                         Case{"Sequential", sequential, Compression::kLz4, 16384},
                                         Case{"SequentialZstd", sequential, Compression::kZstd, 4096},
                                         Case{"BinaryKeys", binary_keys, Compression::kNone, 4096},
                                         Case{"BinaryKeysTinyBlocks", binary_keys, Compression::kNone, 128},
                                         Case{"KeysOfTwoLetters", keys_of_two_letters, Compression::kNone, 512},
                                         Case{"KeysOfTwoLettersLz4", keys_of_two_letters, Compression::kLz4, 16384},
                                         Case{"ManyVersions", many_versions, Compression::kLz4, 1024},
                                         Case{"LargeEntries", large_entries, Compression::kLz4, 16384},
                                         Case{"LargeEntriesZstd", large_entries, Compression::kZstd, 16384},
                                         Case{"EmptyValues", empty_values, Compression::kNone, 16384},
                                         Case{"LongCommonPrefix", long_common_prefix, Compression::kLz4, 2048}),
                         [](const auto& tested) { return tested.param.name; });

TEST(Table, SplitsIntoPiecesOfLikeSize) {
  TestTable test;
  const std::vector<Row> rows = plain_rows(20000, 100);
  test.write(rows, {.compression = Compression::kNone});
  const std::vector<std::string> splits = test.table->split_keys(8);
  ASSERT_EQ(splits.size(), 7u);
  std::size_t before = 0;
  for (const std::string& split : splits) {
    const auto at = static_cast<std::size_t>(
        std::lower_bound(rows.begin(), rows.end(), Row{split, kSequenceMax, {}, {}}) - rows.begin());
    EXPECT_NEAR(static_cast<double>(at - before), 2500, 400);
    before = at;
  }
}

TEST(Filter, LetsFewKeysPassThatAreNotThere) {
  TestTable test;
  test.write(plain_rows(50000, 10));
  int passed = 0;
  for (int i = 0; i < 100000; ++i) passed += test.table->may_contain(filter_hash("absent" + std::to_string(i)));
  EXPECT_LT(passed, 2000);
}

TEST(Filter, IsLeftOutWhenNotWanted) {
  TestTable test;
  test.write(plain_rows(1000), {.filter_bits_per_key = 0});
  EXPECT_EQ(test.table->properties().filter_bytes, 0u);
  EXPECT_TRUE(test.table->may_contain(filter_hash("absent")));
  EXPECT_FALSE(test.find("absent")->found);
  EXPECT_TRUE(test.find("key00000500")->found);
}

TEST(Separator, LiesBetweenItsNeighboursAndIsShort) {
  EXPECT_EQ(shortest_separator("abc", "abd"), "abc");
  EXPECT_EQ(shortest_separator("abcfoo", "abz"), "abd");
  EXPECT_EQ(shortest_separator("a", "b"), "a");
  EXPECT_EQ(shortest_separator("abcdef", "abzzz"), "abz");
  EXPECT_EQ(shortest_separator("ab", "abc"), "ab");
  std::mt19937_64 random(test_seed());
  for (int i = 0; i < 20000; ++i) {
    std::string a = random_bytes(random, 1 + random() % 6, 3), b = random_bytes(random, 1 + random() % 6, 3);
    for (char& c : a) c = c == 2 ? '\xff' : c;
    for (char& c : b) c = c == 2 ? '\xff' : c;
    if (a == b) continue;
    if (b < a) std::swap(a, b);
    const std::string separator = shortest_separator(a, b);
    ASSERT_LE(a, separator);
    ASSERT_LT(separator, b);
    ASSERT_LE(separator.size(), a.size());
  }
}

TEST(TableWriter, RefusesEntriesOutOfOrder) {
  for (const Row& second :
       {Row{"a", 9, EntryType::kPut, ""}, Row{"b", 5, EntryType::kPut, ""}, Row{"b", 6, EntryType::kPut, ""}}) {
    TestTable test;
    TableWriter writer(std::move(*test.files.create_writable("t", env::FileClass::kTable)), test.store_id, test.uid, 1,
                       {});
    ASSERT_TRUE(writer.add(entry_of({"b", 5, EntryType::kPut, ""})));
    EXPECT_EQ(writer.add(entry_of(second)).error().code(), ErrorCode::kInternal);
    EXPECT_FALSE(writer.finish()) << "after a failure the file is of no use";
  }
}

TEST(TableWriter, RefusesToFinishATableWithoutEntries) {
  TestTable test;
  TableWriter writer(std::move(*test.files.create_writable("t", env::FileClass::kTable)), test.store_id, test.uid, 1,
                     {});
  EXPECT_EQ(writer.finish().error().code(), ErrorCode::kInternal);
}

TEST(TableWriter, StoresBlocksThatDoNotShrinkAsTheyAre) {
  std::mt19937_64 random(test_seed());
  std::vector<Row> rows = plain_rows(1000);
  for (Row& row : rows) row.value = random_bytes(random, 200);
  TestTable test;
  for (const Compression compression : {Compression::kLz4, Compression::kZstd}) {
    test.write(rows, {.compression = compression});
    EXPECT_GT(test.table->properties().data_stored_bytes, 1000u * 200);
    EXPECT_EQ(*test.scan(), rows);
  }
  for (Row& row : rows) row.value.assign(200, 'z');
  for (const Compression compression : {Compression::kLz4, Compression::kZstd}) {
    test.write(rows, {.compression = compression});
    EXPECT_LT(test.table->properties().data_stored_bytes, 1000u * 40);
    EXPECT_EQ(*test.scan(), rows);
  }
}

TEST(TableWriter, WritesTheSameBytesForTheSameEntries) {
  // Golden: a change of this digest is a change of the format, and needs a new format version.
  TestTable test;
  test.write(plain_rows(300), {.block_bytes = 1024, .compression = Compression::kNone});
  EXPECT_EQ(base::to_hex(base::as_bytes(base::digest_of(test.bytes()))),
            "b6372b92650b9ed07aa189f11823a9a21d9017d22ccdc0b734b26612a541fcf9");
}

}  // namespace
}  // namespace lightning::sstable
