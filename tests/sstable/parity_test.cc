// With parity one data block of each group may be lost, and nothing is.
#include "sstable/parity.h"

#include <gtest/gtest.h>

#include <vector>

#include "sstable/layout.h"
#include "support/expect.h"
#include "table_fixture.h"

namespace lightning::sstable {
namespace {

class Parity : public testing::TestWithParam<Compression> {
 protected:
  // Blocks of many sizes: some entries are larger than a block. The last group is not full.
  Parity() {
    rows_ = plain_rows(400, 40);
    for (std::size_t i = 0; i < rows_.size(); i += 37) rows_[i].value += noise(i, 100 + 40 * i);
    test_.write(rows_, {.block_bytes = 512, .compression = GetParam(), .parity = true});
    const std::string& bytes = test_.bytes();
    const auto trailer = decode_trailer(std::string_view(bytes).substr(bytes.size() - kTrailerBytes), bytes.size());
    footer_ =
        *decode_footer(std::string_view(bytes).substr(trailer->footer_offset, kFooterBytes), trailer->footer_offset);
    whole_ = bytes;
  }
  static std::string noise(std::size_t seed, std::size_t size) {
    std::mt19937_64 random(seed);
    std::string bytes;
    while (bytes.size() < size) bytes += static_cast<char>(random());
    return bytes;
  }
  // Where data blocks begin, found by what is wrong when a byte is: the offset that the error names.
  std::vector<std::uint64_t> blocks() {
    TestTable plain;
    plain.write(rows_, {.block_bytes = 512, .compression = GetParam()});
    std::vector<std::uint64_t> offsets;
    std::string& bytes = plain.bytes();
    for (std::uint64_t at = kHeaderBytes; at < kHeaderBytes + footer_.data_bytes; at += 64) {
      bytes[at] = static_cast<char>(bytes[at] ^ 1);
      EXPECT_OK(plain.open());
      for (const Error& error : plain.check())
        if (offsets.empty() || offsets.back() != error.context().offset) offsets.push_back(error.context().offset);
      bytes[at] = static_cast<char>(bytes[at] ^ 1);
    }
    EXPECT_EQ(offsets.size(), test_.table->properties().blocks);
    return offsets;
  }
  void damage(std::uint64_t at) { test_.bytes()[at] = static_cast<char>(test_.bytes()[at] ^ 0x10); }
  void mend() { test_.bytes() = whole_; }
  void expect_all_there() {
    ASSERT_OK(test_.open());
    const auto scanned = test_.scan();
    ASSERT_OK(scanned);
    EXPECT_EQ(*scanned, rows_);
  }

  std::vector<Row> rows_;
  TestTable test_;
  Footer footer_;
  std::string whole_;
};

TEST_P(Parity, GivesBackAnySingleDataBlockAndSaysSo) {
  expect_all_there();
  EXPECT_EQ(test_.table->worn(), 0u);
  for (const std::uint64_t offset : blocks()) {
    SCOPED_TRACE(offset);
    damage(offset + 3);
    expect_all_there();
    EXPECT_EQ(test_.table->worn(), 1u);
    ASSERT_OK(test_.open());
    EXPECT_TRUE(test_.check().empty());
    EXPECT_EQ(test_.table->worn(), 1u);
    mend();
  }
}

TEST_P(Parity, GivesBackOneBlockOfEachGroup) {
  const std::vector<std::uint64_t> offsets = blocks();
  ASSERT_GT(offsets.size(), 2 * kBlocksPerParity);
  for (std::size_t block = 5; block < offsets.size(); block += kBlocksPerParity) damage(offsets[block]);
  expect_all_there();
  EXPECT_EQ(test_.table->worn(), (offsets.size() + kBlocksPerParity - 6) / kBlocksPerParity);
}

TEST_P(Parity, OfAGroupWithTwoDamagedBlocksIsNoHelpAndTheErrorSaysSo) {
  const std::vector<std::uint64_t> offsets = blocks();
  damage(offsets[1]);
  damage(offsets[2]);
  ASSERT_OK(test_.open());
  const auto scanned = test_.scan();
  ASSERT_FALSE(scanned);
  EXPECT_EQ(scanned.error().code(), ErrorCode::kTableCorrupt);
  EXPECT_EQ(scanned.error().context().offset, offsets[1]);
  EXPECT_NE(scanned.error().advice().find("parity could not rebuild it"), std::string_view::npos);
  EXPECT_EQ(test_.check().size(), 2u);
}

TEST_P(Parity, ThatIsDamagedItselfHidesNothingAndIsNoticedByACheck) {
  for (std::uint64_t at = footer_.parity.offset; at < footer_.parity.offset + footer_.parity.bytes;
       at += footer_.parity.bytes / 40) {
    damage(at);
    expect_all_there();
    EXPECT_EQ(test_.table->worn(), 0u) << "nobody has looked";
    EXPECT_TRUE(test_.check().empty());
    EXPECT_EQ(test_.table->worn(), 1u);
    mend();
  }
  // With a data block that only it could give back: never anything but the truth or an error.
  const std::uint64_t first = blocks().front();
  for (std::uint64_t at = 0; at < 600; at += 17) {
    damage(first);
    damage(footer_.parity.offset + at);
    ASSERT_OK(test_.open());
    const auto scanned = test_.scan();
    if (scanned)
      EXPECT_EQ(*scanned, rows_);
    else
      EXPECT_EQ(scanned.error().code(), ErrorCode::kTableCorrupt);
    mend();
  }
}

TEST_P(Parity, TakesASixteenthOfTheDataWhereBlocksAreAlike) {
  TestTable even;
  even.write(plain_rows(4000, 64), {.block_bytes = 1024, .compression = GetParam(), .parity = true});
  const Table::Properties& properties = even.table->properties();
  EXPECT_LT(properties.parity_bytes, properties.data_stored_bytes / kBlocksPerParity * 5 / 4);
  EXPECT_GE(properties.parity_bytes, properties.data_stored_bytes / kBlocksPerParity);
  EXPECT_GT(footer_.parity.bytes, 0u);
}

TEST_P(Parity, ThatIsNotAskedForIsNotThere) {
  TestTable plain;
  plain.write(rows_, {.block_bytes = 512, .compression = GetParam()});
  EXPECT_EQ(plain.table->properties().parity_bytes, 0u);
  plain.bytes()[kHeaderBytes] = static_cast<char>(plain.bytes()[kHeaderBytes] ^ 1);
  ASSERT_OK(plain.open());
  const auto scanned = plain.scan();
  ASSERT_FALSE(scanned);
  EXPECT_EQ(scanned.error().advice().find("parity"), std::string_view::npos);
}

INSTANTIATE_TEST_SUITE_P(All, Parity, testing::Values(Compression::kNone, Compression::kLz4));

}  // namespace
}  // namespace lightning::sstable
