// What the shell sees: one number per kind of failure, the same in every version (man page, "Exit status").
#pragma once

#include <cstdint>

#include "lightning/error.h"

namespace lightning::cli {

enum class ExitCode : std::uint8_t {
  kOk = 0,
  kGeneral = 1,     // cancelled, or a feature this build lacks
  kUsage = 2,       // the command line itself
  kNotFound = 3,    // no such database or keyspace
  kExists = 4,      // a database or keyspace is there and was to be new
  kValidation = 5,  // keys, values, ranges, settings, imported data
  kPermission = 6,
  kIo = 7,           // disk, full disk, missing files
  kDatabase = 8,     // in use by another process, wrong version, not a database, stopped
  kTransaction = 9,  // conflicts, deadlocks, time limits of transactions
  kIntegrity = 10,   // damage found
  kKeyNotFound = 12,
  kLost = 13,      // a repair came to its end, and not everything could be saved
  kInternal = 99,  // a defect of the program
};

// Total over all codes: a new code without a place here does not compile (-Wswitch).
ExitCode exit_code_of(ErrorCode code);

}  // namespace lightning::cli
