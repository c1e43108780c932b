#include "crypto/key_source.h"

#include <openssl/evp.h>

#include <array>
#include <optional>

#include "env/process.h"

namespace lightning::crypto {

namespace {

constexpr std::size_t kSourceBytesMax = 4096;  // of what holds a key: more is some other file
constexpr std::size_t kBase64Chars = 44;
constexpr std::string_view kWhiteSpace = " \t\r\n";

Error no_key(const std::string& what) {
  return Error(ErrorCode::kConfigInvalid, what)
      .with_advice("give 32 random bytes, as they are, in hexadecimal or in base64: openssl rand -hex 32");
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

bool all_hex(std::string_view text) {
  for (const char c : text)
    if (!hex_digit(c)) return false;
  return true;
}

Key from_hex(std::string_view text) {
  Key key;
  for (std::size_t i = 0; i < kKeyBytes; ++i)
    key.bytes()[i] = static_cast<char>(*hex_digit(text[2 * i]) << 4 | *hex_digit(text[2 * i + 1]));
  return key;
}

std::optional<Key> from_base64(std::string_view text) {
  if (text.size() != kBase64Chars || !text.ends_with('=') || text[kBase64Chars - 2] == '=') return std::nullopt;
  std::string decoded(kKeyBytes + 1, '\0');  // OpenSSL counts the padding as a byte of zero
  const WipedAtEnd wiped(decoded);
  if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                      reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size())) != static_cast<int>(decoded.size()))
    return std::nullopt;
  return Key(decoded);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

Result<std::string> text_of(const KeySource& source, env::FileSystem& files, std::chrono::milliseconds time_max) {
  switch (source.kind) {
    case KeySource::Kind::kFile:
      return files.read_file(source.where, kSourceBytesMax);
    case KeySource::Kind::kCommand:
      return env::run_command(source.where, time_max, kSourceBytesMax);
    case KeySource::Kind::kEnvironment:
      break;
  }
  std::optional<std::string> value = env::environment_variable(source.where);
  if (!value) return no_key("the variable is not set");
  return std::move(*value);
}

}  // namespace

std::string KeySource::description() const {
  switch (kind) {
    case Kind::kFile:
      return "the file " + where;
    case Kind::kCommand:
      return "the command " + where.substr(0, where.find(' '));
    case Kind::kEnvironment:
      break;
  }
  return "the environment variable " + where;
}

Result<Key> parse_key(std::string_view text) {
  const std::string_view inner = trimmed(text);
  // 32 digits are 16 bytes that somebody took for a key; chance makes such a key of 32 bytes once in 10^34.
  if (inner.size() == kKeyBytes && all_hex(inner))
    return no_key("the key is too short: 32 hexadecimal digits are 16 bytes, a key has 32");
  if (text.size() == kKeyBytes) return Key(text);
  if (inner.size() == 2 * kKeyBytes && all_hex(inner)) return from_hex(inner);
  if (std::optional<Key> key = from_base64(inner)) return *key;
  if (inner.empty()) return no_key("the key is empty");
  return no_key("the key has the wrong size: " + std::to_string(text.size()) +
                " bytes, which are neither 32 bytes nor 64 hexadecimal digits nor base64 of 44 characters");
}

Result<Key> read_key(const KeySource& source, env::FileSystem& files, std::chrono::milliseconds command_time_max) {
  const std::string doing = "reading the key from " + source.description();
  Result<std::string> text = text_of(source, files, command_time_max);
  if (!text && text.error().code() == ErrorCode::kCorruption)  // of read_file(): larger than the limit
    return no_key("the file is larger than any key").while_doing(doing);
  if (!text) return std::move(text).error().while_doing(doing);
  const WipedAtEnd wiped(*text);
  Result<Key> key = parse_key(*text);
  if (!key) return std::move(key).error().while_doing(doing);
  return key;
}

}  // namespace lightning::crypto
