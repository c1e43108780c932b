// Errors as values: what happened, where, what the caller may do about it.
//
// Every fallible call of Lightning DB returns Result<T> (result.h), whose error side is `Error`.
// An Error is one pointer wide; success allocates nothing.
//
// Threads: an Error is immutable after it was built; copies may be used from different threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lightning {

// What the caller, the engine or an operator may do about an error.
enum class ErrorCategory : std::uint8_t {
  kCritical,     // data or safety is at stake: stop using the affected range, keep the files, look
  kRetryable,    // the same call may succeed later without anyone changing anything
  kRecoverable,  // an operator (or the engine) can restore service: free space, fix permissions, reopen
  kCallerFault,  // the call itself is wrong; repeating it unchanged never helps
};

// For writes: whether the write took place. Only kNotApplied may be repeated blindly.
enum class WriteOutcome : std::uint8_t { kNotApplied, kApplied, kUnknown };

// Stable numbers, printed as "LDB-1101". 1xxx caller's fault, 2xxx retryable, 3xxx recoverable, 4xxx critical.
// lightning_code (c.h) has the same, one by one.
enum class ErrorCode : std::uint16_t {
  // 1xxx: caller's fault
  kInvalidArgument = 1001,   // an argument is outside its documented range
  kKeyEmpty = 1002,          // keys have at least one byte
  kKeyTooLarge = 1003,       // key longer than kKeyBytesMax
  kValueTooLarge = 1004,     // value longer than kValueBytesMax
  kBatchTooLarge = 1005,     // encoded batch longer than kBatchBytesMax
  kInvertedRange = 1006,     // range whose end sorts before its start
  kReadOnlyDatabase = 1007,  // write on a handle that was opened read-only
  kConfigInvalid = 1008,     // unknown setting, wrong type or range; or it contradicts the stored settings
  kKeyspaceNotFound = 1009,
  kKeyspaceExists = 1010,
  kDatabaseNotFound = 1011,      // no database at this path, and it was not to be created
  kDatabaseExists = 1012,        // a database is there and was to be new
  kNotADatabase = 1013,          // a non-empty directory, or a file, that is not a Lightning DB store
  kNotSupported = 1014,          // this build lacks the feature (names the build option)
  kInputMalformed = 1015,        // import data that cannot be parsed (names the line or offset)
  kClosed = 1016,                // call on a handle whose database was closed
  kKeyNotFound = 1017,           // only where absence is an error, as on the command line
  kTransactionEnded = 1018,      // call on a transaction that was committed or rolled back
  kTransactionTooLarge = 1019,   // a transaction's writes need more than config.transaction_memory_bytes
  kReadOnlyTransaction = 1020,   // write in a transaction that was begun read-only
  kMergeOperatorMissing = 1021,  // the keyspace's operator was not registered at open (names it)
  kMergeFailed = 1022,           // the operator cannot make a value of what is stored (names operator and key)
  kIndexNotFound = 1040,
  kIndexExists = 1041,
  kNotUnique = 1042,         // two records with the same value in a unique index (names index, value and both keys)
  kExtractFailed = 1043,     // an index cannot extract its value from a record (names index and key)
  kExtractorMissing = 1044,  // the index's extractor was not registered at open (names it)
  kBackupNotFound = 1060,    // no backup repository at this path, or no backup of this number in it
  // 2xxx: retryable
  kLockHeld = 2001,   // another process has the database open for writing
  kBusy = 2002,       // a limit on concurrent work is reached
  kStalled = 2003,    // the write waited longer than write_stall_timeout for background work
  kCancelled = 2004,  // the task was cancelled by its owner or by close
  kRecoveryInterrupted = 2005,
  kConflict = 2006,             // another transaction changed what this one relies on (names key and transaction)
  kDeadlock = 2007,             // transactions wait for each other's locks (names the cycle)
  kLockTimeout = 2008,          // another transaction kept a key locked longer than lock_timeout (names key and owner)
  kTransactionExpired = 2009,   // idle_timeout or total_timeout has passed
  kTooManyTransactions = 2010,  // max_active_transactions are active
  kSnapshotTooOld = 2011,       // the snapshot was let go because it had grown too old
  kIndexNotReady = 2020,        // the index is being built, or is younger than the snapshot
  // 3xxx: recoverable
  kIo = 3001,       // the operating system refused a read, write or metadata call
  kNoSpace = 3002,  // disk or quota full
  kPermissionDenied = 3003,
  kStorageUnavailable = 3004,     // path missing or not usable as a store
  kInsufficientResources = 3005,  // memory, file handles or threads below the need
  kFormatUnsupported = 3006,      // written by a newer version, or with an unknown feature
  kOutOfMemory = 3007,
  kReadOnlyMode = 3008,  // the engine stopped writes after an earlier failure: reopen
  // 4xxx: critical
  kCorruption = 4001,  // bytes on disk contradict their check value
  kSyncFailed = 4002,  // fsync failed: what the disk holds is unknown; never retried on that file
  kTableMissing = 4003,
  kTableCorrupt = 4004,
  kWalMissing = 4005,
  kWalCorrupt = 4006,
  kManifestCorrupt = 4007,
  kInconsistentState = 4008,  // an invariant does not hold: a bug, or damage no checksum saw
  kBlobMissing = 4009,        // a file of large values is not there
  kBlobCorrupt = 4010,
  kStaleStore = 4011,     // an older copy of the store lies where a newer one was known to be
  kBackupCorrupt = 4020,  // a backup is incomplete or was altered (names the file)
  kInternal = 4099,
};

// The part of the store an error is about. Empty fields are unknown or do not apply.
struct ErrorContext {
  std::string file;                  // path
  std::uint64_t offset = kNoOffset;  // bytes from the start of `file`
  std::string key_range;             // printable form, e.g. "[a3f0.., b211..)"; never contains values
  int os_error = 0;                  // errno
  static constexpr std::uint64_t kNoOffset = ~std::uint64_t{0};
};

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message);

  // Each returns the error with more known about it, so that they can be chained where the error is made.
  Error&& at_file(std::string_view path, std::uint64_t offset = ErrorContext::kNoOffset) &&;
  Error&& in_key_range(std::string_view range) &&;
  Error&& with_os_error(int errno_value) &&;
  Error&& with_outcome(WriteOutcome outcome) &&;
  Error&& with_advice(std::string_view what_to_do) &&;  // replaces the code's standard advice
  Error&& while_doing(std::string_view action) &&;      // prefixes the message: "opening x: ..."

  ErrorCode code() const;
  ErrorCategory category() const;
  WriteOutcome outcome() const;
  const ErrorContext& context() const;
  const std::string& message() const;  // what happened, one sentence, no trailing period
  std::string_view advice() const;     // what to do about it
  // "error[LDB-4004] message (file, offset): advice"
  std::string to_string() const;

 private:
  struct Payload;
  Payload& own();
  std::shared_ptr<Payload> payload_;
};

// Total over all codes; both have static lifetime.
ErrorCategory category_of(ErrorCode code);
std::string_view name_of(ErrorCode code);          // "TableCorrupt"
std::string_view name_of(ErrorCategory category);  // "critical"
std::string_view standard_advice(ErrorCode code);  // the fix to try first

}  // namespace lightning
