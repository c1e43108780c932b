// A simulation that finds nothing proves nothing: each bug planted here must be found within a bounded number of seeds.
#include <gtest/gtest.h>

#include "base/planted_bug.h"
#include "sim/bad_disk.h"
#include "sim/crash_run.h"
#include "support/child_process.h"
#include "support/simulated_seeds.h"

namespace lightning::sim {
namespace {

constexpr std::uint64_t kSeedsMax = 300;

// In a child, since killed worlds do not give back their memory.
bool finds(const Planted& planted, base::PlantedBug bug = base::PlantedBug::kNone,
           std::uint64_t seeds_max = kSeedsMax) {
  return testing_support::passes_in_child([&] {
    base::plant(bug);
    for (std::uint64_t seed = 1; seed <= seeds_max; ++seed) {
      const RunResult result = run_seed(seed, planted);
      if (result.failure.empty()) continue;
      std::printf("found by seed %llu: %s\n", static_cast<unsigned long long>(seed), result.failure.c_str());
      return;
    }
    ADD_FAILURE() << "not found by " << seeds_max << " seeds";
  });
}

bool finds_ignored_syncs_of(env::FileClass file_class) { return finds({.ignored_syncs = {file_class}}); }

TEST(TheSimulationFinds, LogSyncsThatDoNothing) { EXPECT_TRUE(finds_ignored_syncs_of(env::FileClass::kLog)); }
TEST(TheSimulationFinds, TableSyncsThatDoNothing) { EXPECT_TRUE(finds_ignored_syncs_of(env::FileClass::kTable)); }
TEST(TheSimulationFinds, ManifestSyncsThatDoNothing) { EXPECT_TRUE(finds_ignored_syncs_of(env::FileClass::kManifest)); }
TEST(TheSimulationFinds, SuperblockSyncsThatDoNothing) {
  EXPECT_TRUE(finds_ignored_syncs_of(env::FileClass::kSuperblock));
}
TEST(TheSimulationFinds, BlobFileSyncsThatDoNothing) { EXPECT_TRUE(finds_ignored_syncs_of(env::FileClass::kBlob)); }
TEST(TheSimulationFinds, DirectorySyncsThatDoNothing) { EXPECT_TRUE(finds({.ignore_directory_syncs = true})); }

// Only builds with planted bugs have these: a release build has no place for the bugs. Nor are they run under
// ThreadSanitizer: what they test is the simulation, which has one thread.
#if defined(LIGHTNING_PLANTED_BUGS) && !defined(__SANITIZE_THREAD__)

TEST(TheSimulationFindsBugsOfTheEngine, AcknowledgingBeforeTheSync) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kAcknowledgeBeforeSync));
}
TEST(TheSimulationFindsBugsOfTheEngine, PublishingBeforeTheSync) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kPublishBeforeSync));
}
TEST(TheSimulationFindsBugsOfTheEngine, ReleasingLogThatIsInNoTable) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kReleaseLogTooEarly));
}
TEST(TheSimulationFindsBugsOfTheEngine, DroppingTombstonesThatHideSomething) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kDropAllTombstones));
}
TEST(TheSimulationFindsBugsOfTheEngine, FoldingOperandsThatASnapshotDividesInTwo) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kFoldAcrossSnapshots));
}
TEST(TheSimulationFindsBugsOfTheEngine, RevealingWhatAnExpiredRecordReplaced) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kRevealBelowExpired));
}
TEST(TheSimulationFindsBugsOfTheEngine, DroppingErasedRangesThatHideSomething) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kDropRangeTombstones));
}
TEST(TheSimulationFindsBugsOfTheEngine, ReplayingRecordsUnchecked) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kIgnoreLogChecksums));
}
TEST(TheSimulationFindsBugsOfTheEngine, BlocksThatAreNotComparedWithTheirTags) {
  EXPECT_TRUE(testing_support::passes_in_child([] {
    base::plant(base::PlantedBug::kIgnoreBlockTags);
    std::string failure;
    for (std::uint64_t seed = 1; seed <= kSeedsMax && failure.empty(); ++seed)
      failure = run_seed_on_bad_disk(seed).failure;
    EXPECT_NE(failure, "");
    std::printf("%s\n", failure.c_str());
  }));
}
TEST(TheSimulationFindsBugsOfTheEngine, FlushingTablesAheadOfTheLog) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kFlushAheadOfLog));
}
TEST(TheSimulationFindsBugsOfTheEngine, RemovingBlobFilesBeforeTheManifestSaysSo) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kRemoveBlobTooEarly));
}
TEST(TheSimulationFindsBugsOfTheEngine, CountingReferencesAsGarbageThatAreKept) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kForgetReferences));
}
TEST(TheSimulationFindsBugsOfTheEngine, RemovingTheManifestThatTheSuperblockNames) {
  EXPECT_TRUE(finds({}, base::PlantedBug::kRemoveManifestTooEarly));
}

#endif

TEST(TheSimulation, FindsNothingWhereNothingIsPlanted) {
  EXPECT_FALSE(finds({}, base::PlantedBug::kNone, testing_support::simulated_seeds(kSeedsMax)));
}

}  // namespace
}  // namespace lightning::sim
