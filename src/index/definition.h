// What is stored of an index: its definition, and its entries (docs/format/index.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lightning/index.h"
#include "lightning/result.h"
#include "lightning/types.h"

namespace lightning::index {

struct Definition {
  // The last two are not kept in step any more: the index goes, or its entries are exchanged for none, to be built
  // anew. If that was interrupted, opening the database completes it.
  enum class State : std::uint8_t { kBuilding = 1, kReady = 2, kFailed = 3, kDropping = 4, kEmptying = 5 };
  std::string name;
  Extractor extractor;
  bool unique = false;
  OnExtractFailure on_extract_failure = OnExtractFailure::kRejectWrite;
  State state = State::kBuilding;
  Sequence ready = 0;  // complete from this sequence on
  std::string error;   // failed: why

  bool kept() const { return state == State::kBuilding || state == State::kReady; }
};

std::string encode(const Definition& definition);
// Total on hostile bytes: kManifestCorrupt, or kFormatUnsupported for what a later version may write.
Result<Definition> decode_definition(std::string_view bytes);

// --- entries: their keys hold the value and, unless the index is unique, the record's key ---------------------------

// False if the entry would be too long, or the value has no place in the order.
bool append_entry_key(std::string& to, const IndexValue& value, std::string_view record, bool unique);
// The value that the entry's bytes hold: the record's key, if the index is unique.
std::string entry_value(std::string_view record, bool unique);

struct Entry {
  IndexValue value;
  std::string_view record;
};
// None if the bytes are no entry.
std::optional<Entry> parse_entry(std::string_view key, std::string_view value, bool unique);

}  // namespace lightning::index
