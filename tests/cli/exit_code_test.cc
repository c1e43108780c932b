#include "cli/exit_code.h"

#include <gtest/gtest.h>

namespace lightning::cli {
namespace {

// The numbers are a promise to scripts: this table is the man page's.
TEST(ExitCode, EveryErrorCodeHasItsNumber) {
  const std::pair<ErrorCode, int> table[] = {
      {ErrorCode::kInvalidArgument, 5},
      {ErrorCode::kKeyEmpty, 5},
      {ErrorCode::kKeyTooLarge, 5},
      {ErrorCode::kValueTooLarge, 5},
      {ErrorCode::kBatchTooLarge, 5},
      {ErrorCode::kInvertedRange, 5},
      {ErrorCode::kReadOnlyDatabase, 8},
      {ErrorCode::kConfigInvalid, 5},
      {ErrorCode::kKeyspaceNotFound, 3},
      {ErrorCode::kKeyspaceExists, 4},
      {ErrorCode::kDatabaseNotFound, 3},
      {ErrorCode::kDatabaseExists, 4},
      {ErrorCode::kNotADatabase, 8},
      {ErrorCode::kNotSupported, 1},
      {ErrorCode::kInputMalformed, 5},
      {ErrorCode::kClosed, 8},
      {ErrorCode::kKeyNotFound, 12},
      {ErrorCode::kLockHeld, 8},
      {ErrorCode::kBusy, 8},
      {ErrorCode::kStalled, 8},
      {ErrorCode::kCancelled, 1},
      {ErrorCode::kRecoveryInterrupted, 8},
      {ErrorCode::kIo, 7},
      {ErrorCode::kNoSpace, 7},
      {ErrorCode::kPermissionDenied, 6},
      {ErrorCode::kStorageUnavailable, 7},
      {ErrorCode::kInsufficientResources, 8},
      {ErrorCode::kFormatUnsupported, 8},
      {ErrorCode::kOutOfMemory, 8},
      {ErrorCode::kReadOnlyMode, 8},
      {ErrorCode::kCorruption, 10},
      {ErrorCode::kSyncFailed, 7},
      {ErrorCode::kTableMissing, 10},
      {ErrorCode::kTableCorrupt, 10},
      {ErrorCode::kWalMissing, 10},
      {ErrorCode::kWalCorrupt, 10},
      {ErrorCode::kManifestCorrupt, 10},
      {ErrorCode::kInconsistentState, 10},
      {ErrorCode::kBlobMissing, 10},
      {ErrorCode::kBlobCorrupt, 10},
      {ErrorCode::kBackupNotFound, 3},
      {ErrorCode::kBackupCorrupt, 10},
      {ErrorCode::kInternal, 99},
  };
  for (const auto& [code, number] : table) EXPECT_EQ(static_cast<int>(exit_code_of(code)), number) << name_of(code);
}

}  // namespace
}  // namespace lightning::cli
