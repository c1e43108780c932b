// What opening a database did: the twelve stages of recovery, what each looked at, repaired and rolled back.
//
// Every opening is a recovery; after a clean close there is little to do. The stages come in this order and each ends
// before the next begins. Up to Finalization nothing that was there is changed: whatever stops an opening before, an
// error, a cancelled progress call or a crash, the next one finds the same start.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lightning/error.h"
#include "lightning/types.h"

namespace lightning {

enum class RecoveryStage : std::uint8_t {
  kInitialization,           // is there a store, may it be read; what became of the last attempt
  kLockAcquisition,          // no other process writes to it
  kConfigurationValidation,  // which store it is, and whether this version and these settings can read it
  kKeyUnlock,                // keys of an encrypted store; skipped where there are none
  kResourceCheck,            // file handles, memory and disk space that the rest will need
  kManifestRecovery,         // which tables are the database; an edit torn by a crash is dropped
  kTableInventory,           // every table and blob file that the manifest names, against its tag
  kWalDiscovery,             // the segments of the log that are needed
  kWalValidation,            // every record of them; what is torn is told from what is damaged
  kTransactionRecovery,      // commits that are not in tables yet are applied, whole ones only
  kConsistencyValidation,    // order of tables, bounds of sequences, references to large values
  kFinalization,             // the commit point; then old files go, and what nothing names is set aside
};
inline constexpr std::size_t kRecoveryStages = 12;
std::string_view name_of(RecoveryStage stage);  // "WalValidation"

// Where an opening has come to. `done` and `total` count bytes in kWalValidation and kTransactionRecovery, files
// elsewhere; `total` is 0 where it is not known, and an upper bound in kWalValidation.
struct RecoveryProgress {
  RecoveryStage stage = RecoveryStage::kInitialization;
  std::uint64_t done = 0, total = 0;
  std::chrono::nanoseconds elapsed{};  // since the opening began
};

struct RecoveryStageReport {
  enum class Outcome : std::uint8_t { kNotReached, kSkipped, kDone, kFailed };
  RecoveryStage stage = RecoveryStage::kInitialization;
  Outcome outcome = Outcome::kNotReached;
  std::chrono::nanoseconds took{};
  std::uint64_t items = 0, bytes = 0;  // of what `checked` names
  std::string checked;                 // what was looked at and found, in a line; why, if skipped
};
std::string_view name_of(RecoveryStageReport::Outcome outcome);  // "not reached", "skipped", "done", "failed"

// Something that was not as a clean close leaves it, and what was done about it.
struct RecoveryNote {
  enum class Kind : std::uint8_t {
    kRolledBack,  // what a crash had cut short and nobody was told of: dropped
    kIsolated,    // damage: its keys answer with an error, all others are served
    kSetAside,    // files that nothing names: in lost+found for a day
    kWarning,
  };
  Kind kind = Kind::kWarning;
  RecoveryStage stage = RecoveryStage::kInitialization;
  std::string text;
  std::string file;  // empty: none
};
std::string_view name_of(RecoveryNote::Kind kind);  // "rolled back", "isolated", "set aside", "warning"

// Threads: a value.
struct RecoveryReport {
  std::string path;
  bool created = false;    // the database is new
  bool read_only = false;  // opened for reading: what the log holds beyond the tables is kept in memory
  std::array<RecoveryStageReport, kRecoveryStages> stages;
  std::vector<RecoveryNote> notes;   // in the order in which they were made; kNotesMax at most
  std::uint64_t notes_left_out = 0;  // beyond that
  std::optional<Error> error;        // why the database was not opened
  std::chrono::nanoseconds took{};
  std::uint32_t failed_attempts = 0;  // to open for writing, since the last that succeeded; as far as is known
  std::uint64_t commits = 0;          // that were only in the log
  Sequence last_sequence = 0;         // of the newest commit there is
  std::uint64_t epoch = 0;            // of the life that ended
  std::uint64_t generation = 0;       // of the superblock: rises with each opening for writing

  static constexpr std::size_t kNotesMax = 1000;
  // The stage that failed, or none.
  const RecoveryStageReport* failed_stage() const;
  // For people: a line for each stage and note, with line ends.
  std::string to_string() const;
};

// Called when a stage begins and, in long ones, now and then; false ends the opening with kRecoveryInterrupted and
// changes nothing. Not asked any more once Finalization has begun.
using RecoveryProgressFunction = std::function<bool(const RecoveryProgress& progress)>;

}  // namespace lightning
