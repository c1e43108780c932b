#include "manifest/keyspace_options.h"

#include <limits>

#include "base/coding.h"

namespace lightning::manifest {

namespace {

// On disk: never reused. Below 128 a reader must understand the option; from 128 on it may skip it.
enum Option : std::uint64_t {
  kMergeOperator = 1,
  kDefaultTtl = 2,
  kBlobThreshold = 3,
  kCounted = 10,
};
constexpr std::uint64_t kFirstIgnorableOption = 128;

void append_option(std::string& to, Option option, std::string_view body) {
  base::append_varint(to, option);
  base::append_length_prefixed(to, body);
}

void append_number_option(std::string& to, Option option, std::uint64_t number) {
  std::string body;
  base::append_varint(body, number);
  append_option(to, option, body);
}

bool get_number(std::string_view body, std::uint64_t& number) { return base::get_varint(body, number) && body.empty(); }

Error malformed_option(std::string_view what) {
  return Error(ErrorCode::kManifestCorrupt, "a keyspace in the manifest has malformed options: " + std::string(what));
}

}  // namespace

std::string encode(const KeyspaceOptions& options) {
  std::string to;
  if (!options.merge_operator.empty()) append_option(to, kMergeOperator, options.merge_operator);
  if (options.default_ttl.count() > 0)
    append_number_option(to, kDefaultTtl, static_cast<std::uint64_t>(options.default_ttl.count()));
  if (options.blob_threshold) append_number_option(to, kBlobThreshold, *options.blob_threshold);
  if (options.counted) append_option(to, kCounted, {});
  return to;
}

Result<KeyspaceOptions> decode_keyspace_options(std::string_view bytes) {
  KeyspaceOptions options;
  while (!bytes.empty()) {
    std::uint64_t option = 0, number = 0;
    std::string_view body;
    if (!base::get_varint(bytes, option) || !base::get_length_prefixed(bytes, body))
      return malformed_option("an option");
    switch (option) {
      case kMergeOperator:
        options.merge_operator = body;
        break;
      case kDefaultTtl:
        if (!get_number(body, number) || number > std::numeric_limits<std::int64_t>::max())
          return malformed_option("the time to live");
        options.default_ttl = std::chrono::milliseconds(static_cast<std::int64_t>(number));
        break;
      case kBlobThreshold:
        if (!get_number(body, number)) return malformed_option("the threshold of large values");
        options.blob_threshold = number;
        break;
      case kCounted:
        if (!body.empty()) return malformed_option("whether it is counted");
        options.counted = true;
        break;
      default:
        if (option < kFirstIgnorableOption)
          return Error(ErrorCode::kFormatUnsupported,
                       "keyspace option " + std::to_string(option) + " is not known to this version");
    }
  }
  return options;
}

}  // namespace lightning::manifest
