// What the log promises to those who write: order, place, recycling.
#include <gmock/gmock.h>

#include <algorithm>

#include "wal/log_place.h"

namespace lightning::wal {
namespace {

using testing::ElementsAre;

class Log : public EveryDisk {};
ON_EVERY_DISK(Log);

TEST_P(Log, GivesBackWhatWasCommittedInOrder) {
  std::vector<std::string> written;
  {
    auto log = place().open();
    for (std::uint64_t i = 0; i < 1000; ++i) {
      written.push_back(payload_of(i, i % 300));
      commit(*log, written.back(), i % 100 == 0);
    }
    must(log->close());
  }
  const Replayed replayed = must(place().replay());
  EXPECT_EQ(replayed.payloads(), written);
  EXPECT_EQ(replayed.report.end.last_sequence, 1000u);
  EXPECT_FALSE(replayed.report.torn_tail);
  EXPECT_TRUE(std::is_sorted(replayed.commits.begin(), replayed.commits.end(),
                             [](const auto& a, const auto& b) { return a.time_ns < b.time_ns; }));
}

TEST_P(Log, NumbersOperationsWithoutGaps) {
  auto log = place().open();
  const auto first = append(*log, "three", false, 3);
  const auto second = append(*log, "one", true, 1);
  EXPECT_EQ(first.first_sequence, 1u);
  EXPECT_EQ(first.last_sequence, 3u);
  EXPECT_EQ(first.sync_barrier, 0u);
  EXPECT_EQ(second.first_sequence, 4u);
  EXPECT_EQ(second.sync_barrier, 4u);
  EXPECT_EQ(append(*log, "later").sync_barrier, 4u);
  EXPECT_EQ(log->last_reserved(), 5u);
  EXPECT_EQ(log->last_completed(), 5u);
  must(log->close());
  const Replayed replayed = must(place().replay());
  ASSERT_EQ(replayed.commits.size(), 3u);
  EXPECT_EQ(replayed.commits[0].operations, 3u);
  EXPECT_EQ(replayed.commits[1].first, 4u);
  EXPECT_EQ(replayed.report.operations, 5u);
}

TEST_P(Log, AnUnsyncedWriteWaitsForTheSyncedOnesBeforeIt) {
  auto log = place().open();
  append(*log, "synced", true);
  EXPECT_EQ(log->last_durable(), 0u);
  must(log->wait_durable(append(*log, "not synced")));
  EXPECT_GE(log->last_durable(), 1u);
  const auto syncs = log->counters().syncs;
  must(log->wait_durable(append(*log, "not synced either")));
  EXPECT_EQ(log->counters().syncs, syncs);
  must(log->close());
}

TEST_P(Log, SurvivesTheDeathOfTheProcessWithoutASync) {
  auto log = place().open();
  append(*log, "acknowledged");
  // Nothing is closed or synced: what another process would find.
  EXPECT_THAT(must(place().replay()).payloads(), ElementsAre("acknowledged"));
}

TEST_P(Log, ContinuesItsChainInTheNextLife) {
  LogPosition end;
  {
    auto log = place().open();
    end = append(*log, "a").end();
    must(log->close());
  }
  EXPECT_EQ(must(place().replay()).report.end.chain, end.chain);
  {
    auto log = place().reopen();
    EXPECT_EQ(append(*log, "b").chain_before, end.chain);
    must(log->close());
  }
  EXPECT_THAT(must(place().replay()).payloads(), ElementsAre("a", "b"));
}

TEST(LogChain, DependsOnEveryCommit) {
  std::vector<std::uint64_t> chains;
  for (const char* middle : {"b", "c"}) {
    SimulatedPlace fresh;
    auto log = fresh.open();
    append(*log, "a");
    append(*log, middle);
    chains.push_back(append(*log, "z").chain);
  }
  EXPECT_NE(chains[0], chains[1]);
}

TEST_P(Log, StartsReplayBehindWhatIsInTables) {
  auto log = place().open({.segment_bytes = 16 << 10});
  std::vector<LogPosition> ends;
  for (std::uint64_t i = 0; i < 200; ++i) ends.push_back(append(*log, payload_of(i, 300)).end());
  must(log->close());
  for (const std::size_t held : {0u, 1u, 41u, 42u, 43u, 199u}) {
    const Replayed replayed = must(place().replay({.start = ends[held].last_sequence, .anchor = ends[held]}));
    ASSERT_EQ(replayed.commits.size(), 199 - held);
    EXPECT_EQ(replayed.report.end.chain, ends.back().chain);
    if (held < 199) {
      EXPECT_EQ(replayed.commits[0].first, held + 2);
    }
  }
}

TEST_P(Log, RefusesToStartInAnotherHistory) {
  auto log = place().open();
  const LogPosition end = append(*log, "a").end();
  append(*log, "b");
  EXPECT_CODE(kWalCorrupt, place().replay({.start = 1, .anchor = {1, end.chain ^ 1}}));
  EXPECT_THAT(must(place().replay({.start = 1})).payloads(), ElementsAre("b"));
  must(log->close());
}

TEST_P(Log, CutsABatchIntoFragmentsOfAsManySegmentsAsItNeeds) {
  const std::string large = payload_of(7, 70'000), larger = payload_of(8, 200'000);
  {
    auto log = place().open({.segment_bytes = 16 << 10});
    append(*log, "before");
    const auto ticket = append(*log, large, true, 10);
    EXPECT_GE(ticket.more.size(), 5u);
    must(log->wait_durable(ticket));
    append(*log, "between");
    append(*log, larger, false, 20);
    append(*log, "after");
    must(log->close());
  }
  const Replayed replayed = must(place().replay());
  EXPECT_EQ(replayed.payloads(), (std::vector<std::string>{"before", large, "between", larger, "after"}));
  EXPECT_EQ(replayed.report.end.last_sequence, 33u);
}

TEST_P(Log, CutsABatchThatIsTheFirstOfAllToo) {
  const std::string large = payload_of(7, 70'000);
  {
    auto log = place().open({.segment_bytes = 16 << 10});
    append(*log, large, true, 10);
    must(log->close());
  }
  EXPECT_THAT(must(place().replay()).payloads(), ElementsAre(large));
}

TEST(LogFragments, FillSegmentsToTheLastByteWhateverTheSize) {
  for (std::size_t bytes = 3900; bytes < 4120; bytes += 7) {
    SimulatedPlace fresh;
    auto log = fresh.open({.segment_bytes = 8 << 10});
    std::vector<std::string> written;
    for (std::uint64_t i = 0; i < 5; ++i) append(*log, written.emplace_back(payload_of(i, bytes)));
    must(log->close());
    ASSERT_EQ(must(fresh.replay()).payloads(), written) << bytes;
  }
}

TEST_P(Log, KeepsAParanoidTagOnEveryRecord) {
  const std::string large = payload_of(1, 40'000);
  {
    auto log = place().open({.segment_bytes = 16 << 10, .integrity = IntegrityLevel::kParanoid});
    append(*log, "small");
    append(*log, large);
    append(*log, "end", true);
    must(log->sync());
    must(log->close());
  }
  EXPECT_EQ(must(place().replay()).payloads(), (std::vector<std::string>{"small", large, "end"}));
  // The tag alone is damaged: the 16 bytes behind "small".
  place().flip(place().path_of(0), kHeaderPageBytes + kRecordHeaderBytes + 5);
  EXPECT_CODE(kWalCorrupt, place().replay());
}

TEST_P(Log, RecyclesReleasedSegmentsAndNeverShowsTheirOldRecords) {
  auto log = place().open({.segment_bytes = 16 << 10, .free_segments_max = 3});
  std::vector<std::string> written;
  std::vector<LogPosition> ends;
  bool recycled = false;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    ends.push_back(append(*log, written.emplace_back(payload_of(i, 200))).end());
    if (i % 40 == 39) log->release_up_to(ends[i - 20].last_sequence);
  }
  must(log->sync());
  // Only what is behind the released part, however the files were used before. Those that are too many may be being
  // removed right now.
  const ReplayOptions behind{.start = ends[1979].last_sequence, .anchor = ends[1979]};
  auto answer = place().replay(behind);
  while (!answer && answer.error().code() == ErrorCode::kBusy) answer = place().replay(behind);
  const Replayed replayed = must(std::move(answer));
  EXPECT_EQ(replayed.payloads(), std::vector<std::string>(written.end() - 20, written.end()));
  must(log->close());
  EXPECT_LE(place().names().size(), 4u);
  for (const std::string& name : place().names())
    recycled |= decode_prepared(place().content(place().directory() + "/" + name))->recycled;
  EXPECT_TRUE(recycled);
}

TEST_P(Log, CountsWhatIsLiveUntilItIsReleased) {
  auto log = place().open({.segment_bytes = 16 << 10});
  EXPECT_EQ(log->live_bytes(), 16u << 10);
  EXPECT_EQ(log->oldest_live_sequence(), 1u);
  for (std::uint64_t i = 0; i < 200; ++i) append(*log, payload_of(i, 200));
  const auto before = log->live_bytes();
  EXPECT_GE(before, 4u * (16u << 10));
  EXPECT_EQ(log->first_live_segment(), 1u);
  log->release_up_to(100);
  EXPECT_LT(log->live_bytes(), before);
  EXPECT_LE(log->oldest_live_sequence(), 101u);
  EXPECT_GT(log->oldest_live_sequence(), 1u);
  EXPECT_GT(log->first_live_segment(), 1u);
  log->release_up_to(200);
  EXPECT_EQ(log->live_bytes(), 16u << 10);  // the one being written
  must(log->close());
}

TEST_P(Log, KeepsTheSegmentsOfACommitUntilAllOfItIsReleased) {
  auto log = place().open({.segment_bytes = 16 << 10});
  append(*log, "a");
  const std::string large = payload_of(2, 60'000);
  const auto ticket = append(*log, large, false, 10);
  append(*log, "z");
  log->release_up_to(1);
  EXPECT_EQ(log->first_live_segment(), 1u);  // holds the first fragment
  log->release_up_to(11);
  EXPECT_GT(log->first_live_segment(), 4u);
  must(log->close());
  EXPECT_THAT(must(place().replay({.start = ticket.last_sequence, .anchor = ticket.end()})).payloads(),
              ElementsAre("z"));
}

TEST_P(Log, KeepsReleasedSegmentsBehindThePositionThatSomebodyElseHasComeTo) {
  auto log = place().open({.segment_bytes = 16 << 10});
  log->keep_behind(50);
  std::vector<LogPosition> ends;
  std::vector<std::string> written;
  for (std::uint64_t i = 0; i < 400; ++i) ends.push_back(append(*log, written.emplace_back(payload_of(i, 200))).end());
  log->release_up_to(400);
  EXPECT_EQ(log->live_bytes(), 16u << 10);
  EXPECT_GT(log->kept_bytes(), 60'000u);
  must(log->sync());
  EXPECT_EQ(must(place().replay({.start = 50, .anchor = ends[49]})).payloads(),
            std::vector<std::string>(written.begin() + 50, written.end()));
  log->keep_behind(400);
  EXPECT_EQ(log->kept_bytes(), 0u);
  must(log->close());
  EXPECT_LE(place().names().size(), 4u);
}

TEST_P(Log, ChargesMappedSegmentsToTheBudget) {
  {
    auto log = place().open({.segment_bytes = 64 << 10});
    EXPECT_GE(place().budget.held(base::MemoryOwner::kLogBuffers), 64u << 10);
    for (std::uint64_t i = 0; i < 3000; ++i) append(*log, payload_of(i, 200));
    must(log->close());
  }
  EXPECT_EQ(place().budget.held(base::MemoryOwner::kLogBuffers), 0u);
}

// Nobody has asked for a sync, and the disk may take its time: but the process does not hold what it has left behind.
TEST_P(Log, FullSegmentsLeaveTheBudgetBeforeTheyAreReleased) {
  auto log = place().open({.segment_bytes = 16 << 10});
  for (std::uint64_t i = 0; i < 1000; ++i) append(*log, payload_of(i, 200));
  ASSERT_GE(log->live_bytes(), 10u * (16u << 10));
  for (base::Backoff backoff; place().budget.held(base::MemoryOwner::kLogBuffers) > 4u * (16u << 10);) backoff.pause();
  must(log->close());
  EXPECT_EQ(must(place().replay()).payloads().size(), 1000u);
}

TEST_P(Log, RemovesTheSegmentsOfEarlierLivesWhenTold) {
  for (int life = 0; life < 3; ++life) {
    auto log = place().reopen();
    append(*log, "x");
    must(log->close());
  }
  EXPECT_EQ(place().names().size(), 3u);
  auto log = place().reopen({.segment_bytes = 64 << 10, .free_segments_max = 0});
  const LogPosition end = append(*log, "y").end();
  must(log->remove_older_segments());
  must(log->close());
  EXPECT_EQ(place().names().size(), 1u);
  EXPECT_THAT(must(place().replay({.start = 3})).payloads(), ElementsAre("y"));
  EXPECT_EQ(must(place().replay({.start = end.last_sequence, .anchor = end})).report.end.last_sequence, 4u);
}

TEST_P(Log, LeavesNothingUnusedBehindAfterClose) {
  auto log = place().open();
  append(*log, "x");
  must(log->close());
  must(log->close());  // again is harmless
  EXPECT_EQ(place().names().size(), 1u);
  const auto ticket = log->reserve({.payload = "late", .operations = 1});
  EXPECT_CODE(kClosed, ticket);
}

TEST_P(Log, InspectsASegmentRecordByRecord) {
  auto log = place().open({.segment_bytes = 16 << 10});
  append(*log, "abc", false, 3);
  append(*log, payload_of(1, 20'000));
  must(log->close());
  const std::string path = place().path_of(0);
  std::vector<std::string> kinds;
  const SegmentFacts facts = must(inspect_segment(place().env(), path, [&](const RecordFacts& record) {
    kinds.push_back(record.kind);
    if (record.kind == "full") {
      EXPECT_EQ(record.payload, "abc");
      EXPECT_EQ(record.offset, kHeaderPageBytes);
      EXPECT_EQ(record.operations, 3u);
    }
    return true;
  }));
  EXPECT_THAT(kinds, ElementsAre("full", "first", "seal"));
  EXPECT_TRUE(facts.sealed);
  EXPECT_EQ(facts.number, 1u);
  EXPECT_EQ(facts.store_id, kStore);
  place().flip(path, kHeaderPageBytes + 65);
  EXPECT_EQ(place().records(path)[0].kind, "bad");  // its payload
  place().flip(path, kHeaderPageBytes + 30);
  EXPECT_EQ(place().records(path)[0].kind, "bad");  // its header
  EXPECT_EQ(place().records(path)[1].kind, "first");
}

TEST_P(Log, ReportsWhatAPowerCutCouldTake) {
  auto log = place().open();
  EXPECT_EQ(log->loss_window().bytes, 0u);
  append(*log, "0123456789");
  EXPECT_EQ(log->loss_window().bytes, 80u);
  EXPECT_EQ(log->loss_window().last_acknowledged, 1u);
  EXPECT_EQ(log->loss_window().last_durable, 0u);
  must(log->sync());
  EXPECT_EQ(log->loss_window().bytes, 0u);
  EXPECT_EQ(log->last_durable(), 1u);
  EXPECT_EQ(log->counters().records, 1u);
  EXPECT_EQ(log->counters().bytes, 80u);
  must(log->close());
}

}  // namespace
}  // namespace lightning::wal
