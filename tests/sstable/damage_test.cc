// A damaged table gives a typed error or right data, never anything else.
#include <algorithm>
#include <cstring>

#include "base/coding.h"
#include "sstable/block_builder.h"
#include "sstable/block_view.h"
#include "sstable/codec.h"
#include "sstable/filter.h"
#include "sstable/index.h"
#include "sstable/layout.h"
#include "sstable/properties.h"
#include "table_fixture.h"

namespace lightning::sstable {
namespace {

using format::EntryType;
using format::kSequenceMax;

bool is_damage(const Error& error) {
  return error.code() == ErrorCode::kTableCorrupt || error.code() == ErrorCode::kFormatUnsupported;
}

// Opens and reads the table in every way; each answer must be an error about damage, or right.
void expect_damage_or_truth(TestTable& test, const std::vector<Row>& rows, const std::string& what) {
  if (const Status opened = test.open(); !opened) {
    ASSERT_TRUE(is_damage(opened.error())) << what << ": " << opened.error().to_string();
    ASSERT_FALSE(opened.error().context().file.empty()) << what << ": " << opened.error().to_string();
    return;
  }
  std::size_t right = 0;
  const auto scanned = test.scan();
  if (scanned) {
    ASSERT_EQ(*scanned, rows) << what;
  } else {
    ASSERT_TRUE(is_damage(scanned.error())) << what << ": " << scanned.error().to_string();
  }
  for (const Row& row : rows) {
    const auto answer = test.find(row.key);
    if (answer) {
      ASSERT_EQ(*answer, TestTable::answer(newest(rows, row.key, kSequenceMax))) << what;
      ++right;
    } else {
      ASSERT_TRUE(is_damage(answer.error())) << what << ": " << answer.error().to_string();
      ASSERT_FALSE(answer.error().context().key_range.empty());
      ASSERT_NE(answer.error().context().offset, ErrorContext::kNoOffset);
    }
  }
  ASSERT_EQ(scanned.has_value(), right == rows.size()) << what;
  ASSERT_EQ(test.check().empty(), scanned.has_value()) << what;
}

struct SmallTable {
  std::vector<Row> rows = plain_rows(24, 30);
  TestTable test;
  SmallTable(Compression compression, base::TagAlgorithm tags) {
    test.write(rows, {.block_bytes = 256, .compression = compression, .tags = tags});
  }
};

class Damage : public testing::TestWithParam<std::tuple<Compression, base::TagAlgorithm>> {};

TEST_P(Damage, OfAnyByteIsFound) {
  SmallTable small(std::get<0>(GetParam()), std::get<1>(GetParam()));
  std::string& bytes = small.test.bytes();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int flip : {1, 0x80, 0xff}) {
      const char whole = bytes[at];
      bytes[at] = static_cast<char>(whole ^ flip);
      expect_damage_or_truth(small.test, small.rows, "byte " + std::to_string(at));
      bytes[at] = whole;
      if (HasFatalFailure()) return;
    }
  }
  expect_damage_or_truth(small.test, small.rows, "mended");
  EXPECT_EQ(*small.test.scan(), small.rows);
}

TEST_P(Damage, OfAnyByteIsFoundWithoutAManifest) {
  SmallTable small(std::get<0>(GetParam()), std::get<1>(GetParam()));
  std::string& bytes = small.test.bytes();
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    const auto described = describe_table(small.test.env, "t");
    ASSERT_TRUE(described || is_damage(described.error())) << at;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
  }
}

TEST_P(Damage, ByCuttingAnywhereIsFound) {
  SmallTable small(std::get<0>(GetParam()), std::get<1>(GetParam()));
  const std::string whole = small.test.bytes();
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    small.test.bytes() = whole.substr(0, bytes);
    const Status opened = small.test.open();
    ASSERT_FALSE(opened) << bytes;
    ASSERT_EQ(opened.error().code(), ErrorCode::kTableCorrupt) << bytes << opened.error().to_string();
    ASSERT_FALSE(describe_table(small.test.env, "t")) << bytes;
  }
  small.test.bytes() = whole + "x";
  EXPECT_EQ(small.test.open().error().code(), ErrorCode::kTableCorrupt);
}

INSTANTIATE_TEST_SUITE_P(All, Damage,
                         testing::Combine(testing::Values(Compression::kNone, Compression::kLz4, Compression::kZstd),
                                          testing::Values(base::TagAlgorithm::kXxh3, base::TagAlgorithm::kBlake3)));

TEST(Damage, ByCuttingAFileThatIsOpenIsFound) {
  SmallTable small(Compression::kNone, base::TagAlgorithm::kBlake3);
  small.test.bytes().resize(kHeaderBytes + 10);
  const auto answer = small.test.find(small.rows.front().key);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kTableCorrupt);
}

TEST(Damage, BySwappingTwoBlocksIsFound) {
  // Two blocks of one size and one checksum function: only their places differ.
  std::vector<Row> rows;
  for (int i = 0; i < 8; ++i) rows.push_back({"k" + std::to_string(i), 1, EntryType::kPut, std::string(1000, 'v')});
  for (const auto tags : {base::TagAlgorithm::kXxh3, base::TagAlgorithm::kBlake3}) {
    TestTable test;
    test.write(rows, {.block_bytes = 1100, .compression = Compression::kNone, .tags = tags});
    ASSERT_EQ(test.table->properties().blocks, 8u);
    const std::size_t block_bytes = test.table->properties().data_stored_bytes / 8;
    std::swap_ranges(test.bytes().begin() + kHeaderBytes,
                     test.bytes().begin() + kHeaderBytes + static_cast<long>(block_bytes),
                     test.bytes().begin() + kHeaderBytes + static_cast<long>(3 * block_bytes));
    ASSERT_TRUE(test.open());
    EXPECT_EQ(test.find("k0").error().code(), ErrorCode::kTableCorrupt);
    EXPECT_EQ(test.find("k3").error().code(), ErrorCode::kTableCorrupt);
    EXPECT_TRUE(test.find("k1")->found);
    EXPECT_EQ(test.check().size(), 2u);
  }
}

TEST(Damage, ByABlockOfAnotherFileWithTheSameBytesIsFound) {
  // The tag binds the file's uid: equal bytes at an equal place of another file are not this block.
  const format::Uid a = TestTable::uid_of(1), b = TestTable::uid_of(2);
  for (const auto tags : {base::TagAlgorithm::kXxh3, base::TagAlgorithm::kBlake3}) {
    const base::Tag tag = tag_of_block(tags, a, BlockKind::kData, 96, "bytes");
    EXPECT_EQ(tag, tag_of_block(tags, a, BlockKind::kData, 96, "bytes"));
    EXPECT_NE(tag, tag_of_block(tags, b, BlockKind::kData, 96, "bytes"));
    EXPECT_NE(tag, tag_of_block(tags, a, BlockKind::kFilter, 96, "bytes"));
    EXPECT_NE(tag, tag_of_block(tags, a, BlockKind::kData, 97, "bytes"));
    EXPECT_NE(tag, tag_of_block(tags, a, BlockKind::kData, 96, "bytez"));
  }
}

TEST(Damage, ByAnotherFileUnderTheNameIsFound) {
  TestTable test;
  test.write(plain_rows(100), {}, "old");
  const TableMeta old_meta = test.meta;
  const auto refused = [&] {
    const Status opened = test.open("old");
    return !opened && opened.error().code() == ErrorCode::kTableCorrupt;
  };
  test.meta = old_meta, test.store_id = TestTable::uid_of(9);
  EXPECT_TRUE(refused()) << "another store";
  test.store_id = TestTable::uid_of(1), test.meta.uid = TestTable::uid_of(9);
  EXPECT_TRUE(refused()) << "another uid";
  test.meta = old_meta, test.meta.number = 8;
  EXPECT_TRUE(refused()) << "another number";
  test.meta = old_meta, test.meta.root.bytes[0] ^= 1;
  EXPECT_TRUE(refused()) << "another root: an older or newer state of the file";
  test.meta = old_meta, test.meta.entries += 1;
  EXPECT_TRUE(refused()) << "another count";
  test.meta = old_meta, test.meta.largest_key = "zzz";
  EXPECT_TRUE(refused()) << "another key range";
  test.meta = old_meta;
  EXPECT_FALSE(refused());
  EXPECT_EQ(test.open("elsewhere").error().code(), ErrorCode::kTableMissing);
}

TEST(Damage, OnTheWayIsHealedByASecondRead) {
  SmallTable small(Compression::kNone, base::TagAlgorithm::kBlake3);
  small.test.files.log->flip_at = kHeaderBytes + 40;
  small.test.files.log->flips_left = 1;
  EXPECT_TRUE(small.test.find(small.rows.front().key)->found);
  ASSERT_TRUE(small.test.open());
  small.test.files.log->flips_left = 2;
  EXPECT_EQ(small.test.find(small.rows.front().key).error().code(), ErrorCode::kTableCorrupt);
}

TEST(Damage, ErrorsSayWhere) {
  SmallTable small(Compression::kNone, base::TagAlgorithm::kBlake3);
  small.test.bytes()[kHeaderBytes + 40] ^= 1;
  const auto answer = small.test.find(small.rows.front().key);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().context().file, "t");
  EXPECT_EQ(answer.error().context().offset, kHeaderBytes);
  EXPECT_TRUE(answer.error().context().key_range.starts_with("[\"key00000000\", \""))
      << answer.error().context().key_range;
}

TEST(Damage, OfTheDiskItselfStaysAnIoError) {
  SmallTable small(Compression::kNone, base::TagAlgorithm::kBlake3);
  small.test.files.log->fail_reads = true;
  EXPECT_EQ(small.test.find(small.rows.front().key).error().code(), ErrorCode::kIo);
  const auto cursor = small.test.table->iterator({});
  cursor->seek_to_first();
  EXPECT_FALSE(cursor->valid());
  EXPECT_EQ(cursor->status().error().code(), ErrorCode::kIo);
  small.test.files.log->fail_reads = false;
  cursor->seek_to_first();
  EXPECT_TRUE(cursor->valid());
  EXPECT_TRUE(cursor->status());
}

// --- blocks by hand ---------------------------------------------------------------------------------

std::string block_of(const std::vector<Row>& rows) {
  BlockBuilder builder(1 << 20);
  for (const Row& row : rows) builder.add(entry_of(row), filter_hash(row.key));
  return std::string(builder.finish());
}

TEST(Block, WithAnyByteChangedIsRefusedOrReadWithinItsBounds) {
  // Behind the tag stands a second wall: even a forged block can't lead a reader outside.
  std::mt19937_64 random(test_seed());
  std::vector<Row> rows = plain_rows(20, 10);
  rows.push_back({std::string(300, 'z'), 5, EntryType::kErase, ""});
  const std::string whole = block_of(rows);
  const auto read_all = [](const std::string& bytes) {
    // Bytes of exactly this size on the heap: the address sanitizer sees a step outside.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const std::string_view block(exact.data(), exact.size());
    if (!check_block(block)) return;
    const BlockView view(block);
    std::size_t sum = 0;
    for (std::uint32_t i = 0; i < view.count(); ++i) {
      const BlockView::Parts parts = view.at(i);
      for (const char c : parts.suffix) sum += static_cast<unsigned char>(c);
      for (const char c : parts.value) sum += static_cast<unsigned char>(c);
      sum += view.head(i) + view.fingerprint(i) + view.prefix().size();
    }
    BlockView::Parts found;
    (void)view.find("key00000003", filter_hash("key00000003"), kSequenceMax, found);
    EXPECT_LE(view.lower_bound("key00000003", 4), view.count());
    EXPECT_GT(sum + 1, 0u);
  };
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int value = 0; value < 256; value += 5) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      read_all(changed);
    }
  }
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) read_all(whole.substr(0, bytes));
  for (int round = 0; round < 20000; ++round) {
    std::string changed = whole;
    for (int flips = 0; flips < 3; ++flips)
      changed[random() % 64] = static_cast<char>(random() % 4 == 0 ? random() : random() % 24);
    read_all(changed);
  }
}

TEST(Block, HoldsNothingButEntriesOfItsKeys) {
  std::string block = block_of({{"k", 5, EntryType::kPut, "v"}});
  EXPECT_TRUE(check_block(block));
  base::store_le(block.data() + 8, format::pack_trailer(5, EntryType::kEraseRange));
  EXPECT_EQ(check_block(block).error().code(), ErrorCode::kTableCorrupt);
  base::store_le(block.data() + 8, std::uint64_t{5} << 8 | 6);
  EXPECT_EQ(check_block(block).error().code(), ErrorCode::kTableCorrupt);
}

TEST(Block, FingerprintsMatchAlikeWithAndWithoutVectorInstructions) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 20000; ++round) {
    char bytes[16];
    for (char& c : bytes) c = static_cast<char>(random() % 3 == 0 ? random() % 2 * 255 : random() % 4);
    const auto wanted = static_cast<std::uint8_t>(random() % 3 == 0 ? 255 : random() % 4);
    std::uint32_t expected = 0;
    for (unsigned i = 0; i < 16; ++i)
      expected |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[i]) == wanted) << i;
    ASSERT_EQ(matching_bytes(bytes, wanted), expected);
    ASSERT_EQ(matching_bytes_portable(bytes, wanted), expected);
  }
}

TEST(Header, OfANewerVersionIsToldFromDamage) {
  std::string header = encode(Header{});
  const auto with_check = [](std::string bytes) {
    base::store_le(bytes.data() + 88, base::hash64(std::string_view(bytes).substr(0, 88)));
    return bytes;
  };
  ASSERT_TRUE(decode_header(header));
  header[8] = 2;
  EXPECT_EQ(decode_header(header).error().code(), ErrorCode::kTableCorrupt);
  EXPECT_EQ(decode_header(with_check(header)).error().code(), ErrorCode::kFormatUnsupported);
  header = encode(Header{});
  header[16] = 1;  // an incompatible feature
  EXPECT_EQ(decode_header(with_check(header)).error().code(), ErrorCode::kFormatUnsupported);
  header = encode(Header{});
  header[32] = 1;  // a compatible one
  EXPECT_TRUE(decode_header(with_check(header)));
  header[80] = 1;  // a key id
  EXPECT_EQ(decode_header(with_check(header)).error().code(), ErrorCode::kFormatUnsupported);
}

// 22 bytes of the file for each fence, and 2,000 of memory.
TEST(Index, AFenceThatIsLongerThanItsBlockIsDamage) {
  const auto decoded = [](std::uint64_t block_bytes) {
    IndexBuilder index;
    for (std::uint64_t i = 0; i < 10; ++i)
      index.add(std::string(2000, 'x') + static_cast<char>('a' + i), 0,
                {.offset = 96 + i * block_bytes, .stored_bytes = block_bytes, .raw_bytes = block_bytes, .tag = {}});
    const std::string leaves(index.finish_leaves());
    const auto shape = decode_index_top(index.top(base::TagAlgorithm::kXxh3, {}, 96), leaves.size());
    EXPECT_TRUE(shape);
    return Index::decode(leaves, *shape, 96, 10 * block_bytes);
  };
  EXPECT_TRUE(decoded(2001));
  const auto refused = decoded(2000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kTableCorrupt);
}

// Memory is taken before a block is decompressed: not for what no compression can have made.
TEST(Codec, SizesThatZstdCannotGiveAreNotPlausible) {
  EXPECT_FALSE(plausible_sizes(Compression::kZstd, 20, 100 << 20));
  Compressor compressor(Compression::kZstd);
  for (const std::size_t bytes : {1u, 1000u, 131'072u, 131'073u, 4u << 20}) {
    const std::string raw(bytes, 'a');
    EXPECT_TRUE(plausible_sizes(Compression::kZstd, compressor.compress(raw).size(), bytes)) << bytes;
  }
}

// --- a table with lies in it, well tagged: what only check() can see ----------------------------------

// Builds a table of blocks given as rows, in whatever order, and with properties that `twist` may change.
void forge(TestTable& test, const std::vector<std::vector<Row>>& blocks, const std::vector<std::string>& separators,
           const std::function<void(StoredProperties&, std::vector<std::uint64_t>&)>& twist = {},
           const std::function<void(std::string&)>& twist_block = {}) {
  std::string file = encode(Header{{}, test.store_id, test.uid, 7, 0});
  StoredProperties properties;
  properties.smallest_key = blocks.front().front().key;
  properties.largest_key = blocks.back().back().key;
  properties.smallest_sequence = properties.largest_sequence = 1;
  std::vector<std::uint64_t> hashes;
  IndexBuilder index;
  Footer footer;
  footer.store_id = test.store_id, footer.uid = test.uid, footer.number = 7;
  const auto put = [&](BlockKind kind, const std::string& bytes) {
    BlockHandle handle;
    handle.offset = file.size();
    handle.stored_bytes = handle.raw_bytes = bytes.size();
    handle.tag = tag_of_block(footer.tags, test.uid, kind, file.size(), bytes);
    file += bytes;
    return handle;
  };
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (const Row& row : blocks[i]) {
      hashes.push_back(filter_hash(row.key));
      ++properties.entries;
      properties.key_bytes += row.key.size();
      properties.value_bytes += row.value.size();
    }
    std::string block = block_of(blocks[i]);
    if (twist_block) twist_block(block);
    index.add(separators[i], 0, put(BlockKind::kData, block));
  }
  properties.blocks = blocks.size();
  if (twist) twist(properties, hashes);
  footer.data_offset = kHeaderBytes, footer.data_bytes = file.size() - kHeaderBytes;
  footer.filter = put(BlockKind::kFilter, std::string(Filter::build(hashes, 10).bytes()));
  footer.leaves_offset = file.size();
  const std::string leaves(index.finish_leaves());
  footer.leaves_bytes = leaves.size();
  file += leaves;
  footer.index_top = put(BlockKind::kIndexTop, index.top(footer.tags, test.uid, footer.leaves_offset));
  footer.properties = put(BlockKind::kProperties, encode(properties));
  const std::uint64_t footer_offset = file.size();
  put(BlockKind::kFooter, encode(footer));
  file += encode(Trailer{footer_offset, footer.tags}, file.size() + kTrailerBytes);
  test.files["t"] = std::make_shared<std::string>(file);
  auto described = describe_table(test.env, "t");
  ASSERT_TRUE(described) << described.error().to_string();
  test.meta = described->meta;
  const Status opened = test.open();
  ASSERT_TRUE(opened) << opened.error().to_string();
}

std::vector<std::string> messages(TestTable& test) {
  std::vector<std::string> all;
  for (const Error& error : test.check()) {
    EXPECT_EQ(error.code(), ErrorCode::kTableCorrupt);
    EXPECT_EQ(error.context().file, "t");
    all.push_back(error.message());
  }
  return all;
}

bool mention(const std::vector<std::string>& texts, std::string_view part) {
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return text.find(part) != text.npos; });
}

Row row(std::string key, std::string value = "v") { return {std::move(key), 1, EntryType::kPut, std::move(value)}; }

TEST(Check, PassesAForgeryWithoutALie) {
  TestTable test;
  forge(test, {{row("a"), row("b")}, {row("c")}}, {"b", "c"});
  EXPECT_TRUE(messages(test).empty());
}

TEST(Check, FindsEntriesOutOfOrder) {
  TestTable test;
  forge(test, {{row("a"), row("c"), row("b"), row("d")}}, {"d"});
  EXPECT_TRUE(mention(messages(test), "out of order"));
}

TEST(Check, FindsEntriesOnTheWrongSideOfAFence) {
  TestTable behind, before;
  forge(behind, {{row("a"), row("c")}, {row("d")}}, {"b", "d"});
  EXPECT_TRUE(mention(messages(behind), "behind its fence"));
  forge(before, {{row("a")}, {row("b")}}, {"c", "d"}, [](StoredProperties& p, auto&) { p.largest_key = "b"; });
  EXPECT_TRUE(mention(messages(before), "before the fence"));
}

TEST(Check, FindsAFilterThatDeniesAKey) {
  TestTable test;
  forge(test, {{row("a"), row("b")}}, {"b"},
        [](auto&, std::vector<std::uint64_t>& hashes) { hashes = {filter_hash("other")}; });
  EXPECT_TRUE(mention(messages(test), "filter denies"));
}

TEST(Check, FindsFingerprintsAndHeadsThatDoNotBelong) {
  TestTable fingerprint, head;
  forge(fingerprint, {{row("a"), row("b")}}, {"b"}, {},
        [](std::string& block) { block[BlockParts::of(2, 0, false).fingerprints] ^= 1; });
  EXPECT_TRUE(mention(messages(fingerprint), "fingerprint"));
  forge(head, {{row("a"), row("b")}}, {"b"}, {},
        [](std::string& block) { block[BlockParts::of(2, 0, false).heads] ^= 1; });
  EXPECT_TRUE(mention(messages(head), "head"));
}

TEST(Check, FindsWrongTotals) {
  const std::pair<const char*, std::function<void(StoredProperties&)>> lies[] = {
      {"number of entries", [](StoredProperties& p) { ++p.entries; }},
      {"bytes of keys", [](StoredProperties& p) { ++p.value_bytes; }},
      {"sequences", [](StoredProperties& p) { p.largest_sequence = 9; }},
      {"largest key", [](StoredProperties& p) { p.largest_key = "z"; }}};
  for (const auto& [what, lie] : lies) {
    TestTable test;
    forge(test, {{row("a"), row("b")}}, {"b"}, [&](StoredProperties& p, auto&) { lie(p); });
    EXPECT_TRUE(mention(messages(test), what)) << what;
  }
}

TEST(Check, GoesOnAfterADamagedBlockAndStopsWhenTold) {
  SmallTable small(Compression::kNone, base::TagAlgorithm::kBlake3);
  const std::uint64_t blocks = small.test.table->properties().blocks;
  ASSERT_GE(blocks, 3u);
  for (std::size_t at = kHeaderBytes; at < kHeaderBytes + small.test.table->properties().data_stored_bytes; at += 40)
    small.test.bytes()[at] ^= 1;
  EXPECT_EQ(small.test.check().size(), blocks);
  int findings = 0;
  EXPECT_FALSE(small.test.table->check([&](const Error&) { return ++findings < 2; }, {}));
  EXPECT_EQ(findings, 2);
  std::uint64_t bytes = 0;
  EXPECT_FALSE(
      small.test.table->check([](const Error&) { return true; }, [&](std::uint64_t n) { return (bytes += n) < 300; }));
  EXPECT_GE(bytes, 300u);
}

}  // namespace
}  // namespace lightning::sstable
