// What a blob file gives back, and how it holds together when bytes are damaged.
#include "blob_fixture.h"
#include "support/expect.h"

namespace lightning::blob {
namespace {

TEST(BlobFile, GivesBackWhatWasWritten) {
  for (const Compression compression : {Compression::kNone, Compression::kLz4}) {
    for (const base::TagAlgorithm tags : {base::TagAlgorithm::kXxh3, base::TagAlgorithm::kBlake3}) {
      TestBlobs test;
      const auto blobs = mixed_blobs();
      test.write(blobs, {.compression = compression, .tags = tags});
      for (std::size_t i = 0; i < blobs.size(); ++i) {
        EXPECT_EQ(test.references[i].value_bytes, blobs[i].value.size());
        for (const bool fill : {false, true, true}) {
          const auto value = test.read(blobs[i].key, test.references[i], fill);
          ASSERT_TRUE(value.has_value()) << value.error().to_string();
          EXPECT_EQ(*value, blobs[i].value);
        }
        std::string copied(blobs[i].value.size(), '\0');
        EXPECT_OK(test.file->read_into(blobs[i].key, test.references[i], copied));
        EXPECT_EQ(copied, blobs[i].value);
      }
      EXPECT_TRUE(test.check().empty());
    }
  }
}

TEST(BlobFile, KeepsValuesInTheCacheAndReadsThemThereWithoutTheDisk) {
  TestBlobs test;
  const auto blobs = mixed_blobs();
  test.write(blobs);
  for (const std::size_t i : {1, 2, 5}) {
    EXPECT_EQ(test.file->find_cached(test.references[i]), nullptr);
    ASSERT_TRUE(test.read(blobs[i].key, test.references[i]).has_value());
    const std::uint64_t reads = test.files.log->reads;
    base::EpochDomain::Guard guard(test.epochs);
    const cache::Block* block = test.file->find_cached(test.references[i]);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(BlobFile::value_in(*block, blobs[i].key, test.references[i]), blobs[i].value);
    EXPECT_EQ(test.files.log->reads, reads);
  }
}

TEST(BlobFile, ReadsManyAtOnce) {
  TestBlobs test;
  const auto blobs = mixed_blobs();
  test.write(blobs);
  std::vector<BlobFile::Load> loads;
  for (std::size_t i = 0; i < blobs.size(); ++i) loads.push_back({blobs[i].key, &test.references[i]});
  test.file->read_many(loads, true);
  EXPECT_EQ(test.files.log->read_many_calls, 1u);
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    ASSERT_TRUE(loads[i].block.has_value()) << loads[i].block.error().to_string();
    EXPECT_EQ(BlobFile::value_in(**loads[i].block, blobs[i].key, test.references[i]), blobs[i].value);
    cache::BlockCache::release(*loads[i].block);
  }
}

TEST(BlobFile, StreamsAValueInPiecesOfAnySize) {
  for (const std::size_t piece : {1ul, 999ul, kChunkBytes, 3 * kChunkBytes}) {
    TestBlobs test;
    const std::string value = std::string(kChunkBytes, 'v') + noise(kChunkBytes + 77, 9);
    const auto to = test.writer("b", 7);
    ASSERT_TRUE(to->begin("key").has_value());
    for (std::size_t i = 0; i < value.size(); i += piece)
      EXPECT_OK(to->append(std::string_view(value).substr(i, piece)));
    const auto reference = to->end();
    ASSERT_TRUE(reference.has_value());
    const auto meta = to->finish();
    ASSERT_TRUE(meta.has_value());
    EXPECT_OK(test.open("b", *meta));
    EXPECT_EQ(*test.read("key", *reference), value);

    auto cursor = ValueCursor::open(*test.file, "key", *reference);
    ASSERT_TRUE(cursor.has_value());
    EXPECT_EQ(cursor->size(), value.size());
    std::string got(value.size(), '\0');
    for (std::size_t i = 0; i < got.size(); i += piece)
      EXPECT_OK(cursor->read(i, std::span<char>(got).subspan(i, std::min(piece, got.size() - i))));
    EXPECT_EQ(got, value);
    char beyond[2];
    EXPECT_CODE(kInvalidArgument, cursor->read(value.size() - 1, beyond));
  }
}

TEST(BlobFile, MovedRecordsAreFoundByTheirOldReferences) {
  TestBlobs test;
  const auto blobs = mixed_blobs();
  test.write(blobs);
  const auto to = test.writer("moved", 9);
  std::size_t number = 0;
  EXPECT_OK(test.file->for_each([&](const IndexEntry& entry) -> Status {
    if (number++ % 2 == 0) return {};
    EXPECT_EQ(*test.file->key_of(entry), blobs[number - 1].key);
    LIGHTNING_TRY(to->begin_moved(entry.id, entry.stored_bytes));
    LIGHTNING_TRY(test.file->copy_record(entry, &test.references[number - 1],
                                         [&](std::string_view bytes) { return to->append_moved(bytes); }));
    return to->end_moved();
  }));
  const auto meta = to->finish();
  ASSERT_TRUE(meta.has_value());
  EXPECT_EQ(meta->origins, std::vector<format::FileNumber>{7});
  EXPECT_OK(test.open("moved", *meta));
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    const auto value = test.read(blobs[i].key, test.references[i]);
    if (i % 2 == 0) {
      EXPECT_CODE(kBlobCorrupt, value);
    } else {
      ASSERT_TRUE(value.has_value()) << value.error().to_string();
      EXPECT_EQ(*value, blobs[i].value);
    }
  }
  EXPECT_TRUE(test.check().empty());
  const auto described = describe(test.env, "moved");
  ASSERT_TRUE(described.has_value());
  EXPECT_EQ(described->meta, *meta);
  EXPECT_EQ(described->store_id, test.store_id);
}

TEST(BlobFile, IsBoundToItsStoreItsUidAndItsTag) {
  TestBlobs test;
  test.write({{"k", noise(5000, 1)}});
  FileMeta other = test.meta;
  other.uid = TestBlobs::uid_of(99);
  EXPECT_CODE(kBlobCorrupt, test.open("b", other));
  other = test.meta;
  other.root.bytes[3] ^= 1;
  EXPECT_CODE(kBlobCorrupt, test.open("b", other));
  test.store_id = TestBlobs::uid_of(2);
  EXPECT_CODE(kBlobCorrupt, test.open("b", test.meta));
  EXPECT_CODE(kBlobMissing, test.open("nowhere", test.meta));
}

TEST(BlobFile, ARecordIsReturnedForItsKeyAndReferenceAlone) {
  TestBlobs test;
  test.write({{"a", noise(5000, 1)}, {"b", noise(5000, 2)}});
  EXPECT_CODE(kBlobCorrupt, test.read("b", test.references[0]));
  Reference wrong = test.references[0];
  wrong.tag.bytes[0] ^= 1;
  EXPECT_CODE(kBlobCorrupt, test.read("a", wrong));
  wrong = test.references[0];
  wrong.offset = test.references[1].offset;
  EXPECT_CODE(kBlobCorrupt, test.read("a", wrong));
  wrong = test.references[0];
  wrong.id.ordinal = 5;
  EXPECT_CODE(kBlobCorrupt, test.read("a", wrong));
}

TEST(BlobFile, OneWrongTransferIsReadAgain) {
  TestBlobs test;
  const std::string value = noise(5000, 1);
  test.write({{"a", value}});
  test.files.log->flip_at = 2000;
  test.files.log->flips_left = 1;
  EXPECT_EQ(*test.read("a", test.references[0], false), value);
  test.files.log->flips_left = 2;
  const auto twice = test.read("a", test.references[0], false);
  EXPECT_CODE(kBlobCorrupt, twice);
  EXPECT_EQ(twice.error().context().file, "b");
}

// Every byte of a small file, in every way of reading.
TEST(BlobFile, ADamagedByteGivesATypedErrorOrTheTruth) {
  for (const Compression compression : {Compression::kNone, Compression::kLz4}) {
    TestBlobs test;
    const std::vector<Blob> blobs = {{"a", noise(50, 1)}, {"b", std::string(400, 'b')}, {"c", noise(60, 3)}};
    test.write(blobs, {.compression = compression});
    const std::string whole = test.bytes();
    std::size_t unseen = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
      test.bytes() = whole;
      test.bytes()[at] = static_cast<char>(test.bytes()[at] ^ 0x40);
      if (const Status opened = test.open("b", test.meta); !opened) {
        EXPECT_TRUE(opened.error().code() == ErrorCode::kBlobCorrupt ||
                    opened.error().code() == ErrorCode::kFormatUnsupported)
            << at << ": " << opened.error().to_string();
        continue;
      }
      bool wrong = false;
      for (std::size_t i = 0; i < blobs.size(); ++i) {
        const auto value = test.read(blobs[i].key, test.references[i]);
        if (value) {
          ASSERT_EQ(*value, blobs[i].value) << at;
        } else {
          wrong = true;
          ASSERT_EQ(value.error().code(), ErrorCode::kBlobCorrupt) << at;
        }
      }
      const bool found = !test.check().empty();
      EXPECT_TRUE(found || !wrong) << at;
      unseen += found ? 0 : 1;
    }
    EXPECT_LE(unseen, 3 * kAlignment);  // zeros between records say nothing
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      test.bytes() = whole.substr(0, bytes);
      EXPECT_CODE(kBlobCorrupt, test.open("b", test.meta));
    }
  }
}

TEST(BlobReference, SurvivesItsEncodingAndRefusesEverythingElse) {
  Reference reference;
  reference.id = {1'000'000, 77};
  reference.offset = 4096;
  reference.value_bytes = 5000;
  reference.stored_bytes = plain_record_bytes(3, 5000);
  reference.tag.bytes.fill(7);
  for (const bool expires : {false, true}) {
    if (expires) reference.expiry_ms = 1'700'000'000'000;
    const std::string encoded = encode(reference);
    EXPECT_LE(encoded.size(), kReferenceBytesMax);
    const auto decoded = decode_reference(encoded);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(*decoded, reference);
    for (std::size_t bytes = 0; bytes < encoded.size(); ++bytes)
      EXPECT_CODE(kCorruption, decode_reference(encoded.substr(0, bytes)));
    EXPECT_CODE(kCorruption, decode_reference(encoded + "x"));
  }
  reference.value_bytes = ~std::uint64_t{0};
  EXPECT_CODE(kCorruption, decode_reference(encode(reference)));
}

TEST(BlobWriter, RefusesWhatComesOutOfTurn) {
  TestBlobs test;
  const auto to = test.writer("b", 7);
  EXPECT_CODE(kInternal, to->append("x"));
  EXPECT_CODE(kInternal, to->finish());
  EXPECT_OK(to->begin("k"));
  EXPECT_CODE(kInternal, to->begin("l"));
  EXPECT_CODE(kInternal, to->end());  // no byte yet
  EXPECT_OK(to->append("x"));
  EXPECT_TRUE(to->end().has_value());
  EXPECT_CODE(kInternal, to->begin_moved({3, 0}, 100));
}

}  // namespace
}  // namespace lightning::blob
