// Error: the one taxonomy. A code's name, category and advice stand in one table.
#include "lightning/error.h"

#include <cstring>

namespace lightning {

namespace {

struct CodeFacts {
  ErrorCode code;
  std::string_view name;
  ErrorCategory category;
  std::string_view advice;
};

constexpr auto kCaller = ErrorCategory::kCallerFault;
constexpr auto kRetry = ErrorCategory::kRetryable;
constexpr auto kRecover = ErrorCategory::kRecoverable;
constexpr auto kCrit = ErrorCategory::kCritical;

constexpr CodeFacts kFacts[] = {
    {ErrorCode::kInvalidArgument, "InvalidArgument", kCaller, "correct the argument"},
    {ErrorCode::kKeyEmpty, "KeyEmpty", kCaller, "use a key of at least one byte"},
    {ErrorCode::kKeyTooLarge, "KeyTooLarge", kCaller, "use a key of at most 65536 bytes"},
    {ErrorCode::kValueTooLarge, "ValueTooLarge", kCaller, "use a value of at most 512 MiB, or split it"},
    {ErrorCode::kBatchTooLarge, "BatchTooLarge", kCaller, "split the batch: at most 1 GiB encoded"},
    {ErrorCode::kInvertedRange, "InvertedRange", kCaller, "swap the bounds: the start must not sort after the end"},
    {ErrorCode::kReadOnlyDatabase, "ReadOnlyDatabase", kCaller, "open the database for writing"},
    {ErrorCode::kConfigInvalid, "ConfigInvalid", kCaller, "correct the setting named"},
    {ErrorCode::kKeyspaceNotFound, "KeyspaceNotFound", kCaller, "create the keyspace first, or check its name"},
    {ErrorCode::kKeyspaceExists, "KeyspaceExists", kCaller, "open the existing keyspace, or choose another name"},
    {ErrorCode::kDatabaseNotFound, "DatabaseNotFound", kCaller,
     "check the path, or create the database by writing to it"},
    {ErrorCode::kDatabaseExists, "DatabaseExists", kCaller, "choose an empty directory, or open the existing database"},
    {ErrorCode::kNotADatabase, "NotADatabase", kCaller, "choose an empty directory or an existing Lightning DB store"},
    {ErrorCode::kNotSupported, "NotSupported", kCaller, "use a build that has this feature"},
    {ErrorCode::kInputMalformed, "InputMalformed", kCaller,
     "correct the input at the place named, or skip it with --on-error skip"},
    {ErrorCode::kClosed, "Closed", kCaller, "open the database again"},
    {ErrorCode::kKeyNotFound, "KeyNotFound", kCaller, "check the key and the keyspace"},
    {ErrorCode::kTransactionEnded, "TransactionEnded", kCaller, "begin another transaction"},
    {ErrorCode::kTransactionTooLarge, "TransactionTooLarge", kCaller,
     "split the transaction, or raise transaction_memory_bytes"},
    {ErrorCode::kMergeOperatorMissing, "MergeOperatorMissing", kCaller,
     "open the database with the merge operator in OpenOptions"},
    {ErrorCode::kMergeFailed, "MergeFailed", kCaller, "put or erase the key, or merge what undoes the failure"},
    {ErrorCode::kReadOnlyTransaction, "ReadOnlyTransaction", kCaller, "begin the transaction without read_only"},
    {ErrorCode::kIndexNotFound, "IndexNotFound", kCaller, "create the index first, or check its name"},
    {ErrorCode::kIndexExists, "IndexExists", kCaller, "use the existing index, or choose another name"},
    {ErrorCode::kNotUnique, "NotUnique", kCaller, "change or erase the other record first"},
    {ErrorCode::kExtractFailed, "ExtractFailed", kCaller,
     "correct the value, or create the index so that it leaves such records out"},
    {ErrorCode::kExtractorMissing, "ExtractorMissing", kCaller,
     "open the database with the extractor named, or drop the index"},
    {ErrorCode::kBackupNotFound, "BackupNotFound", kCaller, "see which there are: lightning_db backup list"},
    {ErrorCode::kLockHeld, "LockHeld", kRetry,
     "stop the process named, wait for it, or open read-only; never delete the lock file"},
    {ErrorCode::kBusy, "Busy", kRetry, "try again later"},
    {ErrorCode::kStalled, "Stalled", kRetry,
     "try again later; background work is behind: see the stalls in the statistics"},
    {ErrorCode::kCancelled, "Cancelled", kRetry, "start it again if it is still wanted"},
    {ErrorCode::kRecoveryInterrupted, "RecoveryInterrupted", kRetry, "open again: nothing was changed"},
    {ErrorCode::kConflict, "Conflict", kRetry, "run the transaction again from its start"},
    {ErrorCode::kDeadlock, "Deadlock", kRetry,
     "run the transaction again; lock keys in one order everywhere to avoid it"},
    {ErrorCode::kLockTimeout, "LockTimeout", kRetry, "try again, or raise lock_timeout; see the transaction named"},
    {ErrorCode::kTransactionExpired, "TransactionExpired", kRetry,
     "run the transaction again; keep it short, or raise its time limits"},
    {ErrorCode::kTooManyTransactions, "TooManyTransactions", kRetry,
     "try again later; end transactions that are no longer used, or raise max_active_transactions"},
    {ErrorCode::kSnapshotTooOld, "SnapshotTooOld", kRetry, "take a new snapshot and read again"},
    {ErrorCode::kIndexNotReady, "IndexNotReady", kRetry, "wait until the index is built, or take a new snapshot"},
    {ErrorCode::kIo, "Io", kRecover, "check the disk and the system log"},
    {ErrorCode::kNoSpace, "NoSpace", kRecover, "free disk space or raise the quota"},
    {ErrorCode::kPermissionDenied, "PermissionDenied", kRecover, "check owner and mode of the file named"},
    {ErrorCode::kStorageUnavailable, "StorageUnavailable", kRecover, "check that the path is mounted and accessible"},
    {ErrorCode::kInsufficientResources, "InsufficientResources", kRecover,
     "raise the limit named (for file handles: ulimit -n)"},
    {ErrorCode::kFormatUnsupported, "FormatUnsupported", kRecover, "use a newer version of Lightning DB"},
    {ErrorCode::kOutOfMemory, "OutOfMemory", kRecover, "free memory, or lower cache_size"},
    {ErrorCode::kReadOnlyMode, "ReadOnlyMode", kRecover, "remove the cause named, then open the database again"},
    {ErrorCode::kCorruption, "Corruption", kCrit, "keep the files; run lightning_db check; restore from a backup"},
    {ErrorCode::kSyncFailed, "SyncFailed", kCrit,
     "check the disk, then open again; what was not acknowledged may be lost"},
    {ErrorCode::kTableMissing, "TableMissing", kCrit,
     "put the file back from a backup or replica; do not delete anything else"},
    {ErrorCode::kTableCorrupt, "TableCorrupt", kCrit,
     "keep the files; run lightning_db check; restore the range from a backup"},
    {ErrorCode::kWalMissing, "WalMissing", kCrit, "put the log segment back from an archive or backup"},
    {ErrorCode::kWalCorrupt, "WalCorrupt", kCrit,
     "keep the files; restore from a backup; the log is never cut by itself here"},
    {ErrorCode::kManifestCorrupt, "ManifestCorrupt", kCrit, "keep the files; restore the manifest from a backup"},
    {ErrorCode::kInconsistentState, "InconsistentState", kCrit,
     "keep the directory; run lightning_db check and report it"},
    {ErrorCode::kBlobMissing, "BlobMissing", kCrit,
     "put the file back from a backup or replica; do not delete anything else"},
    {ErrorCode::kBlobCorrupt, "BlobCorrupt", kCrit,
     "keep the files; run lightning_db check; restore the values from a backup"},
    {ErrorCode::kStaleStore, "StaleStore", kCrit,
     "put the newer store in its place; to go on with the old copy, lower the generation that is asked for"},
    {ErrorCode::kBackupCorrupt, "BackupCorrupt", kCrit,
     "use another backup; lightning_db backup verify says which are whole"},
    {ErrorCode::kInternal, "Internal", kCrit, "this is a defect: please report it with the message"},
};

const CodeFacts& facts_of(ErrorCode code) {
  for (const CodeFacts& facts : kFacts)
    if (facts.code == code) return facts;
  return kFacts[std::size(kFacts) - 1];
}

}  // namespace

struct Error::Payload {
  ErrorCode code;
  WriteOutcome outcome = WriteOutcome::kNotApplied;
  std::string message, advice;
  ErrorContext context;
};

Error::Error(ErrorCode code, std::string message) : payload_(std::make_shared<Payload>(code)) {
  payload_->message = std::move(message);
}

Error::Payload& Error::own() {
  if (payload_.use_count() > 1) payload_ = std::make_shared<Payload>(*payload_);
  return *payload_;
}

Error&& Error::at_file(std::string_view path, std::uint64_t offset) && {
  Payload& payload = own();
  payload.context.file = path;
  payload.context.offset = offset;
  return std::move(*this);
}
Error&& Error::in_key_range(std::string_view range) && {
  own().context.key_range = range;
  return std::move(*this);
}
Error&& Error::with_os_error(int errno_value) && {
  own().context.os_error = errno_value;
  return std::move(*this);
}
Error&& Error::with_outcome(WriteOutcome outcome) && {
  own().outcome = outcome;
  return std::move(*this);
}
Error&& Error::with_advice(std::string_view what_to_do) && {
  own().advice = what_to_do;
  return std::move(*this);
}
Error&& Error::while_doing(std::string_view action) && {
  Payload& payload = own();
  payload.message.insert(0, std::string(action) + ": ");
  return std::move(*this);
}

ErrorCode Error::code() const { return payload_->code; }
ErrorCategory Error::category() const { return category_of(payload_->code); }
WriteOutcome Error::outcome() const { return payload_->outcome; }
const ErrorContext& Error::context() const { return payload_->context; }
const std::string& Error::message() const { return payload_->message; }
std::string_view Error::advice() const {
  return payload_->advice.empty() ? standard_advice(payload_->code) : std::string_view(payload_->advice);
}

std::string Error::to_string() const {
  std::string text = "error[LDB-" + std::to_string(static_cast<unsigned>(code())) + "] " + message();
  const ErrorContext& where = context();
  std::string place = where.file;
  if (where.offset != ErrorContext::kNoOffset)
    place += (place.empty() ? "offset " : ", offset ") + std::to_string(where.offset);
  if (!where.key_range.empty()) place += (place.empty() ? "keys " : ", keys ") + where.key_range;
  if (where.os_error != 0) place += (place.empty() ? "" : ", ") + std::string(std::strerror(where.os_error));
  if (!place.empty()) text += " (" + place + ")";
  return text + ": " + std::string(advice());
}

ErrorCategory category_of(ErrorCode code) { return facts_of(code).category; }
std::string_view name_of(ErrorCode code) { return facts_of(code).name; }
std::string_view standard_advice(ErrorCode code) { return facts_of(code).advice; }

std::string_view name_of(ErrorCategory category) {
  switch (category) {
    case ErrorCategory::kCritical:
      return "critical";
    case ErrorCategory::kRetryable:
      return "retryable";
    case ErrorCategory::kRecoverable:
      return "recoverable";
    case ErrorCategory::kCallerFault:
      return "caller";
  }
  return "unknown";
}

}  // namespace lightning
