#include "sstable/expiry_summary.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace lightning::sstable {
namespace {

TEST(ExpirySummary, IsExactForFewMomentsAndNeverSaysTooMuchForMany) {
  const char* const given = std::getenv("LIGHTNING_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
  SCOPED_TRACE("LIGHTNING_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const std::size_t moments : {std::size_t{1}, ExpirySummary::kPoints, std::size_t{1000}}) {
    ExpirySummary summary;
    std::map<std::uint64_t, std::uint64_t> truth;
    std::uint64_t all = 0;
    for (int i = 0; i < 5000; ++i) {
      const std::uint64_t moment = 1 + random() % moments, bytes = random() % 100;
      summary.add(moment, bytes);
      truth[moment] += bytes;
      all += bytes;
    }
    ExpirySummary back;
    ASSERT_TRUE(back.decode(summary.encode()));
    std::uint64_t expired = 0;
    for (std::uint64_t now = 0; now <= moments; ++now) {
      if (const auto here = truth.find(now); here != truth.end()) expired += here->second;
      ASSERT_LE(back.expired_bytes(now), expired) << now;
      if (moments <= ExpirySummary::kPoints) {
        ASSERT_EQ(back.expired_bytes(now), expired) << now;
      }
      ASSERT_GE(back.expired_bytes(now + moments / 4 + 1), expired) << "not much later, all is told";
    }
    EXPECT_EQ(back.bytes(), all);
  }
}

TEST(ExpirySummary, DecodesWhatItEncodesAndNothingElse) {
  ExpirySummary summary;
  for (std::uint64_t i = 1; i <= 100; ++i) summary.add(i * 1000, i);
  const std::string bytes = summary.encode();
  for (std::size_t end = 1; end < bytes.size(); ++end) {
    ExpirySummary cut;
    if (cut.decode(std::string_view(bytes).substr(0, end))) {
      EXPECT_LT(cut.bytes(), summary.bytes());
    }
  }
  ExpirySummary any;
  EXPECT_FALSE(any.decode(std::string("\0\1", 2))) << "moments rise";
  EXPECT_FALSE(any.decode("\xff"));
  EXPECT_FALSE(any.decode(bytes + bytes)) << "more than there can be";
}

}  // namespace
}  // namespace lightning::sstable
