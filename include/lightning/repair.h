// Repair: what can still be read of a damaged database, as a new database; and what cannot, as a report.
//
//   LIGHTNING_ASSIGN(const RepairReport report, repair_database("/data/orders", "/data/orders-repaired"));
//   if (!report.complete()) std::cout << report.to_string();
//
// The damaged database is only read: nothing in its directory is written, created or removed. Every byte that goes into
// the new one has been compared with the tag or check value that vouches for it. A record outside of what the report
// names is as it was when it was last written. In what it names there is the newest version that could be read, if any:
// an older one may show where the newest was lost, and an erased one may be back.
//
// A backup is better (backup.h). This is for when there is none, or none that is new enough.
//
// Threads: any; one at a time for one target. Memory: config.cache_size is not asked; what the log holds beyond the
// tables is kept in memory, with the index of a table for each level, and one large value.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lightning/config.h"
#include "lightning/error.h"
#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning {

// Keys and values that have been gone through, of about so many.
struct RepairProgress {
  std::uint64_t done_bytes = 0, total_bytes = 0;
};
// Return false to stop with kCancelled. Called from the calling thread, after each MiB or so.
using RepairProgressFunction = std::function<bool(const RepairProgress&)>;

struct RepairOptions {
  LightningDbConfig config = {};  // how files are written: sizes, compression, blob_threshold
  RepairProgressFunction progress = {};
};

// Keys of which versions could not be read. Reasons name the file, and where in it.
struct LostKeys {
  std::string keyspace;  // empty: not known, since nothing but the lost file says to which it belongs
  KeyRange range = {};
  std::uint64_t entries = 0;  // about so many versions of keys; 0: not known
  Error reason;
};
// A record whose value lay in a file of large values, and could not be read. The new database does not hold the key.
struct LostValue {
  std::string keyspace, key;
  Error reason;
};
// Writes that were in the log only: which keys they were about is not known.
struct LostWrites {
  Sequence first = 0, last = 0;
  Error reason;
};

struct RepairReport {
  std::string source, target;
  std::vector<LostKeys> lost_keys = {};      // by keyspace
  std::vector<LostValue> lost_values = {};   // by keyspace and key
  std::vector<LostWrites> lost_writes = {};  // rising
  // Why nothing proves that what was found is all, or the newest, of any keyspace: the manifest, which says what the
  // database is, was damaged. Then erased records may be back anywhere. None: it was whole.
  std::optional<Error> manifest_damage = {};
  // What else there is to know: indexes that will be built anew, the torn end of the log, files that belong to nobody.
  std::vector<std::string> notes = {};
  std::uint64_t keyspaces = 0, indexes = 0;  // indexes are built anew when the new database is first opened for writing
  std::uint64_t records = 0, large_values = 0;
  std::uint64_t tables = 0, bytes = 0;  // files that were written, tables among them and all
  Sequence last_sequence = 0;           // of the newest write that is known of

  // Whether everything was saved.
  bool complete() const { return lost_keys.empty() && lost_values.empty() && lost_writes.empty() && !manifest_damage; }
  // For people: a line for each loss and note, with line ends.
  std::string to_string() const;
};
// One object; keys as text or, where they are none, as base64 ("key_base64").
std::string to_json(const RepairReport& report);

// Makes a database in the directory `target`, which is new or empty, of all that verifies in `source`. It exists from
// its last step on: a target that was not finished is refused by every opening (kNotADatabase), and a repair into it
// can be begun again. That something was lost is not an error: the report says so. Errors: kInvalidArgument (target not
// empty, or in a database), kLockHeld (a process has `source` open), kDatabaseNotFound, kNotADatabase,
// kFormatUnsupported (written by a newer version), kCancelled, kOutOfMemory, and those of writing.
Result<RepairReport> repair_database(const std::string& source, const std::string& target,
                                     const RepairOptions& options = {});

}  // namespace lightning
