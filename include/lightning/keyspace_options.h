// What a keyspace is asked to be when it is created; kept with it from then on.
//
//   LIGHTNING_ASSIGN(auto hits, db.create_keyspace("hits", {.merge_operator = "add"}));
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace lightning {

struct KeyspaceOptions {
  // How merge() changes a value: "add", "append", "min", "max", or a name that OpenOptions registers
  // (merge_operator.h). Empty: merges are refused.
  std::string merge_operator = {};
  // How long records live that are put without a time of their own; 0: for ever. At least 0, less than 1000 years.
  // Not together with a merge operator: operands have no lifetime.
  std::chrono::milliseconds default_ttl{0};
  // Whether Database::count() is exact without a scan. Each write then looks whether its key is there already
  // (docs/decisions/0008-counts-and-indexes.md says what that costs).
  bool counted = false;

  // Size from which on values lie in blob files; none: config.blob_threshold, 0: never. Else 256 B .. 512 MiB.
  std::optional<std::uint64_t> blob_threshold = {};

  bool operator==(const KeyspaceOptions&) const = default;
};

}  // namespace lightning
