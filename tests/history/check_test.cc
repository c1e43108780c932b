// The judge knows each anomaly, calls it by its name, and forbids it at the levels that promise so, and at no other.
#include "sim/history/check.h"

#include <gtest/gtest.h>

#include <set>

#include "history/story.h"
#include "sim/history/graph.h"

namespace lightning::sim::history {
namespace {

constexpr Isolation kLevels[] = {Isolation::kReadCommitted, Isolation::kSnapshot, Isolation::kSerializable};

struct Known {
  const char* name;
  Story (*tell)(Isolation);
  bool read_committed, snapshot, serializable;  // whether the level lets it happen
  Anomaly anomaly;                              // as it is called at the first level that forbids it
};

Story at(Isolation level) {
  Story story(level);
  story.there_was(kX, 1).there_was(kY, 2);
  return story;
}

const Known kKnown[] = {
    {"DirtyWrite",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).begin(2).write(1, kX, 10).write(2, kX, 20).write(2, kY, 21).write(1, kY, 11);
       story.commit(1).commit(2);
       // What a later reader finds is the one's x and the other's y.
       return std::move(story.begin(3).read(3, kX, 20).read(3, kY, 11).commit(3));
     },
     false, false, false, Anomaly::kSession},
    {"AbortedRead",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).write(1, kX, 10).begin(2).read(2, kX, 10).abort(1).commit(2));
     },
     false, false, false, Anomaly::kAbortedRead},
    {"IntermediateRead",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).write(1, kX, 10).write(1, kX, 11).commit(1);
       return std::move(story.begin(2).read(2, kX, 10).commit(2));
     },
     false, false, false, Anomaly::kIntermediateRead},
    {"UndoneRead",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).write(1, kY, 10).write(1, kX, 11).undo(1, 1).commit(1);
       return std::move(story.begin(2).read(2, kX, 11).commit(2));
     },
     false, false, false, Anomaly::kIntermediateRead},
    {"CircularInformation",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).begin(2).write(1, kX, 10).write(2, kY, 20).read(1, kY, 20).read(2, kX, 10);
       return std::move(story.commit(1).commit(2));
     },
     false, false, false, Anomaly::kCircularInformation},
    {"NonRepeatableRead",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).read(1, kX, 1).begin(2).write(2, kX, 20).commit(2);
       return std::move(story.read(1, kX, 20).commit(1));
     },
     true, false, false, Anomaly::kReadSkew},
    {"ReadSkew",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).read(1, kX, 1).begin(2).write(2, kX, 20).write(2, kY, 21).commit(2);
       return std::move(story.read(1, kY, 21).commit(1));
     },
     true, false, false, Anomaly::kReadSkew},
    {"ReadSkewInARange",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).scan(1, {{kX, 1}, {kY, 2}}).begin(2).write(2, kX, 20).write(2, kZ, 21).commit(2);
       return std::move(story.read(1, kX, 20).commit(1));
     },
     true, false, false, Anomaly::kReadSkew},
    {"Phantom",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).scan(1, {{kX, 1}, {kY, 2}}).begin(2).write(2, kZ, 20).commit(2);
       return std::move(story.scan(1, {{kX, 1}, {kY, 2}, {kZ, 20}}).commit(1));
     },
     true, false, false, Anomaly::kReadSkew},
    {"AReadOfSeveralKeysThatIsTorn",
     [](Isolation level) {
       Story story = at(level);
       story.begin(2).write(2, kX, 20).write(2, kY, 21).commit(2);
       story.begin(1).scan(1, {{kX, 1}, {kY, 21}});
       return std::move(story.commit(1));
     },
     false, false, false, Anomaly::kReadSkew},
    {"LostUpdate",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).begin(2).read(1, kX, 1).read(2, kX, 1).write(1, kX, 10).write(2, kX, 20);
       return std::move(story.commit(1).commit(2));
     },
     true, false, false, Anomaly::kLostUpdate},
    {"LostUpdateOfAKeyReadForUpdate",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).begin(2).read_for_update(1, kX, 1).read_for_update(2, kX, 1).write(1, kX, 10).write(2, kX, 20);
       return std::move(story.commit(1).commit(2));
     },
     false, false, false, Anomaly::kLostUpdate},
    {"LongFork",
     [](Isolation level) {
       Story story = at(level);
       story.begin(3).begin(4).begin(1).begin(2).write(1, kX, 10).write(2, kY, 20);
       story.read(3, kX, 1).read(4, kY, 2).commit(1).commit(2);
       return std::move(story.read(3, kY, 20).read(4, kX, 10).commit(3).commit(4));
     },
     true, false, false, Anomaly::kLongFork},
    {"WriteSkew",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).begin(2).read(1, kX, 1).read(1, kY, 2).read(2, kX, 1).read(2, kY, 2);
       return std::move(story.write(1, kX, 10).write(2, kY, 20).commit(1).commit(2));
     },
     true, true, false, Anomaly::kWriteSkew},
    {"WriteSkewOfKeysReadForUpdate",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).begin(2).read_for_update(1, kY, 2).read_for_update(2, kX, 1);
       return std::move(story.write(1, kX, 10).write(2, kY, 20).commit(1).commit(2));
     },
     false, false, false, Anomaly::kWriteSkew},
    {"WriteSkewByPhantoms",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).begin(2).scan(1, {{kX, 1}, {kY, 2}}).scan(2, {{kX, 1}, {kY, 2}});
       return std::move(story.write(1, key_of(1, 10), 10).write(2, key_of(1, 11), 20).commit(1).commit(2));
     },
     true, true, false, Anomaly::kPhantomSkew},
    {"AStaleRead",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).write(1, kX, 10).commit(1);
       return std::move(story.begin(2).read(2, kX, 1).commit(2));
     },
     false, false, false, Anomaly::kRealTime},
    {"AStaleRange",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).write(1, kZ, 10).commit(1);
       return std::move(story.begin(2).scan(2, {{kX, 1}, {kY, 2}}).commit(2));
     },
     false, false, false, Anomaly::kRealTime},
    {"AReadOfWhatWasErasedLongAgo",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).erase(1, kX, 10).commit(1);
       return std::move(story.begin(2).read(2, kX, 1).commit(2));
     },
     false, false, false, Anomaly::kRealTime},
    {"AnAbsenceThatIsOver",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).erase(1, kX, 10).commit(1).begin(1).write(1, kX, 11).commit(1);
       return std::move(story.begin(2).read(2, kX, kAbsent).commit(2));
     },
     false, false, false, Anomaly::kRealTime},
    {"ASessionThatForgets",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).write(1, kX, 10).commit(1);
       return std::move(story.begin(1).read(1, kX, 1).commit(1));
     },
     false, false, false, Anomaly::kSession},
    {"OwnWritesUnseen",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).write(1, kX, 10).read(1, kX, 1).commit(1));
     },
     false, false, false, Anomaly::kOwnWrites},
    {"OwnWritesUnseenInARange",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).write(1, kZ, 10).scan(1, {{kX, 1}, {kY, 2}}).commit(1));
     },
     false, false, false, Anomaly::kOwnWrites},
    {"OwnErasureUnseen",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).erase(1, kX, 10).scan(1, {{kX, 1}, {kY, 2}}).commit(1));
     },
     false, false, false, Anomaly::kOwnWrites},
    {"UndoneWritesStillSeen",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).write(1, kX, 10).write(1, kX, 11).undo(1, 1).read(1, kX, 11).commit(1));
     },
     false, false, false, Anomaly::kOwnWrites},
    {"AValueThatNobodyWrote",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).read(1, kX, 77).commit(1));
     },
     false, false, false, Anomaly::kUnknownVersion},
    {"AValueOfAnotherKey",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).read(1, kX, 2).commit(1));
     },
     false, false, false, Anomaly::kUnknownVersion},
    {"AKeyThatVanished",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).scan(1, {{kX, 1}}).commit(1));
     },
     false, false, false, Anomaly::kUnknownVersion},
    {"ASequenceOutOfOrder",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).begin(2).begin(3).write(1, kX, 10).write(2, kY, 20).commit(1).commit(2);
       story.last(1).sequence = 300;
       story.begin(4).read(4, kX, 10).write(4, kZ, 40).commit(4);
       return story;
     },
     false, false, false, Anomaly::kSequence},
    {"ACommitThatIsGone",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).write(1, kX, 10).commit(1).found_after({{kX, 1}, {kY, 2}}));
     },
     false, false, false, Anomaly::kRealTime},
    {"ADurableCommitThatACrashTook",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).write(1, kX, 10).commit(1, true).found_after({{kX, 1}, {kY, 2}}, true));
     },
     false, false, false, Anomaly::kRealTime},
    {"HalfACommit",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).write(1, kX, 10).write(1, kY, 11).commit_without_answer(1);
       return std::move(story.found_after({{kX, 10}, {kY, 2}}, true));
     },
     false, false, false, Anomaly::kReadSkew},
    {"AHoleInWhatACrashLeft",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).write(1, kX, 10).commit(1);
       story.begin(2).read(2, kX, 10).write(2, kY, 20).commit(2);
       return std::move(story.found_after({{kX, 1}, {kY, 20}}, true));
     },
     false, false, false, Anomaly::kReadSkew},
    {"AnUnrelatedHoleInWhatACrashLeft",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).write(1, kX, 10).commit(1).begin(2).write(2, kY, 20).commit(2);
       return std::move(story.found_after({{kX, 1}, {kY, 20}}, true));
     },
     false, false, false, Anomaly::kRealTime},
    {"ACrashThatBringsBackWhatWasRolledBack",
     [](Isolation level) {
       Story story = at(level);
       return std::move(story.begin(1).write(1, kX, 10).abort(1).found_after({{kX, 10}, {kY, 2}}, true));
     },
     false, false, false, Anomaly::kAbortedRead},
    {"AnUnansweredCommitThatIsSeenAndThenUnseen",
     [](Isolation level) {
       Story story = at(level);
       story.begin(1).read(1, kX, 1).write(1, kX, 10).commit_without_answer(1);
       story.begin(2).read(2, kX, 10).commit(2);
       return std::move(story.begin(3).read(3, kX, 1).commit(3));
     },
     false, false, false, Anomaly::kRealTime},
};

class KnownAnomaly : public testing::TestWithParam<std::tuple<Known, Isolation>> {};

TEST_P(KnownAnomaly, IsFoundWhereItIsForbiddenAndNowhereElse) {
  const auto& [known, level] = GetParam();
  const bool allowed = level == Isolation::kReadCommitted ? known.read_committed
                       : level == Isolation::kSnapshot    ? known.snapshot
                                                          : known.serializable;
  const auto findings = check(known.tell(level).history());
  EXPECT_EQ(findings.empty(), allowed) << texts(findings);
  const bool first_to_forbid =
      !allowed && (level == Isolation::kReadCommitted || (level == Isolation::kSnapshot && known.read_committed) ||
                   (level == Isolation::kSerializable && known.snapshot));
  if (!first_to_forbid || findings.empty()) return;
  EXPECT_EQ(name_of(findings.front().anomaly), name_of(known.anomaly)) << texts(findings);
  EXPECT_FALSE(findings.front().text.empty());
}

std::string name_of_case(const testing::TestParamInfo<std::tuple<Known, Isolation>>& tested) {
  constexpr const char* kNames[] = {"ReadCommitted", "Snapshot", "Serializable"};
  return std::string(std::get<0>(tested.param).name) + "At" +
         kNames[static_cast<std::size_t>(std::get<1>(tested.param))];
}

INSTANTIATE_TEST_SUITE_P(Anomalies, KnownAnomaly,
                         testing::Combine(testing::ValuesIn(kKnown), testing::ValuesIn(kLevels)), name_of_case);

// --- what is in order ------------------------------------------------------------------------------------------------

class InOrder : public testing::TestWithParam<Isolation> {
 protected:
  void expect_nothing(Story& story) {
    const auto findings = check(story.history());
    EXPECT_TRUE(findings.empty()) << texts(findings);
  }
};
INSTANTIATE_TEST_SUITE_P(AtEachLevel, InOrder, testing::ValuesIn(kLevels));

TEST_P(InOrder, OneAfterAnother) {
  Story story = at(GetParam());
  story.begin(1).read(1, kX, 1).write(1, kX, 10).read(1, kX, 10).commit(1);
  story.begin(2).read(2, kX, 10).write(2, kX, 20).write(2, kX, 21).scan(2, {{kX, 21}, {kY, 2}}).commit(2);
  story.begin(1).read(1, kX, 21).erase(1, kY, 11).read(1, kY, kAbsent).commit(1);
  story.begin(2).scan(2, {{kX, 21}}).commit(2).found_after({{kX, 21}});
  expect_nothing(story);
}

TEST_P(InOrder, AtTheSameTimeOnDifferentKeys) {
  Story story = at(GetParam());
  story.begin(1).begin(2).read(1, kX, 1).read(2, kY, 2).write(1, kX, 10).write(2, kY, 20).commit(2).commit(1);
  expect_nothing(story.found_after({{kX, 10}, {kY, 20}}));
}

TEST_P(InOrder, AReaderBesideAWriterSeesTheOneOrTheOther) {
  for (const bool new_one : {false, true}) {
    Story story(GetParam(), Concurrency::kPessimistic);
    story.there_was(kX, 1).there_was(kY, 2);
    story.begin(1).begin(2).write(1, kX, 10).write(1, kY, 11).commit(1);
    story.read(2, kX, new_one ? 10 : 1).read(2, kY, new_one ? 11 : 2).commit(2);
    if (GetParam() == Isolation::kReadCommitted && !new_one) continue;  // there each read is of its own moment
    expect_nothing(story);
  }
}

TEST_P(InOrder, OneThatFailedHasNoPartInIt) {
  Story story = at(GetParam());
  story.begin(1).begin(2).read(1, kX, 1).read(2, kX, 1).write(1, kX, 10).write(2, kX, 20).commit(1).abort(2);
  expect_nothing(story.begin(2).read(2, kX, 10).commit(2));
}

TEST_P(InOrder, AnUnansweredCommitMayHaveTakenPlace) {
  Story story = at(GetParam());
  story.begin(1).read(1, kX, 1).write(1, kX, 10).commit_without_answer(1);
  expect_nothing(story.begin(2).read(2, kX, 10).write(2, kX, 20).commit(2).found_after({{kX, 20}, {kY, 2}}, true));
}

TEST_P(InOrder, AnUnansweredCommitMayNotHaveTakenPlace) {
  Story story = at(GetParam());
  story.begin(1).read(1, kX, 1).write(1, kX, 10).commit_without_answer(1);
  expect_nothing(story.begin(2).read(2, kX, 1).write(2, kX, 20).commit(2).found_after({{kX, 20}, {kY, 2}}, true));
}

TEST_P(InOrder, AnUnansweredCommitMayTakePlaceBetweenTwoReads) {
  Story story = at(GetParam());
  story.begin(1).read(1, kX, 1).write(1, kX, 10).commit_without_answer(1);
  story.begin(2).read(2, kX, 1).commit(2).begin(2).read(2, kX, 10).commit(2);
  expect_nothing(story.found_after({{kX, 10}, {kY, 2}}, true));
}

TEST_P(InOrder, ACrashMayTakeTheNewestIfTheyWereNotDurable) {
  Story story = at(GetParam());
  story.begin(1).write(1, kX, 10).commit(1, true).begin(2).write(2, kX, 20).commit(2).begin(1).write(1, kY, 11).commit(
      1);
  expect_nothing(story.found_after({{kX, 10}, {kY, 2}}, true));
}

TEST_P(InOrder, AKeyThatComesAndGoes) {
  Story story(GetParam());
  for (Version version = 10; version < 30; version += 2) {
    story.begin(1).read(1, kX, kAbsent).write(1, kX, version).commit(1);
    story.begin(2).scan(2, {{kX, version}}).erase(2, kX, version + 1).scan(2, {}).commit(2);
  }
  expect_nothing(story.found_after({}));
}

TEST(InOrderAtSnapshot, WriteSkewIsTheOnlyThingThatIsAllowed) {
  Story story = at(Isolation::kSnapshot);
  story.begin(1).begin(2).read(1, kX, 1).read(1, kY, 2).read(2, kX, 1).read(2, kY, 2);
  story.write(1, kX, 10).write(2, kY, 20).commit(1).commit(2);
  EXPECT_TRUE(check(story.history()).empty());
  EXPECT_EQ(anomalies(story.history(), Isolation::kSerializable), std::set{Anomaly::kWriteSkew});
  EXPECT_EQ(anomalies(story.history(), Isolation::kSnapshot), std::set<Anomaly>{});
}

// A serializable transaction keeps its promise beside one of a weaker level.
TEST(MixedLevels, EachIsHeldToItsOwnPromise) {
  for (const bool serializable : {false, true}) {
    Story story = at(Isolation::kSnapshot);
    story.begin(1).begin(2).read(1, kX, 1).write(1, kY, 10).read(2, kY, 2).write(2, kX, 20).commit(1).commit(2);
    if (serializable) story.last(1).level = story.last(2).level = Isolation::kSerializable;
    EXPECT_EQ(check(story.history()).empty(), !serializable);
    story.last(2).level = Isolation::kSnapshot;  // one of them is enough to have a point in time
    EXPECT_TRUE(check(story.history()).empty());
  }
}

// --- lists: nothing but what was read tells the order
// ------------------------------------------------------------------

TEST(Lists, TellTheOrderWithoutSequences) {
  Story story(Isolation::kSerializable);
  story.lists().begin(1).read(1, kX, kAbsent).write(1, kX, 10).commit(1);
  story.begin(2).read(2, kX, 10, {10}).write(2, kX, 20).commit(2);
  story.begin(1).read(1, kX, 20, {10, 20}).write(1, kX, 11).write(1, kX, 12).commit(1);
  story.begin(3).read(3, kX, 12, {10, 20, 11, 12}).commit(3);
  for (std::uint32_t client : {1u, 2u}) story.last(client).sequence = 0;
  EXPECT_TRUE(check(story.history()).empty()) << texts(check(story.history()));
}

TEST(Lists, ThatForkAreOfNoOrder) {
  Story story(Isolation::kSnapshot);
  story.lists().begin(1).begin(2).read(1, kX, kAbsent).read(2, kX, kAbsent).write(1, kX, 10).write(2, kX, 20);
  story.commit(1).begin(3).read(3, kX, 10, {10}).commit(3).commit(2).begin(3).read(3, kX, 20, {20}).commit(3);
  const auto findings = check(story.history());
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings.front().anomaly, Anomaly::kOrder) << texts(findings);
}

TEST(Lists, ShowDirtyWrites) {
  Story story(Isolation::kReadCommitted);
  story.lists().begin(1).begin(2).write(1, kX, 10).write(2, kX, 20).write(1, kY, 11).write(2, kY, 21);
  story.commit(1).commit(2);
  story.begin(3).read(3, kX, 20, {10, 20}).commit(3).begin(3).read(3, kY, 11, {21, 11}).commit(3);
  const auto findings = check(story.history());
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings.front().anomaly, Anomaly::kDirtyWrite) << texts(findings);
}

TEST(Lists, ShowAnAppendThatIsMissing) {
  Story story(Isolation::kSerializable);
  story.lists().begin(1).read(1, kX, kAbsent).write(1, kX, 10).commit(1);
  story.begin(2).read(2, kX, kAbsent).commit(2);
  const auto findings = check(story.history());
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings.front().anomaly, Anomaly::kRealTime) << texts(findings);
}

// --- cycles ----------------------------------------------------------------------------------------------------------

TEST(Cycles, OfAnyLengthAreFoundWithoutRecursion) {
  constexpr Point kPoints = 300'000;
  Graph graph(kPoints);
  for (Point point = 0; point + 1 < kPoints; ++point) graph.add({point, point + 1, EdgeKind::kWw, 1});
  EXPECT_TRUE(graph.cycles(EdgeKind::kSequence).empty());
  graph.add({kPoints - 1, kPoints - 3, EdgeKind::kTime});
  EXPECT_TRUE(graph.cycles(EdgeKind::kRangeRw).empty());
  const auto cycles = graph.cycles(EdgeKind::kTime);
  ASSERT_EQ(cycles.size(), 1u);
  EXPECT_EQ(cycles.front().size(), 3u);
}

TEST(Cycles, AreToldByTheirShortest) {
  Graph graph(10);
  for (Point point = 0; point < 10; ++point) graph.add({point, (point + 1) % 10, EdgeKind::kWw, 1});
  graph.add({4, 2, EdgeKind::kRw, 1});
  const auto cycles = graph.cycles(EdgeKind::kRw);
  ASSERT_EQ(cycles.size(), 1u);
  EXPECT_EQ(cycles.front().size(), 3u);
}

}  // namespace
}  // namespace lightning::sim::history
