// What is compacted next, drawn.
#include "compaction/pick.h"

#include "tables.h"

namespace lightning::compaction {
namespace {

class Pick : public Tables {
 protected:
  std::string pick_from(const std::string& text) { return text_of(pick(version(text), options_)); }
  std::string pick_range_from(const std::string& text, std::optional<std::string_view> start = {},
                              std::optional<std::string_view> end = {}, Sequence through = format::kSequenceMax) {
    return text_of(pick_range(version(text), options_, {.start = start, .end = end, .through = through}));
  }
  std::string pick_bottom_from(const std::string& text, const RangeRequest& request) {
    return text_of(pick_range(version(text), options_, request));
  }
  PickOptions options_{.level0_trigger = 2, .size_multiplier = 10, .base_bytes = 16 << 10};
};

TEST_F(Pick, LeavesAFewRunsInLevelZero) {
  EXPECT_EQ(pick_from(""), "nothing");
  EXPECT_EQ(pick_from("L0: 7[a..f]"), "nothing");
}

TEST_F(Pick, MergesAllOfLevelZeroIntoTheLastLevelWhileThereIsLittle) {
  EXPECT_EQ(pick_from("L0: 7[a..f] 5[c..k]"), "L0 {7 5} -> L6 bottommost");
  EXPECT_EQ(pick_from("L0: 7[a..f] 5[c..k]\n"
                      "L6: 3[a..d] 4[e..m] 6[p..z]"),
            "L0 {7 5} + L6 {3 4} -> L6 bottommost");
}

TEST_F(Pick, MergesLevelZeroIntoTheFirstLevelThatHoldsData) {
  EXPECT_EQ(pick_from("L0: 7[a..b] 5[c..d]\n"
                      "L4: 3[a..b]\n"
                      "L6: 4[x..z]"),
            "L0 {7 5} + L4 {3} -> L4 bottommost");
}

TEST_F(Pick, GivesTheLastLevelATenthAboveItOnceItIsLarge) {
  EXPECT_EQ(pick_from("L0: 7[a..b] 5[c..d]\n"
                      "L6: 4[x..z 200k]"),
            "L0 {7 5} -> L5 bottommost");
}

TEST_F(Pick, IsNotBottommostAboveOlderDataOfTheInputs) {
  EXPECT_EQ(pick_from("L0: 7[a..f] 5[c..k]\n"
                      "L5: 3[a..d]\n"
                      "L6: 4[k..k]"),
            "L0 {7 5} + L5 {3} -> L5");
}

// The table below reaches beyond the inputs, and its own tombstones hide what lies deeper: "b" would come back to life.
TEST_F(Pick, IsNotBottommostAboveOlderDataOfTheTablesItRewrites) {
  EXPECT_EQ(pick_from("L0: 7[e..f] 5[e..f]\n"
                      "L5: 3[a..m !]\n"
                      "L6: 4[b..b]"),
            "L0 {7 5} + L5 {3} -> L5");
}

TEST_F(Pick, TakesNoTableTwice) {
  EXPECT_EQ(pick_from("L0: 7[a..f *] 5[c..k]"), "nothing");
  EXPECT_EQ(pick_from("L0: 7[a..f] 5[c..k]\n"
                      "L6: 3[a..d] 4[e..m *]"),
            "nothing");
}

TEST_F(Pick, MovesDownWhatCostsLeastBelow) {
  EXPECT_EQ(pick_from("L5: 1[a..c 30k] 2[d..f 30k] 3[g..i 30k]\n"
                      "L6: 4[a..b 90k] 5[c..e 90k] 6[h..i 20k]"),
            "L5 {3} + L6 {6} -> L6 bottommost");
  EXPECT_EQ(pick_from("L5: 1[a..c 30k] 3[g..i 30k] 2[j..k 30k]\n"
                      "L6: 4[a..b 90k] 5[c..e 90k] 6[h..i 20k]"),
            "L5 {2} -> L6 bottommost moved");
}

TEST_F(Pick, LeavesLevelsOfTheirSizeAlone) {
  EXPECT_EQ(pick_from("L5: 1[a..c 10k]\n"
                      "L6: 4[a..b 90k] 5[c..e 90k]"),
            "nothing");
}

TEST_F(Pick, OfARangeGoesOnUntilTheRangeLiesInOneLevel) {
  EXPECT_EQ(pick_range_from("L0: 9[a..c]\nL6: 4[a..b] 5[d..e]"), "L0 {9} + L6 {4} -> L6 bottommost");
  EXPECT_EQ(pick_range_from("L4: 1[a..c] 2[d..f]\nL6: 4[a..b] 5[d..e]"), "L4 {1 2} -> L5");
  EXPECT_EQ(pick_range_from("L5: 1[a..c] 2[d..f]\nL6: 4[a..b] 5[d..e]", "d"), "L5 {2} + L6 {5} -> L6 bottommost");
  EXPECT_EQ(pick_range_from("L5: 1[a..c]\nL6: 5[d..e]"), "L5 {1} -> L6 bottommost moved");
  EXPECT_EQ(pick_range_from("L6: 4[a..b] 5[d..e]"), "nothing");
  EXPECT_EQ(pick_range_from("L5: 1[a..c]\nL6: 4[a..b]", "x"), "nothing");
  EXPECT_EQ(pick_range_from("L5: 1[c..d]\nL6: 4[c..d]", {}, "c"), "nothing") << "the end is not part of the range";
}

TEST_F(Pick, OfARangeEndsBesideAWriter) {
  constexpr Sequence kFirstRun = 1'000'000;  // of the run that stands first; those behind it are older
  EXPECT_EQ(pick_range_from("L0: 9[a..c]\nL6: 4[a..b]", {}, {}, kFirstRun), "L0 {9} + L6 {4} -> L6 bottommost");
  EXPECT_EQ(pick_range_from("L0: 9[a..c]\nL6: 4[a..b]", {}, {}, kFirstRun - 1), "nothing");
}

TEST_F(Pick, OfARangeRewritesWhatReclaimsSomething) {
  EXPECT_EQ(pick_range_from("L3: 1[a..c !]"), "L3 {1} -> L3 bottommost");
  EXPECT_EQ(pick_range_from("L3: 1[a..c]"), "nothing");
  EXPECT_EQ(pick_range_from("L6: 1[a..c +]"), "L6 {1} -> L6 bottommost") << "two versions of one key";
  EXPECT_EQ(pick_range_from("L6: 1[a..c +]", "d"), "nothing");
  EXPECT_EQ(pick_range_from("L6: 1[a..c +] 2[d..f] 3[g..i +] 4[j..k !] 5[l..m]"), "L6 {1} -> L6 bottommost");
  EXPECT_EQ(pick_range_from("L6: 2[d..f] 3[g..i +] 4[j..k !] 5[l..m]"), "L6 {3 4} -> L6 bottommost");
  EXPECT_EQ(pick_range_from("L6: 2[d..f] 3[g..i + *]"), "nothing");
}

TEST_F(Pick, OfARangeLeavesWhatASnapshotStillSees) {
  constexpr Sequence kFirst = 1'000'000;
  EXPECT_EQ(pick_bottom_from("L6: 1[a..c +]", {.oldest_reader = kFirst - 1}), "nothing");
  EXPECT_EQ(pick_bottom_from("L6: 1[a..c +]", {.oldest_reader = kFirst}), "L6 {1} -> L6 bottommost");
}

TEST_F(Pick, OfARangeRewritesAllOrNothingIfAsked) {
  EXPECT_EQ(pick_bottom_from("L6: 1[a..c] 2[d..f] 3[g..i]", {.bottom = BottomLevel::kRewrite}),
            "L6 {1 2 3} -> L6 bottommost");
  EXPECT_EQ(pick_bottom_from("L6: 1[a..c] 2[d..f] 3[g..i]", {.bottom = BottomLevel::kRewrite, .before = 2}),
            "L6 {1} -> L6 bottommost");
  EXPECT_EQ(pick_bottom_from("L6: 1[a..c !]", {.bottom = BottomLevel::kLeave}), "nothing");
  EXPECT_EQ(pick_bottom_from("L5: 1[a..c !]\nL6: 2[a..c]", {.bottom = BottomLevel::kLeave}),
            "L5 {1} + L6 {2} -> L6 bottommost");
}

// --- what was erased ------------------------------------------------------------------------------------------------

class PickErased : public Pick {
 protected:
  static constexpr Sequence kFirst = 1'000'000;  // of the table that stands first; those behind it are older
  PickErased() { options_.oldest_reader = kFirst; }
};

TEST_F(PickErased, TablesThatLieWhollyUnderARangeGoUnread) {
  const std::string store = "L0: 9[b..m ~]\nL5: 2[c..d]\nL6: 3[a..c] 4[d..f] 5[g..l] 6[m..p]";
  EXPECT_EQ(pick_from(store), "L5 {2} -> L5 erased");
  options_.oldest_reader = kFirst - 1;
  EXPECT_EQ(pick_from(store), "nothing") << "somebody reads what was there before";
  options_.oldest_reader = kFirst;
  EXPECT_EQ(pick_from("L0: 9[b..m ~]\nL6: 3[a..c] 4[d..f] 5[g..l] 6[m..p]"), "L6 {4 5} -> L6 erased");
  EXPECT_EQ(pick_from("L0: 9[b..m ~]\nL6: 3[a..c] 4[d..f *] 5[g..l x] 6[m..p]"), "nothing");
  EXPECT_EQ(pick_from("L0: 9[b..e ~] 8[e..g ~]\nL6: 4[d..f]"), "L6 {4} -> L6 erased") << "two ranges that touch";
  EXPECT_EQ(pick_from("L0: 9[b..e ~] 8[f..g ~]\nL6: 4[d..f]"), "L0 {9 8} + L6 {4} -> L6 bottommost");
}

TEST_F(PickErased, RangesOverWhichNewerOnesLieGoToo) {
  EXPECT_EQ(pick_from("L0: 9[a..z ~]\nL5: 3[c..d ~]"), "L5 {3} -> L5 erased");
  EXPECT_EQ(pick_from("L0: 9[c..d]\nL5: 3[a..z ~]\nL6: 2[b..d]"), "L6 {2} -> L6 erased");
}

TEST_F(PickErased, RangesSinkAndAreGoneAtTheBottom) {
  EXPECT_EQ(pick_from("L5: 3[c..e ~]\nL6: 2[d..f]"), "L5 {3} + L6 {2} -> L6 bottommost");
  EXPECT_EQ(pick_from("L4: 3[c..e ~]\nL6: 2[d..f]"), "L4 {3} -> L5 moved");
  EXPECT_EQ(pick_from("L6: 3[c..e ~]"), "L6 {3} -> L6 bottommost");
  options_.oldest_reader = kFirst - 1;
  EXPECT_EQ(pick_from("L5: 3[c..e ~]\nL6: 2[d..f]"), "nothing");
}

// The bound on what a seek has to pass.
TEST_F(PickErased, LongRowsOfTombstonesAreCompacted) {
  EXPECT_EQ(pick_from("L5: 1[a..c !]\nL6: 2[a..c]"), "nothing") << "there is no bound";
  options_.tombstone_run_max = 1;
  EXPECT_EQ(pick_from("L5: 1[a..c !]\nL6: 2[a..c]"), "L5 {1} + L6 {2} -> L6 bottommost");
  EXPECT_EQ(pick_from("L4: 1[a..c !]\nL6: 2[a..c]"), "L4 {1} -> L5 moved");
  EXPECT_EQ(pick_from("L0: 1[a..c !]\nL6: 2[a..c]"), "L0 {1} + L6 {2} -> L6 bottommost");
  EXPECT_EQ(pick_from("L6: 1[a..c !]"), "L6 {1} -> L6 bottommost");
  EXPECT_EQ(pick_from("L6: 1[a..a !] 2[c..c !]"), "nothing") << "one in each";
  options_.tombstone_run_max = 2;
  EXPECT_EQ(pick_from("L6: 1[a..c !]"), "nothing");
  options_.tombstone_run_max = 1;
  options_.oldest_reader = kFirst - 1;
  EXPECT_EQ(pick_from("L6: 1[a..c !]"), "nothing") << "a rewrite would keep them all";
}

TEST_F(Pick, SeesNoDebtWhereNothingIsDue) {
  EXPECT_EQ(debt_bytes(version("L0: 7[a..f]\nL6: 3[a..d 50k]"), options_), 0u);
  EXPECT_GT(debt_bytes(version("L0: 17[a..f] 15[a..f]\nL6: 13[a..d 50k]"), options_), 2000u);
}

}  // namespace
}  // namespace lightning::compaction
