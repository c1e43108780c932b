// Where the key-encryption key comes from: a file, a variable of the environment, or a command that asks for it
// elsewhere. The database never writes it anywhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/secret.h"
#include "env/file_system.h"
#include "lightning/result.h"

namespace lightning::crypto {

struct KeySource {
  enum class Kind : std::uint8_t { kFile, kEnvironment, kCommand };
  Kind kind = Kind::kFile;
  std::string where;  // path, name of the variable, or a line for /bin/sh

  // For messages: never more of a command than its first word, whose arguments may be secrets themselves.
  std::string description() const;
};

// 32 bytes as they are, 64 hexadecimal digits, or base64 of 44 characters; white space around the text does not count.
// Errors: kConfigInvalid, which tells how much there was instead; never what.
Result<Key> parse_key(std::string_view text);

// Errors: kConfigInvalid where there is no key or it cannot be one; kIo and others of the file or command; all name the
// source. A command gets `command_time_max`, and is killed then with all that it started.
Result<Key> read_key(const KeySource& source, env::FileSystem& files,
                     std::chrono::milliseconds command_time_max = std::chrono::seconds(10));

}  // namespace lightning::crypto
