// What the tests of indexes share: a database on a simulated disk, and whether its indexes say what its records say.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "lightning/index.h"
#include "txn/world.h"

namespace lightning::index {

using txn::spawn;
using txn::World;

inline const Extractor kSecondField = DelimitedField{1, ','};

inline std::string text_of(const IndexValue& value) {
  const auto* text = std::get_if<std::string>(&value.any());
  return text != nullptr ? *text : "?";
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline Pairs pairs_of(const Result<IndexPage>& page) {
  if (!page) return {{"error", std::string(name_of(page.error().code()))}};
  Pairs pairs;
  for (const IndexMatch& match : page->matches) pairs.emplace_back(text_of(match.value), match.key);
  return pairs;
}

// All of an index, page by page.
template <class Reader>
Pairs all_of(Reader& reader, const Keyspace& keyspace, const std::string& name, IndexQuery query = {},
             std::uint32_t page_size = 7) {
  Pairs all;
  query.limit = page_size;
  for (;;) {
    const auto page = reader.query_index(keyspace, name, query);
    const Pairs pairs = pairs_of(page);
    all.insert(all.end(), pairs.begin(), pairs.end());
    if (!page || page->continuation.empty()) return all;
    query.continuation = page->continuation;
  }
}

// What an index on the second field should hold.
inline Pairs expected(const Database& db, const Keyspace& keyspace, const Snapshot* at = nullptr) {
  Pairs all;
  Iterator it = db.iterate(keyspace, {.snapshot = at});
  for (it.seek_to_first(); it.valid(); it.next()) {
    const std::string_view value = it.value();
    const std::size_t comma = value.find(',');
    if (comma == std::string_view::npos) continue;
    const std::string_view rest = value.substr(comma + 1);
    all.emplace_back(rest.substr(0, rest.find(',')), it.key());
  }
  EXPECT_OK(it.status());
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace lightning::index
