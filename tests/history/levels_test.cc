// Random histories at each level, in each mode: what a level forbids never happens, what it allows does.
//
// In simulation, where the seed chooses the interleaving and the machine dies now and then; and on threads and files.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/planted_bug.h"
#include "sim/history/run.h"
#include "support/child_process.h"

namespace lightning::sim::history {
namespace {

std::vector<Case> cases_of(Isolation level, Modes modes) {
  std::vector<Case> chosen;
  for (const Case& each : cases())
    if (each.level == level && each.modes == modes && !each.workload->mixes_levels) chosen.push_back(each);
  return chosen;
}

std::vector<Case> cases_that_mix_levels() {
  std::vector<Case> chosen;
  for (const Case& each : cases())
    if (each.workload->mixes_levels) chosen.push_back(each);
  return chosen;
}

// Sanitizers, which are slower, see a sample.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kSeedsOfEachCase = 2, kOnThreads = 300;
#else
constexpr std::uint64_t kSeedsOfEachCase = 10, kOnThreads = 1000;
#endif

// In a child: worlds that are killed do not give back their memory.
bool all_pass(const std::vector<Case>& chosen, std::uint64_t seeds_of_each) {
  return testing_support::passes_in_child([&] {
    std::uint64_t committed = 0, crashes = 0;
    for (std::uint64_t seed = 1; seed <= seeds_of_each * chosen.size() && !testing::Test::HasFailure(); ++seed) {
      const Case& one = chosen[seed % chosen.size()];
      const RunResult result = run_simulated(one, seed);
      EXPECT_EQ(result.failure, "") << one.name() << ", seed " << seed;
      committed += result.committed;
      crashes += result.crashes;
    }
    EXPECT_GT(committed, 20 * seeds_of_each * chosen.size());
    std::printf("%llu transactions committed, %llu crashes\n", static_cast<unsigned long long>(committed),
                static_cast<unsigned long long>(crashes));
  });
}

using LevelAndMode = std::tuple<Isolation, Modes>;

class Levels : public testing::TestWithParam<LevelAndMode> {
 protected:
  std::vector<Case> chosen() const { return cases_of(std::get<0>(GetParam()), std::get<1>(GetParam())); }
};

TEST_P(Levels, KeepTheirPromisesThroughCrashes) { EXPECT_TRUE(all_pass(chosen(), kSeedsOfEachCase)); }

TEST_P(Levels, KeepTheirPromisesOnThreads) {
  std::string directory = std::filesystem::temp_directory_path() / "lightning-history-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  for (const Case& one : chosen()) {
    const RunResult result = run_threads(one, 1, directory + "/" + one.workload->name, 8, kOnThreads);
    EXPECT_EQ(result.failure, "") << one.name();
    EXPECT_GT(result.committed, kOnThreads / 10) << one.name();
  }
  std::filesystem::remove_all(directory);
}

// Or the tests above prove little: the histories are such that anomalies come up.
TEST_P(Levels, LetHappenWhatTheyDoNotForbid) {
  const auto [level, modes] = GetParam();
  std::set<Anomaly> allowed;
  if (level != Isolation::kSerializable) allowed = {Anomaly::kWriteSkew, Anomaly::kPhantomSkew};
  if (level == Isolation::kReadCommitted)
    allowed.merge(std::set{Anomaly::kLostUpdate, Anomaly::kReadSkew, Anomaly::kLongFork});
  EXPECT_TRUE(testing_support::passes_in_child([&] {
    const auto chosen = this->chosen();
    std::set<Anomaly> seen;
    const std::uint64_t seeds_max = allowed.empty() ? 40 : 1000;
    for (std::uint64_t seed = 1; seed <= seeds_max && (seen != allowed || allowed.empty()); ++seed) {
      RunResult result =
          run_simulated(chosen[seed % chosen.size()], seed, {.look_for_allowed = true, .crashes = false});
      seen.merge(result.seen);
    }
    for (const Anomaly anomaly : allowed) EXPECT_TRUE(seen.contains(anomaly)) << name_of(anomaly) << " was not seen";
    for (const Anomaly anomaly : seen) EXPECT_TRUE(allowed.contains(anomaly)) << name_of(anomaly) << " was seen";
  }));
}

std::string name_of_case(const testing::TestParamInfo<LevelAndMode>& tested) {
  constexpr const char* kLevels[] = {"ReadCommitted", "Snapshot", "Serializable"};
  constexpr const char* kModes[] = {"Optimistic", "Pessimistic", "BothModes"};
  return std::string(kLevels[static_cast<std::size_t>(std::get<0>(tested.param))]) +
         kModes[static_cast<std::size_t>(std::get<1>(tested.param))];
}

INSTANTIATE_TEST_SUITE_P(AtEachLevel, Levels,
                         testing::Combine(testing::Values(Isolation::kReadCommitted, Isolation::kSnapshot,
                                                          Isolation::kSerializable),
                                          testing::Values(Modes::kOptimistic, Modes::kPessimistic, Modes::kBoth)),
                         name_of_case);

TEST(MixedLevels, AndPlainCallsKeepTheirPromisesSideBySide) {
  EXPECT_TRUE(all_pass(cases_that_mix_levels(), 4 * kSeedsOfEachCase));
}

TEST(MixedLevels, AndPlainCallsKeepTheirPromisesOnThreads) {
  std::string directory = std::filesystem::temp_directory_path() / "lightning-history-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  for (const Case& one : cases_that_mix_levels()) {
    const RunResult result =
        run_threads(one, 1, directory + "/" + std::to_string(static_cast<int>(one.modes)), 8, 2 * kOnThreads);
    EXPECT_EQ(result.failure, "") << one.name();
  }
  std::filesystem::remove_all(directory);
}

// docs/guarantees.md names these tests one by one: each must be there.
TEST(TheTable, NamesTestsOfHistoriesThatExist) {
  std::ifstream file(LIGHTNING_SOURCE_DIR "/docs/guarantees.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  std::set<std::string> tests;
  const auto& all = *testing::UnitTest::GetInstance();
  for (int suite = 0; suite < all.total_test_suite_count(); ++suite)
    for (int test = 0; test < all.GetTestSuite(suite)->total_test_count(); ++test)
      tests.insert(std::string("Levels.") + all.GetTestSuite(suite)->GetTestInfo(test)->name());
  std::size_t named = 0;
  for (auto at = page.find("`Levels."); at != std::string::npos; at = page.find("`Levels.", at + 1)) {
    const std::string name = page.substr(at + 1, page.find('`', at + 1) - at - 1);
    EXPECT_TRUE(tests.contains(name)) << name;
    ++named;
  }
  EXPECT_EQ(named, 27u);  // three of each level and mode
}

// --- bugs on purpose -------------------------------------------------------------------------------------------------

#if defined(LIGHTNING_PLANTED_BUGS)

// Found within so many seeds of all cases, or the tests above prove little.
bool found(base::PlantedBug bug, std::uint64_t seeds_max) {
  return testing_support::passes_in_child([&] {
    base::plant(bug);
    for (std::uint64_t seed = 1; seed <= seeds_max; ++seed) {
      const Case& one = cases()[seed % cases().size()];
      const RunResult result = run_simulated(one, seed);
      if (result.failure.empty()) continue;
      std::printf("found by seed %llu, %s: %s\n", static_cast<unsigned long long>(seed), one.name().c_str(),
                  result.failure.c_str());
      return;
    }
    ADD_FAILURE() << "not found";
  });
}

TEST(HistoriesShow, CommitsThatSkipValidation) { EXPECT_TRUE(found(base::PlantedBug::kSkipValidation, 300)); }
TEST(HistoriesShow, LocksThatAreReleasedEarly) { EXPECT_TRUE(found(base::PlantedBug::kReleaseLocksEarly, 300)); }
TEST(HistoriesShow, ReadsThatIgnoreOwnWrites) { EXPECT_TRUE(found(base::PlantedBug::kIgnoreOwnWrites, 300)); }
TEST(HistoriesShow, PhantomsThatAreLost) { EXPECT_TRUE(found(base::PlantedBug::kLosePhantoms, 300)); }
TEST(HistoriesShow, WritesIntoRangesOfOtherCommits) { EXPECT_TRUE(found(base::PlantedBug::kIgnoreIntents, 1000)); }
TEST(HistoriesShow, SnapshotsThatMoveOnAfterReads) { EXPECT_TRUE(found(base::PlantedBug::kMoveOnAfterReads, 300)); }
TEST(HistoriesShow, AcknowledgementsBeforeTheSync) {
  EXPECT_TRUE(found(base::PlantedBug::kAcknowledgeBeforeSync, 300));
}

#endif

}  // namespace
}  // namespace lightning::sim::history
