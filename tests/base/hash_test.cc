#include "base/hash.h"

#include <gtest/gtest.h>

namespace lightning::base {
namespace {

// The official vectors' input: bytes 0, 1, ... 250, again and again.
std::string counting(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

// https://github.com/BLAKE3-team/BLAKE3/blob/master/test_vectors/test_vectors.json
TEST(Blake3, AgreesWithTheOfficialVectors) {
  EXPECT_EQ(to_hex(as_bytes(digest_of(""))), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  EXPECT_EQ(to_hex(as_bytes(digest_of(counting(1)))),
            "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213");
  EXPECT_EQ(to_hex(as_bytes(digest_of(counting(1024)))),
            "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7");
}

TEST(Blake3, GivesTheSameDigestInPieces) {
  const std::string bytes = counting(5000);
  for (const std::size_t piece : {1u, 63u, 64u, 1000u, 4999u}) {
    DigestBuilder builder;
    for (std::size_t at = 0; at < bytes.size(); at += piece) builder.add(std::string_view(bytes).substr(at, piece));
    EXPECT_EQ(builder.finish(), digest_of(bytes));
    EXPECT_EQ(builder.finish(), digest_of(bytes)) << "finishing changes nothing";
  }
}

TEST(Blake3, TagIsTheFirstHalfOfTheDigest) {
  const Tag tag = tag_of(TagAlgorithm::kBlake3, "");
  EXPECT_EQ(to_hex(as_bytes(tag.bytes)), "af1349b9f5f9a1a6a0404dea36dcc949");
}

// Values of the empty input: https://github.com/Cyan4973/xxHash/blob/dev/tests/sanity_test_vectors.h
TEST(Xxh3, AgreesWithTheOfficialVectors) {
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2u);
  EXPECT_NE(hash64("", 1), hash64(""));
  // Low half first, each little-endian, as it lies on disk.
  EXPECT_EQ(to_hex(as_bytes(tag_of(TagAlgorithm::kXxh3, "").bytes)), "7f498d4624c30160d8984701d306aa99");
}

TEST(Tag, ChangesWithEveryBit) {
  const std::string bytes = counting(100);
  for (const TagAlgorithm algorithm : {TagAlgorithm::kXxh3, TagAlgorithm::kBlake3})
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_FALSE(tag_of(algorithm, damaged) == tag_of(algorithm, bytes));
    }
}

TEST(ToHex, WritesTwoDigitsPerByte) { EXPECT_EQ(to_hex(std::string_view("\x00\x0f\xff", 3)), "000fff"); }

}  // namespace
}  // namespace lightning::base
