// Tables with range tombstones: what they say of themselves, and what becomes of damage.
#include <gtest/gtest.h>

#include "sstable/layout.h"
#include "table_fixture.h"

namespace lightning::sstable {
namespace {

using format::RangeTombstones;

Row row(std::string key, Sequence sequence) { return {std::move(key), sequence, format::EntryType::kPut, "v"}; }

class Ranges : public testing::Test {
 protected:
  void write(const std::vector<Row>& rows, RangeTombstones ranges) {
    auto file = test_.files.create_writable("t", env::FileClass::kTable);
    TableWriter writer(std::move(*file), test_.store_id, test_.uid, 7, {});
    for (const Row& row : rows) ASSERT_TRUE(writer.add(entry_of(row)));
    writer.set_ranges(std::move(ranges));
    auto finished = writer.finish();
    ASSERT_TRUE(finished) << finished.error().to_string();
    test_.meta = *finished;
    const Status opened = test_.open();
    ASSERT_TRUE(opened) << opened.error().to_string();
    EXPECT_TRUE(test_.check().empty());
    const auto described = describe_table(test_.env, "t");
    ASSERT_TRUE(described);
    EXPECT_EQ(described->meta.smallest_key, test_.meta.smallest_key);
    EXPECT_EQ(described->meta.largest_key, test_.meta.largest_key);
    EXPECT_EQ(described->meta.largest_open, test_.meta.largest_open);
  }
  TestTable test_;
};

TEST_F(Ranges, AreThereAgainWhenTheTableIsOpened) {
  write({row("d", 5)}, RangeTombstones({{"b", "f", 7}, {"c", "", 9}}));
  const RangeTombstones* ranges = test_.table->ranges();
  ASSERT_NE(ranges, nullptr);
  EXPECT_EQ(ranges->size(), 3);
  EXPECT_EQ(ranges->covering("d", 8), 7);
  EXPECT_EQ(ranges->covering("zzz", 9), 9);
  EXPECT_EQ(test_.meta.range_tombstones, 4);
  EXPECT_EQ(test_.meta.entries, 1);
  EXPECT_GT(test_.table->properties().range_bytes, 0);
  EXPECT_EQ(test_.find("d")->sequence, 5u);
}

TEST_F(Ranges, AreAbsentInOtherTables) {
  write({row("d", 5)}, {});
  EXPECT_EQ(test_.table->ranges(), nullptr);
  EXPECT_EQ(test_.meta.range_tombstones, 0);
  EXPECT_FALSE(test_.meta.largest_open);
}

TEST_F(Ranges, WidenTheBoundsOfKeysAndSequences) {
  write({row("d", 5), row("g", 6)}, RangeTombstones({{"b", "f", 9}}));
  EXPECT_EQ(test_.meta.smallest_key, "b");
  EXPECT_EQ(test_.meta.largest_key, "g");
  EXPECT_FALSE(test_.meta.largest_open);
  EXPECT_EQ(test_.meta.smallest_sequence, 5);
  EXPECT_EQ(test_.meta.largest_sequence, 9);

  write({row("d", 5)}, RangeTombstones({{"e", "f", 3}}));
  EXPECT_EQ(test_.meta.smallest_key, "d");
  EXPECT_EQ(test_.meta.largest_key, "f");
  EXPECT_TRUE(test_.meta.largest_open);
  EXPECT_EQ(test_.meta.smallest_sequence, 3);
  EXPECT_TRUE(test_.meta.largest().before("f"));
  EXPECT_FALSE(test_.meta.largest().before("ez"));

  write({row("d", 5)}, RangeTombstones({{"a", "d", 9}}));  // ends before the key
  EXPECT_EQ(test_.meta.largest_key, "d");
  EXPECT_FALSE(test_.meta.largest_open);
}

TEST_F(Ranges, MayBeAllThatATableHolds) {
  write({}, RangeTombstones({{"b", "", 9}}));
  EXPECT_EQ(test_.meta.entries, 0);
  EXPECT_EQ(test_.meta.smallest_key, "b");
  EXPECT_TRUE(test_.meta.largest().unbounded());
  EXPECT_EQ(test_.meta.smallest_sequence, 9);
  EXPECT_FALSE(test_.find("c")->found);
  EXPECT_TRUE(test_.scan()->empty());
  EXPECT_TRUE(test_.table->split_keys(4).empty());
  EXPECT_EQ(test_.table->approximate_offset("c"), 0);
  const auto cursor = test_.table->iterator({});
  cursor->seek_to_last();
  EXPECT_FALSE(cursor->valid());
  cursor->seek("c", 1);
  EXPECT_FALSE(cursor->valid());
  cursor->seek_for_prev("c", 1);
  EXPECT_FALSE(cursor->valid());
}

TEST_F(Ranges, CannotBeReplacedByDamage) {
  write({row("d", 5)}, RangeTombstones({{"b", "f", 7}}));
  const std::string whole = test_.bytes();
  const std::size_t at = whole.find(RangeTombstones({{"b", "f", 7}}).encode());
  ASSERT_NE(at, std::string::npos);
  for (std::size_t i = 0; i < 7; ++i) {
    test_.bytes() = whole;
    test_.bytes()[at + i] ^= 1;
    EXPECT_EQ(test_.check().size(), 1);  // of the table that is open already
    const Status opened = test_.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ErrorCode::kTableCorrupt);
    EXPECT_NE(opened.error().to_string().find("range tombstones"), std::string::npos) << opened.error().to_string();
    test_.bytes() = whole;
    ASSERT_TRUE(test_.open());
  }
}

// The longest row of point tombstones is what a seek may have to pass.
TEST_F(Ranges, AreNotAmongTheTombstonesThatASeekPasses) {
  using format::EntryType;
  write({{"a", 1, EntryType::kErase, ""},
         row("b", 2),
         {"c", 3, EntryType::kErase, ""},
         {"d", 4, EntryType::kErase, ""},
         row("e", 5),
         {"f", 6, EntryType::kErase, ""}},
        RangeTombstones({{"b", "f", 7}}));
  EXPECT_EQ(test_.meta.tombstones, 4);
  EXPECT_EQ(test_.meta.tombstone_run, 2);
}

}  // namespace
}  // namespace lightning::sstable
