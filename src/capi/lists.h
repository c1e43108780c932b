// Lists of what a database has, each entry a struct that later versions can add fields to.
#pragma once

#include <vector>

#include "capi/handles.h"

struct lightning_transaction_list {
  std::vector<lightning::TransactionInfo> entries;
};
struct lightning_snapshot_list {
  std::vector<lightning::SnapshotInfo> entries;
};
struct lightning_index_list {
  std::vector<lightning::IndexInfo> entries;
};

namespace lightning::capi {

// `entries(home)` is what there is.
template <class List, class Entries>
lightning_error* list_entries(const lightning_db* db, List** list, Entries&& entries) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(list, "list"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(auto found, entries(home));
    *list = new List{std::move(found)};
    return {};
  });
}

template <class List>
std::size_t length_of(const List* list) {
  return list ? list->entries.size() : 0;
}

// `for_c` makes of an entry what C sees of it; texts are those of the list.
template <class List, class Info, class ForC>
lightning_error* entry_of(const List* list, std::size_t index, Info* info, std::size_t size, ForC&& for_c) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(list, "the list"));
    LIGHTNING_TRY(required(info, "info"));
    if (index >= list->entries.size())
      return invalid("the list has " + std::to_string(list->entries.size()) + " entries, and none at " +
                     std::to_string(index));
    return fill(*info, size, for_c(list->entries[index]), sizeof(Info));
  });
}

}  // namespace lightning::capi
