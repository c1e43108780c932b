// The numbers of c.h are those of the C++ API.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "capi/errors.h"
#include "lightning/database.h"
#include "lightning/error.h"
#include "lightning/inspect.h"

namespace lightning {
namespace {

// KEY_TOO_LARGE -> KeyTooLarge
std::string camel_of(const std::string& name) {
  std::string camel;
  bool begins = true;
  for (const char c : name) {
    if (c != '_') camel += begins ? c : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    begins = c == '_';
  }
  return camel;
}

TEST(ErrorCodes, AreThoseOfTheCppApiByNumberAndName) {
  std::ifstream file(LIGHTNING_SOURCE_DIR "/include/lightning/c.h");
  std::stringstream text;
  text << file.rdbuf();
  const std::string header = text.str();
  std::map<int, std::string> in_c, in_cpp;
  static const std::regex kLine("LIGHTNING_ERROR_([A-Z_]+) = ([0-9]+)");
  for (std::sregex_iterator it(header.begin(), header.end(), kLine), end; it != end; ++it)
    in_c[std::stoi((*it)[2])] = camel_of((*it)[1]);
  for (int code = 1; code < 10'000; ++code) {
    const std::string_view name = name_of(static_cast<ErrorCode>(code));  // "Internal" for numbers that are none
    if (name != "Internal" || code == static_cast<int>(ErrorCode::kInternal)) in_cpp[code] = name;
  }
  EXPECT_GE(in_cpp.size(), 50u);
  EXPECT_EQ(in_c, in_cpp) << "each ErrorCode has its line in lightning_code, and the reverse";
}

#define SAME(c, cpp) static_assert(static_cast<int>(c) == static_cast<int>(cpp))
SAME(LIGHTNING_CATEGORY_CRITICAL, ErrorCategory::kCritical);
SAME(LIGHTNING_CATEGORY_RETRYABLE, ErrorCategory::kRetryable);
SAME(LIGHTNING_CATEGORY_RECOVERABLE, ErrorCategory::kRecoverable);
SAME(LIGHTNING_CATEGORY_CALLER_FAULT, ErrorCategory::kCallerFault);
SAME(LIGHTNING_NOT_APPLIED, WriteOutcome::kNotApplied);
SAME(LIGHTNING_APPLIED, WriteOutcome::kApplied);
SAME(LIGHTNING_OUTCOME_UNKNOWN, WriteOutcome::kUnknown);
SAME(LIGHTNING_DURABILITY_DEFAULT, Durability::kDefault);
SAME(LIGHTNING_DURABILITY_ASYNC, Durability::kAsync);
SAME(LIGHTNING_DURABILITY_SYNC, Durability::kSync);
SAME(LIGHTNING_READ_COMMITTED, Isolation::kReadCommitted);
SAME(LIGHTNING_ISOLATION_SNAPSHOT, Isolation::kSnapshot);
SAME(LIGHTNING_SERIALIZABLE, Isolation::kSerializable);
SAME(LIGHTNING_OPTIMISTIC, Concurrency::kOptimistic);
SAME(LIGHTNING_PESSIMISTIC, Concurrency::kPessimistic);
SAME(LIGHTNING_TRANSACTION_ACTIVE, TransactionState::kActive);
SAME(LIGHTNING_INDEX_BUILDING, IndexState::kBuilding);
SAME(LIGHTNING_INDEX_READY, IndexState::kReady);
SAME(LIGHTNING_INDEX_FAILED, IndexState::kFailed);
SAME(LIGHTNING_TRANSACTION_COMMITTED, TransactionState::kCommitted);
SAME(LIGHTNING_TRANSACTION_ROLLED_BACK, TransactionState::kRolledBack);
SAME(LIGHTNING_TRANSACTION_EXPIRED, TransactionState::kExpired);
SAME(LIGHTNING_TRANSACTION_UNKNOWN, TransactionState::kUnknown);
SAME(LIGHTNING_FILE_TABLE, FileKind::kTable);
SAME(LIGHTNING_FILE_LOG_SEGMENT, FileKind::kLogSegment);
SAME(LIGHTNING_FILE_MANIFEST, FileKind::kManifest);
SAME(LIGHTNING_FILE_BLOB, FileKind::kBlob);
SAME(LIGHTNING_BOTTOM_LEAVE, BottomLevel::kLeave);
SAME(LIGHTNING_BOTTOM_RECLAIM, BottomLevel::kReclaim);
SAME(LIGHTNING_BOTTOM_REWRITE, BottomLevel::kRewrite);
static_assert(LIGHTNING_NO_OFFSET == ErrorContext::kNoOffset);

TEST(Errors, CarryAllThatIsKnown) {
  const Error error = Error(ErrorCode::kTableCorrupt, "block 3 does not match its tag")
                          .at_file("orders/000007.sst", 4096)
                          .in_key_range("[a, b)")
                          .with_os_error(5)
                          .with_outcome(WriteOutcome::kUnknown);
  lightning_error* const made = capi::make_error(error);
  EXPECT_EQ(lightning_error_code(made), LIGHTNING_ERROR_TABLE_CORRUPT);
  EXPECT_EQ(lightning_error_category(made), LIGHTNING_CATEGORY_CRITICAL);
  EXPECT_EQ(lightning_error_outcome(made), LIGHTNING_OUTCOME_UNKNOWN);
  EXPECT_STREQ(lightning_error_message(made), "block 3 does not match its tag");
  EXPECT_STREQ(lightning_error_file(made), "orders/000007.sst");
  EXPECT_EQ(lightning_error_offset(made), 4096u);
  EXPECT_STREQ(lightning_error_key_range(made), "[a, b)");
  EXPECT_EQ(lightning_error_os_error(made), 5);
  EXPECT_EQ(lightning_error_advice(made), std::string(error.advice()));
  EXPECT_EQ(lightning_error_text(made), error.to_string());
  lightning_error_free(made);
}

TEST(Errors, OfNullAreThoseOfSuccess) {
  EXPECT_EQ(lightning_error_code(nullptr), LIGHTNING_OK);
  EXPECT_STREQ(lightning_error_text(nullptr), "");
  EXPECT_EQ(lightning_error_offset(nullptr), LIGHTNING_NO_OFFSET);
  lightning_error_free(nullptr);
}

TEST(Guard, LetsNoExceptionOut) {
  lightning_error* error = capi::guarded([]() -> Status { throw std::bad_alloc(); });
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(lightning_error_category(error), static_cast<int>(category_of(ErrorCode::kOutOfMemory)));
  EXPECT_NE(std::string(lightning_error_text(error)).find("LDB-3007"), std::string::npos);
  lightning_error_free(error);
  lightning_error_free(error);  // it is one for all, and stays
  error = capi::guarded([]() -> Status { throw std::length_error("too long"); });
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_OUT_OF_MEMORY);
  lightning_error_free(error);
  error = capi::guarded([]() -> Status { throw std::runtime_error("a surprise"); });
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_INTERNAL);
  EXPECT_NE(std::string(lightning_error_message(error)).find("a surprise"), std::string::npos);
  lightning_error_free(error);
  error = capi::guarded([]() -> Status { throw 7; });
  EXPECT_EQ(lightning_error_code(error), LIGHTNING_ERROR_INTERNAL);
  lightning_error_free(error);
}

}  // namespace
}  // namespace lightning
