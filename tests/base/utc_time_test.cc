#include "base/utc_time.h"

#include <gtest/gtest.h>

namespace lightning::base {
namespace {

using std::chrono::milliseconds;

TEST(UtcTime, WhatIsWrittenIsReadBack) {
  for (const std::int64_t ms : {0LL, 1LL, 951'782'400'000LL, 1'795'514'400'123LL, 4'102'444'799'999LL})
    EXPECT_EQ(parse_utc(utc_text(milliseconds(ms))), milliseconds(ms)) << utc_text(milliseconds(ms));
  EXPECT_EQ(utc_text(milliseconds(1'795'514'400'123)), "2026-11-24T10:00:00.123Z");
}

TEST(UtcTime, SecondsAndTheirFractionsMayBeLeftOut) {
  EXPECT_EQ(parse_utc("2026-11-24T10:00Z"), milliseconds(1'795'514'400'000));
  EXPECT_EQ(parse_utc("2026-11-24 10:00:00Z"), milliseconds(1'795'514'400'000));
  EXPECT_EQ(parse_utc("2026-11-24T10:00:00.5Z"), milliseconds(1'795'514'400'500));
  EXPECT_EQ(parse_utc("2026-11-24T10:00:00.123999Z"), milliseconds(1'795'514'400'123));
}

TEST(UtcTime, WhatIsNoMomentIsRefused) {
  for (const char* text :
       {"", "2026", "2026-11-24", "2026-11-24T10:00:00", "2026-02-30T10:00:00Z", "2026-13-01T10:00:00Z",
        "2026-11-24T24:00:00Z", "2026-11-24T10:60:00Z", "2026-11-24T10:00:60Z", "2026-11-24T10:00:00.Z",
        "2026-11-24T10:00:00Zx", "1969-12-31T23:59:59Z", "-026-11-24T10:00Z"})
    EXPECT_FALSE(parse_utc(text)) << text;
}

}  // namespace
}  // namespace lightning::base
