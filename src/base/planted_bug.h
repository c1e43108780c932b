// Bugs on purpose, to show that the tests would find them. A release build has none: planted() is constantly false
// there.
#pragma once

#include <atomic>
#include <cstdint>

namespace lightning::base {

enum class PlantedBug : std::uint8_t {
  kNone,
  kAcknowledgeBeforeSync,   // a Sync write returns before its sync
  kPublishBeforeSync,       // readers see a Sync write before its sync
  kReleaseLogTooEarly,      // the log lets go of what is only in memory
  kDropAllTombstones,       // every merge drops tombstones, whatever lies below
  kFoldAcrossSnapshots,     // merges combine operands though a snapshot stands between them
  kRevealBelowExpired,      // compaction drops what has expired, and no tombstone hides what is older
  kDropRangeTombstones,     // every merge drops range tombstones that all readers see, whatever lies below
  kIgnoreLogChecksums,      // replay believes every payload
  kIgnoreBlockTags,         // tables believe what they read
  kFlushAheadOfLog,         // tables become durable before the log that they came from
  kRemoveManifestTooEarly,  // the old manifest goes before the superblock names the new one
  kSkipValidation,          // commits of transactions do not look for conflicts
  kReleaseLocksEarly,       // a pessimistic transaction lets go of its locks before its commit
  kIgnoreOwnWrites,         // a transaction's point reads see its snapshot where they should see its own write
  kRemoveBlobTooEarly,      // a blob file goes before the manifest knows that nothing in it lives any more
  kForgetReferences,        // a reference that a merge keeps counts as garbage
  kLosePhantoms,            // serializable commits do not look at the ranges that were read
  kIgnoreIntents,           // commits write into ranges that others, which are committing, have read
  kBackupBeforeItsFiles,    // a backup's catalogue is durable before the names of its files
  kPruneBeforeItIsDurable,  // files of a backup go before the removal of its catalogue is durable
  kRestoreSuperblockFirst,  // a restore makes the directory a database before its tables are there
  kMoveOnAfterReads,        // a pessimistic transaction moves its snapshot on though it has read from it
};

#ifdef LIGHTNING_PLANTED_BUGS
inline constexpr bool kPlantedBugs = true;
inline std::atomic<PlantedBug> planted_bug{PlantedBug::kNone};
inline void plant(PlantedBug bug) { planted_bug.store(bug, std::memory_order_relaxed); }
inline bool planted(PlantedBug bug) { return planted_bug.load(std::memory_order_relaxed) == bug; }
#else
inline constexpr bool kPlantedBugs = false;
inline void plant(PlantedBug) {}
constexpr bool planted(PlantedBug) { return false; }
#endif

}  // namespace lightning::base
