// The judge knows what merges mean: who is in a value, in which order, and on what it was built.
#include "sim/history/merges.h"

#include <gtest/gtest.h>

#include "history/story.h"
#include "sim/history/journal.h"

namespace lightning::sim::history {
namespace {

constexpr Isolation kLevels[] = {Isolation::kReadCommitted, Isolation::kSnapshot, Isolation::kSerializable};
constexpr Key kA = key_of(kSums, 1), kB = key_of(kSums, 2);

Story at(Isolation level) {
  Story story(level);
  story.there_was(kX, 1).there_was(kY, 2).there_was_number(kA, 100).there_was_number(kB, 100);
  return story;
}

std::vector<Finding> judged(Story& story) {
  resolve_sums(story.history());
  return check(story.history());
}

class Merges : public testing::TestWithParam<Isolation> {
 protected:
  static void expect_nothing(Story& story) {
    const auto findings = judged(story);
    EXPECT_TRUE(findings.empty()) << texts(findings);
  }
  static void expect(Anomaly anomaly, Story& story) {
    const auto findings = judged(story);
    ASSERT_FALSE(findings.empty());
    EXPECT_EQ(name_of(findings.front().anomaly), name_of(anomaly)) << texts(findings);
  }
};
INSTANTIATE_TEST_SUITE_P(AtEachLevel, Merges, testing::ValuesIn(kLevels));

// --- appended
// ---------------------------------------------------------------------------------------------------------

TEST_P(Merges, OneUponTheOther) {
  Story story = at(GetParam());
  story.begin(1).merge(1, kX, 10).merge(1, kX, 11).read(1, kX, 11, {1, 10, 11}).commit(1);
  story.begin(2).merge(2, kX, 20).read(2, kX, 20, {1, 10, 11, 20}).commit(2);
  story.begin(1).write(1, kX, 12).merge(1, kX, 13).read(1, kX, 13, {12, 13}).commit(1);
  story.begin(2).erase(2, kX, 21).merge(2, kX, 22).read(2, kX, 22, {22}).commit(2);
  story.begin(1).read(1, kX, 22, {22}).merge(1, kX, 14).undo(1, 1).read(1, kX, 22, {22}).commit(1);
  story.begin(1).merge(1, kZ, 15).commit(1).begin(2).read(2, kZ, 15, {15}).scan(2, {{kX, 22}, {kY, 2}, {kZ, 15}});
  expect_nothing(story.commit(2));
}

TEST_P(Merges, OfSomebodyWhoWasNeverToldAreSomewhere) {
  Story story = at(GetParam());
  story.begin(1).merge(1, kX, 10).commit_without_answer(1);
  story.begin(2).merge(2, kX, 20).commit(2).begin(2).read(2, kX, 20, {1, 10, 20}).commit(2);
  expect_nothing(story);
}

TEST_P(Merges, ThatAreLostAreFound) {
  Story story = at(GetParam());
  story.begin(1).merge(1, kX, 10).commit(1).begin(1).merge(1, kX, 11).commit(1);
  story.begin(2).read(2, kX, 11, {1, 11}).commit(2);
  expect(Anomaly::kOrder, story);
}

TEST_P(Merges, ThatComeTwiceAreFound) {
  Story story = at(GetParam());
  story.begin(1).merge(1, kX, 10).commit(1).begin(2).read(2, kX, 10, {1, 10, 10}).commit(2);
  expect(Anomaly::kOrder, story);
}

TEST_P(Merges, InTheWrongOrderAreFound) {
  Story story = at(GetParam());
  story.begin(1).merge(1, kX, 10).commit(1).begin(1).merge(1, kX, 11).commit(1).begin(1).merge(1, kX, 12).commit(1);
  story.begin(2).read(2, kX, 12, {1, 11, 10, 12}).commit(2);
  expect(Anomaly::kOrder, story);
}

TEST_P(Merges, WithoutTheirBaseAreFound) {
  Story story = at(GetParam());
  story.begin(1).merge(1, kX, 10).commit(1).begin(2).read(2, kX, 10, {10}).commit(2);
  expect(Anomaly::kOrder, story);
}

TEST_P(Merges, IntoWhatWasErasedAreFound) {
  Story story = at(GetParam());
  story.begin(1).erase(1, kX, 10).commit(1).begin(1).merge(1, kX, 11).commit(1);
  story.begin(2).read(2, kX, 11, {1, 11}).commit(2);
  expect(Anomaly::kOrder, story);
}

TEST_P(Merges, BelowWhatReplacedThemAreFound) {
  Story story = at(GetParam());
  story.begin(1).write(1, kX, 10).merge(1, kX, 11).commit(1).begin(2).read(2, kX, 11, {1, 10, 11}).commit(2);
  expect(Anomaly::kOrder, story);
}

TEST_P(Merges, OfHalfATransactionAreFound) {
  Story story = at(GetParam());
  story.begin(1).merge(1, kX, 10).merge(1, kX, 11).commit(1).begin(2).read(2, kX, 11, {1, 11}).commit(2);
  expect(Anomaly::kOrder, story);
  Story first_half = at(GetParam());
  first_half.begin(1).merge(1, kX, 10).merge(1, kX, 11).commit(1).begin(2).read(2, kX, 10, {1, 10}).commit(2);
  expect(Anomaly::kIntermediateRead, first_half);
}

TEST_P(Merges, ThatWereRolledBackOrUndoneAreFound) {
  Story story = at(GetParam());
  story.begin(1).merge(1, kX, 10).abort(1).begin(2).merge(2, kX, 20).commit(2);
  story.begin(2).read(2, kX, 20, {1, 10, 20}).commit(2);
  expect(Anomaly::kAbortedRead, story);
  Story undone = at(GetParam());
  undone.begin(1)
      .merge(1, kX, 10)
      .merge(1, kX, 11)
      .undo(1, 1)
      .commit(1)
      .begin(2)
      .read(2, kX, 11, {1, 10, 11})
      .commit(2);
  expect(Anomaly::kIntermediateRead, undone);
}

TEST_P(Merges, OfOnesOwnThatAreNotSeenAreFound) {
  Story story = at(GetParam());
  story.begin(1).merge(1, kX, 10).read(1, kX, 1).commit(1);
  expect(Anomaly::kOwnWrites, story);
  Story one = at(GetParam());
  one.begin(1).merge(1, kX, 10).merge(1, kX, 11).read(1, kX, 11, {1, 11}).commit(1);
  expect(Anomaly::kOwnWrites, one);
}

TEST_P(Merges, ThatACrashTookOutOfTheMiddleAreFound) {
  Story story = at(GetParam());
  story.begin(1).merge(1, kX, 10).commit(1).begin(2).merge(2, kX, 20).commit(2).found_after({{kX, 20}, {kY, 2}}, true);
  story.history().start.erase(kA);
  story.history().start.erase(kB);
  story.history().after->content[kX].list = {1, 20};
  expect(Anomaly::kOrder, story);
  story.history().after->content[kX] = {.key = kX, .version = 10, .list = {1, 10}};
  expect_nothing(story);
}

TEST(OwnMerges, ShowWhatOthersWroteBeneath) {
  const auto tell = [](Isolation level) {
    Story story = at(level);
    story.begin(1).merge(1, kX, 10).read(1, kX, 10, {1, 10}).begin(2).write(2, kX, 20).commit(2);
    return std::move(story.read(1, kX, 10, {20, 10}).abort(1));
  };
  Story allowed = tell(Isolation::kReadCommitted), forbidden = tell(Isolation::kSnapshot);
  EXPECT_TRUE(judged(allowed).empty()) << texts(judged(allowed));
  const auto findings = judged(forbidden);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(name_of(findings.front().anomaly), name_of(Anomaly::kReadSkew)) << texts(findings);
}

TEST(BlindMerges, OfTheSameKeyAreAConflictFromSnapshotOn) {
  const auto tell = [](Isolation level) {
    Story story = at(level);
    story.begin(1).begin(2).read(1, kY, 2).read(2, kY, 2).merge(1, kX, 10).merge(2, kX, 20).commit(1).commit(2);
    return std::move(story.begin(3).read(3, kX, 20, {1, 10, 20}).commit(3));
  };
  Story allowed = tell(Isolation::kReadCommitted), forbidden = tell(Isolation::kSnapshot);
  EXPECT_TRUE(judged(allowed).empty()) << texts(judged(allowed));
  EXPECT_FALSE(judged(forbidden).empty());
}

// --- added
// ------------------------------------------------------------------------------------------------------------

TEST_P(Merges, AddUp) {
  Story story = at(GetParam());
  story.begin(1).add(1, kA, 10, -7).add(1, kB, 11, 7).commit(1);
  story.begin(2).read_number(2, kA, 93).add(2, kA, 20, 11).read_number(2, kA, 93).commit(2);
  story.begin(1).add(1, kA, 12, 50).undo(1, 0).read_number(1, kA, 104).read_number(1, kB, 107).commit(1);
  expect_nothing(story);
  EXPECT_EQ(story.history().clients[1].back().operations[2].found.front().version, 20u);
}

TEST_P(Merges, OfAnUnansweredCommitMayBeInASum) {
  Story story = at(GetParam());
  story.begin(1).add(1, kA, 10, 1000).commit_without_answer(1);
  story.begin(2).add(2, kA, 20, 3).commit(2).begin(2).read_number(2, kA, 1103).commit(2);
  expect_nothing(story);
  Story unseen = at(GetParam());
  unseen.begin(1).add(1, kA, 10, 1000).commit_without_answer(1);
  unseen.begin(2).add(2, kA, 20, 3).commit(2).begin(2).read_number(2, kA, 103).commit(2);
  expect_nothing(unseen);
}

TEST_P(Merges, SeenInASumAndThenUnseenAreFound) {
  Story story = at(GetParam());
  story.begin(1).add(1, kA, 10, 1000).commit_without_answer(1);
  story.begin(2).read_number(2, kA, 1100).commit(2).begin(3).read_number(3, kA, 100).commit(3);
  expect(Anomaly::kRealTime, story);
}

TEST_P(Merges, ThatALaterSumLacksAreFound) {
  Story story = at(GetParam());
  story.begin(1).add(1, kA, 10, 5).commit(1).begin(1).add(1, kA, 11, 9).commit(1);
  story.begin(2).read_number(2, kA, 109).commit(2);  // one addition was lost
  expect(Anomaly::kUnknownVersion, story);
  Story stale = at(GetParam());
  stale.begin(1).add(1, kA, 10, 5).commit(1).begin(2).read_number(2, kA, 100).commit(2);
  expect(Anomaly::kRealTime, stale);
}

TEST(Sums, OfDifferentMomentsAreReadSkew) {
  const auto tell = [](Isolation level) {
    Story story = at(level);
    story.begin(2).read_number(2, kA, 100).begin(1).add(1, kA, 10, -7).add(1, kB, 11, 7).commit(1);
    return std::move(story.read_number(2, kB, 107).commit(2));
  };
  Story allowed = tell(Isolation::kReadCommitted), forbidden = tell(Isolation::kSnapshot);
  EXPECT_TRUE(judged(allowed).empty()) << texts(judged(allowed));
  const auto findings = judged(forbidden);
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(name_of(findings.front().anomaly), name_of(Anomaly::kReadSkew)) << texts(findings);
}

// --- values
// -----------------------------------------------------------------------------------------------------------

TEST(Values, TellWhatWasMergedIntoThem) {
  const Found plain{.key = kX, .version = 7, .number = 3};
  const Found list{.key = kX, .version = 9, .number = 2, .list = {8, 9}};
  const auto versions = [](const std::string& value) {
    const auto found = decode(kX, value);
    return found ? std::pair(found->version, found->list) : std::pair(kUnresolved, std::vector<Version>());
  };
  using Parts = std::vector<Version>;
  EXPECT_EQ(versions(encode(plain, 5)), std::pair(Version{7}, Parts{}));
  EXPECT_EQ(versions(encode(plain, 5) + encode_operand(12)), std::pair(Version{12}, Parts({7, 12})));
  EXPECT_EQ(versions(encode(list, 0) + encode_operand(12)), std::pair(Version{12}, Parts({8, 9, 12})));
  EXPECT_EQ(versions(encode_operand(12) + encode_operand(13)), std::pair(Version{13}, Parts({12, 13})));
  for (const std::string wrong : {"", "+", "+1+", "x", "1 2", "7 3 0 +x"}) EXPECT_FALSE(decode(kX, wrong)) << wrong;
  EXPECT_EQ(decode(kA, encode_number(-5))->number, -5);
  EXPECT_EQ(decode(kA, encode_number(-5))->version, kUnresolved);
  EXPECT_FALSE(decode(kA, "five"));
}

}  // namespace
}  // namespace lightning::sim::history
