#include "cli/exit_code.h"

namespace lightning::cli {

ExitCode exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kKeyEmpty:
    case ErrorCode::kKeyTooLarge:
    case ErrorCode::kValueTooLarge:
    case ErrorCode::kBatchTooLarge:
    case ErrorCode::kInvertedRange:
    case ErrorCode::kConfigInvalid:
    case ErrorCode::kInputMalformed:
    case ErrorCode::kMergeOperatorMissing:
    case ErrorCode::kMergeFailed:
    case ErrorCode::kNotUnique:
    case ErrorCode::kExtractFailed:
    case ErrorCode::kExtractorMissing:
      return ExitCode::kValidation;

    case ErrorCode::kDatabaseNotFound:
    case ErrorCode::kKeyspaceNotFound:
    case ErrorCode::kIndexNotFound:
    case ErrorCode::kBackupNotFound:
      return ExitCode::kNotFound;

    case ErrorCode::kDatabaseExists:
    case ErrorCode::kKeyspaceExists:
    case ErrorCode::kIndexExists:
      return ExitCode::kExists;

    case ErrorCode::kKeyNotFound:
      return ExitCode::kKeyNotFound;

    case ErrorCode::kNotSupported:
    case ErrorCode::kCancelled:
      return ExitCode::kGeneral;

    case ErrorCode::kReadOnlyDatabase:
    case ErrorCode::kNotADatabase:
    case ErrorCode::kClosed:
    case ErrorCode::kLockHeld:
    case ErrorCode::kBusy:
    case ErrorCode::kStalled:
    case ErrorCode::kRecoveryInterrupted:
    case ErrorCode::kInsufficientResources:
    case ErrorCode::kFormatUnsupported:
    case ErrorCode::kOutOfMemory:
    case ErrorCode::kReadOnlyMode:
    case ErrorCode::kIndexNotReady:
      return ExitCode::kDatabase;

    case ErrorCode::kTransactionEnded:
    case ErrorCode::kTransactionTooLarge:
    case ErrorCode::kReadOnlyTransaction:
    case ErrorCode::kConflict:
    case ErrorCode::kDeadlock:
    case ErrorCode::kLockTimeout:
    case ErrorCode::kTransactionExpired:
    case ErrorCode::kTooManyTransactions:
    case ErrorCode::kSnapshotTooOld:
      return ExitCode::kTransaction;

    case ErrorCode::kIo:
    case ErrorCode::kNoSpace:
    case ErrorCode::kStorageUnavailable:
    case ErrorCode::kSyncFailed:
      return ExitCode::kIo;

    case ErrorCode::kPermissionDenied:
      return ExitCode::kPermission;

    case ErrorCode::kCorruption:
    case ErrorCode::kTableMissing:
    case ErrorCode::kTableCorrupt:
    case ErrorCode::kWalMissing:
    case ErrorCode::kWalCorrupt:
    case ErrorCode::kManifestCorrupt:
    case ErrorCode::kBlobMissing:
    case ErrorCode::kBlobCorrupt:
    case ErrorCode::kStaleStore:
    case ErrorCode::kBackupCorrupt:
    case ErrorCode::kInconsistentState:
      return ExitCode::kIntegrity;

    case ErrorCode::kInternal:
      return ExitCode::kInternal;
  }
  return ExitCode::kInternal;
}

}  // namespace lightning::cli
