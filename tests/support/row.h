// An entry that owns its bytes: what the tests of tables and of merging keep in their models.
#pragma once

#include <string>

#include "format/entry.h"

namespace lightning::testing_support {

struct Row {
  std::string key;
  Sequence sequence = 1;
  format::EntryType type = format::EntryType::kPut;
  std::string value;
  bool operator==(const Row&) const = default;
};
inline bool operator<(const Row& a, const Row& b) {
  return format::compare_entries(a.key, a.sequence, b.key, b.sequence) < 0;
}
inline format::Entry entry_of(const Row& row) { return {row.key, row.sequence, row.type, row.value}; }

}  // namespace lightning::testing_support
