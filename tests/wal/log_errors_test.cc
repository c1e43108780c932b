// What the log does when the disk refuses: on the simulated disk, which can be told to.
#include <gmock/gmock.h>

#include "wal/log_place.h"

namespace lightning::wal {
namespace {

using testing::ElementsAre;

env::Fault sync_of(std::string path_part, bool sticky = false) {
  env::Fault fault;
  fault.kind = env::IoKind::kSync;
  fault.path_part = std::move(path_part);
  fault.sticky = sticky;
  return fault;
}

TEST(LogErrors, AFailedSyncPoisonsForEver) {
  SimulatedPlace place;
  auto log = place.open();
  commit(*log, "safe", true);
  place.world.files.add_fault(sync_of("0001.log"));
  const auto ticket = append(*log, "lost?", true);
  for (int again = 0; again < 2; ++again) {
    const Status waited = log->wait_durable(ticket);
    EXPECT_CODE(kSyncFailed, waited);
    EXPECT_EQ(waited.error().outcome(), WriteOutcome::kUnknown);
  }
  const auto refused = log->reserve({.payload = "no", .operations = 1});
  EXPECT_CODE(kSyncFailed, refused);
  EXPECT_EQ(refused.error().outcome(), WriteOutcome::kNotApplied);
  EXPECT_CODE(kSyncFailed, log->sync());
  EXPECT_CODE(kSyncFailed, log->close());
  EXPECT_EQ(log->last_durable(), 1u);
}

TEST(LogErrors, AFullDiskFailsTheWriteUntilThereIsSpace) {
  SimulatedPlace place;
  auto log = place.open({.segment_bytes = 16 << 10});
  place.world.files.set_capacity(70 << 10);
  std::uint64_t written = 0;
  for (;; ++written) {
    const std::string payload = payload_of(written, 1000);
    auto ticket = log->reserve({.payload = payload, .operations = 1});
    if (!ticket) {
      EXPECT_CODE(kNoSpace, ticket);
      EXPECT_EQ(ticket.error().outcome(), WriteOutcome::kNotApplied);
      break;
    }
    log->copy(*ticket, payload);
    log->complete(*ticket);
    ASSERT_LT(written, 1000u);
  }
  EXPECT_CODE(kNoSpace, log->reserve({.payload = std::string(5000, 'x'), .operations = 1}));
  EXPECT_EQ(log->last_completed(), written);
  place.world.files.set_capacity(1 << 20);
  append(*log, payload_of(written, 1000));
  must(log->close());
  EXPECT_EQ(must(place.replay()).commits.size(), written + 1);
}

TEST(LogErrors, AWriteBeyondAllSpaceTakesNothing) {
  SimulatedPlace place;
  auto log = place.open({.segment_bytes = 16 << 10});
  place.world.files.set_capacity(200 << 10);
  EXPECT_CODE(kNoSpace, log->reserve({.payload = std::string(1 << 20, 'x'), .operations = 1}));
  commit(*log, "fits", true);
  must(log->close());
  EXPECT_THAT(must(place.replay()).payloads(), ElementsAre("fits"));
}

TEST(LogErrors, ASegmentThatCannotBePreparedIsTriedUnderAnotherNumber) {
  SimulatedPlace place;
  place.world.files.add_fault(sync_of("0002.log", true));
  auto log = place.open({.segment_bytes = 16 << 10});
  std::uint64_t failures = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const std::string payload = payload_of(i, 1000);
    auto ticket = log->reserve({.payload = payload, .operations = 1});
    if (!ticket) {
      EXPECT_CODE(kIo, ticket);
      EXPECT_EQ(ticket.error().outcome(), WriteOutcome::kNotApplied);
      ++failures;
      continue;
    }
    log->copy(*ticket, payload);
    log->complete(*ticket);
  }
  EXPECT_LE(failures, 1u);
  must(log->close());
  EXPECT_EQ(must(place.replay()).commits.size(), 100 - failures);
}

TEST(LogErrors, ASealThatCannotBeSyncedPoisons) {
  SimulatedPlace place;
  auto log = place.open({.segment_bytes = 16 << 10});
  append(*log, "a", true);
  must(log->sync());
  place.world.files.add_fault(sync_of("0001.log"));
  EXPECT_CODE(kSyncFailed, log->close());
  EXPECT_THAT(must(place.replay()).payloads(), ElementsAre("a"));
}

TEST(LogErrors, RefusesSegmentsTooSmall) {
  SimulatedPlace place;
  const auto log =
      WriteAheadLog::create(place.env(), place.directory(), kStore, 1, {}, {.segment_bytes = 4096}, place.budget);
  EXPECT_CODE(kInvalidArgument, log);
}

TEST(LogErrors, DoesNotStartBeforeEarlierSegmentsAreDurable) {
  SimulatedPlace place;
  place.open()->close().value();
  auto before = place.reopen();
  append(*before, "read from memory");
  place.world.files.process_death();
  place.world.files.add_fault(sync_of("0002.log"));
  const LogPosition end = must(place.replay()).report.end;
  EXPECT_EQ(end.last_sequence, 1u);
  const auto log =
      WriteAheadLog::create(place.env(), place.directory(), kStore, 1, end, {.segment_bytes = 64 << 10}, place.budget);
  EXPECT_CODE(kSyncFailed, log);
}

}  // namespace
}  // namespace lightning::wal
