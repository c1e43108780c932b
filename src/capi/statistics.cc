// Statistics: the counters as a struct, and all there is as text.
#include "capi/handles.h"

using namespace lightning;
using namespace lightning::capi;

namespace {

struct Counter {
  uint64_t lightning_statistics::* field;
  uint64_t (*of)(const Statistics&);
};

uint64_t sum_of(const Statistics& statistics, std::uint64_t KeyspaceStatistics::* field) {
  uint64_t sum = 0;
  for (const KeyspaceStatistics& keyspace : statistics.keyspaces) sum += keyspace.*field;
  return sum;
}

#define COUNTER(field, from)                                                             \
  Counter {                                                                              \
    &lightning_statistics::field, [](const Statistics& s) -> uint64_t { return s.from; } \
  }
constexpr Counter kCounters[] = {
    COUNTER(gets, gets),
    COUNTER(get_hits, get_hits),
    COUNTER(multi_gets, multi_gets),
    COUNTER(puts, puts),
    COUNTER(erases, erases),
    COUNTER(batches, batches),
    COUNTER(seeks, seeks),
    COUNTER(scanned_entries, scanned_entries),
    COUNTER(bytes_written_by_user, bytes_written_by_user),
    COUNTER(bytes_read_by_user, bytes_read_by_user),
    COUNTER(wal_bytes, wal_bytes),
    COUNTER(wal_syncs, wal_syncs),
    COUNTER(flushes, flushes),
    COUNTER(flush_bytes, flush_bytes),
    COUNTER(compactions, compactions),
    COUNTER(compaction_bytes_read, compaction_bytes_read),
    COUNTER(compaction_bytes_written, compaction_bytes_written),
    COUNTER(cache_hits, cache_hits),
    COUNTER(cache_misses, cache_misses),
    COUNTER(transactions_committed, transactions.committed),
    COUNTER(transactions_rolled_back, transactions.rolled_back),
    COUNTER(transaction_conflicts, transactions.conflicts),
    COUNTER(transaction_deadlocks, transactions.deadlocks),
    COUNTER(transactions_active, transactions.active),
    COUNTER(last_sequence, last_sequence),
    COUNTER(live_snapshots, live_snapshots),
    COUNTER(bytes_on_disk, bytes_on_disk),
    COUNTER(memory_bytes_limit, memory.budget),
    COUNTER(damaged_tables, damaged_tables.size()),
    COUNTER(loss_window_bytes, loss_window.bytes),
    COUNTER(merges, merges),
    {&lightning_statistics::expiring_bytes,
     [](const Statistics& s) { return sum_of(s, &KeyspaceStatistics::expiring_bytes); }},
    {&lightning_statistics::expired_bytes,
     [](const Statistics& s) { return sum_of(s, &KeyspaceStatistics::expired_bytes); }},
    COUNTER(range_erases, range_erases),
    COUNTER(tombstones_passed, tombstones_passed),
    COUNTER(tables_erased, tables_erased),
    COUNTER(blob_files, blobs.files),
    COUNTER(blob_bytes, blobs.bytes),
    COUNTER(blob_live_bytes, blobs.live_bytes),
    COUNTER(blob_garbage_bytes, blobs.garbage_bytes),
    COUNTER(blob_collections, blob_collections),
    COUNTER(blob_bytes_moved, blob_bytes_moved),
    COUNTER(blob_bytes_reclaimed, blob_bytes_reclaimed),
    COUNTER(damaged_blob_files, damaged_blob_files.size()),
};
#undef COUNTER
static_assert(std::size(kCounters) * sizeof(uint64_t) == sizeof(lightning_statistics), "each field has its counter");

}  // namespace

lightning_error* lightning_read_statistics(lightning_db* db, lightning_statistics* statistics, size_t size) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_TRY(required(statistics, "statistics"));
    const Statistics now = home->database.stats();
    lightning_statistics filled;
    for (const Counter& counter : kCounters) filled.*counter.field = counter.of(now);
    return fill(*statistics, size, filled, offsetof(lightning_statistics, merges));
  });
}

lightning_error* lightning_statistics_json(lightning_db* db, char** text) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(text, "text"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    const std::string json = to_json(home->database.stats());
    *text = static_cast<char*>(allocate(json.size() + 1));
    std::memcpy(*text, json.c_str(), json.size() + 1);
    return {};
  });
}
