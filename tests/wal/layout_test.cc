// The bytes on disk do not change: golden values of docs/format/wal.md.
#include "wal/layout.h"

#include <gtest/gtest.h>

#include "base/coding.h"
#include "format/entry.h"

namespace lightning::wal {
namespace {

std::string_view view(const auto& bytes) { return {bytes.data(), bytes.size()}; }

format::Uid uid(std::uint8_t first) {
  format::Uid uid;
  for (std::size_t i = 0; i < uid.bytes.size(); ++i) uid.bytes[i] = static_cast<std::uint8_t>(first + i);
  return uid;
}

TEST(Layout, NamesSegmentsByTwentyDigits) {
  EXPECT_EQ(segment_name(42), "00000000000000000042.log");
  EXPECT_EQ(segment_number("00000000000000000042.log"), 42u);
  EXPECT_EQ(segment_number(segment_name(~0ull)), ~0ull);
  for (const char* other : {"42.log", "00000000000000000042.sst", "0000000000000000004x.log",
                            "99999999999999999999.log", "00000000000000000042.log.tmp", ""})
    EXPECT_FALSE(segment_number(other)) << other;
}

TEST(Layout, PinsTheBytesOfTheHeaderPage) {
  const PreparedBlock prepared{.store_id = uid(1),
                               .segment_uid = uid(32),
                               .number = 7,
                               .epoch = 3,
                               .segment_bytes = 65536,
                               .life = 5,
                               .recycled = true,
                               .time_ns = 99};
  EXPECT_EQ(base::to_hex(view(encode(prepared))),
            "4c44424c4f473100010000000010000000000000000000000000000000000000"
            "00000000000000000102030405060708090a0b0c0d0e0f102021222324252627"
            "28292a2b2c2d2e2f070000000000000003000000000000000000010000000000"
            "05000000000000000000000100000000630000000000000065f71315b01a175a");
  const StartBlock start{.store_id = uid(1),
                         .segment_uid = uid(32),
                         .number = 7,
                         .start = {11, 12},
                         .durable = 13,
                         .time_ns = 14,
                         .previous = 6,
                         .life = 5,
                         .continues = 15,
                         .manifest = {16, 17}};
  EXPECT_EQ(base::to_hex(view(encode(start))),
            "4c44425354415254202122232425262728292a2b2c2d2e2f0700000000000000"
            "0b000000000000000c000000000000000d000000000000000e00000000000000"
            "060000000000000005000000000000000f000000000000000102030405060708"
            "090a0b0c0d0e0f1010000000000000001100000000000000376095a8c271bc6a");
  const SealBlock seal{.segment_uid = uid(32),
                       .number = 7,
                       .end = 4200,
                       .position = {21, 22},
                       .durable = 23,
                       .time_ns = 24,
                       .digest = base::digest_of("x"),
                       .records = 25};
  EXPECT_EQ(base::to_hex(view(encode(seal))),
            "4c44425345414c00202122232425262728292a2b2c2d2e2f0700000000000000"
            "6810000000000000150000000000000016000000000000001700000000000000"
            "18000000000000003ae7d805f6789a6402acb70ad4096a85a56bf6804eaf25c0"
            "493ac697548d30b5010000000000000019000000000000003a2d7cab7b8ba933");
}

TEST(Layout, PinsTheBytesOfARecordHeader) {
  const RecordHeader header{.payload_bytes = 200,
                            .kind = RecordKind::kLast,
                            .flags = kRecordHasTag,
                            .first_sequence = 1000,
                            .operations = 3,
                            .epoch = 2,
                            .commit_time_ns = 1'700'000'000'000'000'000,
                            .durable = 999,
                            .chain = 0x1122334455667788,
                            .payload_hash = base::hash64("payload")};
  const std::uint64_t seed = segment_seed(uid(32));
  const auto bytes = encode(header, seed, 4096);
  EXPECT_EQ(base::to_hex(view(bytes)),
            "4718a9ef355d8068c800000004010000e8030000000000000300000002000000"
            "00002a36fe9c9717e70300000000000088776655443322117b8d2d5bf061fe32");
  EXPECT_EQ(base::to_hex(base::as_bytes(record_tag(bytes, "payload").bytes)), "3780bafef4c88736f0dc4dce554828dd");
  EXPECT_EQ(extend_chain(17, {.payload_hash = 1,
                              .first_sequence = 2,
                              .commit_time_ns = 3,
                              .payload_bytes = 4,
                              .operations = 5,
                              .epoch = 6}),
            2688131733211695600u);
}

TEST(Layout, ReadsBackEveryField) {
  const PreparedBlock prepared = *decode_prepared(
      view(encode(PreparedBlock{.format_version = 9,
                                .features = {.incompatible = 1, .write_compatible = 2, .compatible = 4},
                                .store_id = uid(1),
                                .segment_uid = uid(2),
                                .number = 3,
                                .epoch = 4,
                                .segment_bytes = 5,
                                .life = 6,
                                .key_id = 7,
                                .parity_scheme = 8,
                                .recycled = true,
                                .time_ns = 9})));
  EXPECT_EQ(prepared.format_version, 9u);
  EXPECT_EQ(prepared.features.incompatible, 1u);
  EXPECT_EQ(prepared.features.write_compatible, 2u);
  EXPECT_EQ(prepared.features.compatible, 4u);
  EXPECT_EQ(prepared.store_id, uid(1));
  EXPECT_EQ(prepared.segment_uid, uid(2));
  EXPECT_EQ(prepared.epoch, 4u);
  EXPECT_EQ(prepared.segment_bytes, 5u);
  EXPECT_EQ(prepared.life, 6u);
  EXPECT_EQ(prepared.key_id, 7u);
  EXPECT_EQ(prepared.parity_scheme, 8u);
  EXPECT_TRUE(prepared.recycled);
  const StartBlock start = *decode_start(view(encode(StartBlock{.store_id = uid(1), .previous = 2, .continues = 3})));
  EXPECT_EQ(start.store_id, uid(1));
  EXPECT_EQ(start.previous, 2u);
  EXPECT_EQ(start.continues, 3u);
  EXPECT_FALSE(decode_seal(view(encode(SealBlock{.end = 1})))->digest);
}

TEST(Layout, NoticesEveryFlippedBitOfABlock) {
  const Block blocks[] = {encode(PreparedBlock{.number = 1}), encode(StartBlock{.number = 1}),
                          encode(SealBlock{.number = 1})};
  for (const Block& block : blocks) {
    for (std::size_t bit = 0; bit < block.size() * 8; ++bit) {
      Block flipped = block;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      ASSERT_FALSE(decode_prepared(view(flipped)) || decode_start(view(flipped)) || decode_seal(view(flipped)));
    }
  }
  EXPECT_FALSE(decode_prepared(""));
  EXPECT_FALSE(decode_start(view(encode(PreparedBlock{}))));
}

TEST(Layout, BindsARecordToItsSegmentAndPlace) {
  const RecordHeader header{.payload_bytes = 8, .first_sequence = 1, .operations = 1};
  const std::uint64_t seed = segment_seed(uid(1));
  const auto bytes = encode(header, seed, 4096);
  EXPECT_TRUE(decode_record(view(bytes), seed, 4096, 8192));
  EXPECT_FALSE(decode_record(view(bytes), seed, 4104, 8192));                  // misdirected
  EXPECT_FALSE(decode_record(view(bytes), segment_seed(uid(2)), 4096, 8192));  // of an earlier use
  EXPECT_FALSE(decode_record(view(bytes), seed, 4096, 4096 + 64));             // reaches beyond the end
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    RecordHeaderBytes flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    ASSERT_FALSE(decode_record(view(flipped), seed, 4096, 1 << 20)) << bit;
  }
}

TEST(Layout, RefusesRecordsThatCannotBe) {
  const auto refused = [](const RecordHeader& header) {
    return !decode_record(view(encode(header, 1, 4096)), 1, 4096, 1 << 20);
  };
  EXPECT_FALSE(refused({.first_sequence = 1, .operations = 1}));
  EXPECT_TRUE(refused({.first_sequence = 0, .operations = 1}));
  EXPECT_TRUE(refused({.first_sequence = 1, .operations = 0}));
  EXPECT_TRUE(refused({.first_sequence = ~0ull, .operations = 2}));
  EXPECT_FALSE(refused({.first_sequence = format::kSequenceMax - 1, .operations = 2}));
  EXPECT_TRUE(refused({.first_sequence = format::kSequenceMax, .operations = 2}));
  EXPECT_TRUE(refused({.first_sequence = format::kSequenceMax + 1, .operations = 1}));
  EXPECT_FALSE(refused({.kind = RecordKind::kMark, .first_sequence = 1}));
  EXPECT_TRUE(refused({.kind = RecordKind::kMark, .first_sequence = 1, .operations = 1}));
  EXPECT_TRUE(refused({.payload_bytes = 8, .kind = RecordKind::kMark, .first_sequence = 1}));
  EXPECT_TRUE(refused({.kind = static_cast<RecordKind>(6), .first_sequence = 1, .operations = 1}));
  EXPECT_TRUE(refused({.flags = 2, .first_sequence = 1, .operations = 1}));
}

}  // namespace
}  // namespace lightning::wal
