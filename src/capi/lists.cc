// Who is at work: transactions and snapshots.
#include "capi/lists.h"

using namespace lightning;
using namespace lightning::capi;

namespace {

lightning_transaction_info transaction_for_c(const TransactionInfo& transaction) {
  return {.id = transaction.id,
          .owner = transaction.owner.c_str(),
          .isolation = static_cast<std::int32_t>(transaction.isolation),
          .concurrency = static_cast<std::int32_t>(transaction.concurrency),
          .read_only = transaction.read_only,
          .age_ms = transaction.age.count(),
          .idle_ms = transaction.idle.count(),
          .snapshot = transaction.snapshot,
          .writes_since = transaction.writes_since,
          .pinned_bytes = transaction.pinned_bytes,
          .bytes = transaction.bytes,
          .locks = transaction.locks,
          .waits_for = transaction.waits_for.c_str()};
}

lightning_snapshot_info snapshot_for_c(const SnapshotInfo& snapshot) {
  return {.sequence = snapshot.sequence,
          .owner = snapshot.owner.c_str(),
          .transaction = snapshot.transaction,
          .age_ms = snapshot.age.count(),
          .writes_since = snapshot.writes_since,
          .pinned_bytes = snapshot.pinned_bytes};
}

}  // namespace

lightning_error* lightning_list_transactions(lightning_db* db, lightning_transaction_list** list) {
  return list_entries(
      db, list, [](const auto& home) -> Result<std::vector<TransactionInfo>> { return home->database.transactions(); });
}
size_t lightning_transaction_list_length(const lightning_transaction_list* list) { return length_of(list); }
lightning_error* lightning_transaction_list_get(const lightning_transaction_list* list, size_t index,
                                                lightning_transaction_info* info, size_t size) {
  return entry_of(list, index, info, size, transaction_for_c);
}
void lightning_transaction_list_free(lightning_transaction_list* list) { delete list; }

lightning_error* lightning_list_snapshots(lightning_db* db, lightning_snapshot_list** list) {
  return list_entries(db, list,
                      [](const auto& home) -> Result<std::vector<SnapshotInfo>> { return home->database.snapshots(); });
}
size_t lightning_snapshot_list_length(const lightning_snapshot_list* list) { return length_of(list); }
lightning_error* lightning_snapshot_list_get(const lightning_snapshot_list* list, size_t index,
                                             lightning_snapshot_info* info, size_t size) {
  return entry_of(list, index, info, size, snapshot_for_c);
}
void lightning_snapshot_list_free(lightning_snapshot_list* list) { delete list; }
