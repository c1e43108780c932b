// What a process is told by its surroundings: variables, and other programs. Threads: any.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "lightning/result.h"

namespace lightning::env {

// None if it is not set. Reads what the process was started with: nothing may change variables beside it.
std::optional<std::string> environment_variable(const std::string& name);

// What `command`, run by /bin/sh with nothing to read, writes to its standard output; its errors go where ours go.
// It and all that it started are killed when `time_max` has passed, or when it writes more than `output_bytes_max`.
// Errors: kIo if it cannot be started, ends with another status than 0, or was killed.
Result<std::string> run_command(const std::string& command, std::chrono::milliseconds time_max,
                                std::size_t output_bytes_max);

}  // namespace lightning::env
