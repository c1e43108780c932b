// Reads and writes of single records, batches, snapshots and iterators.
#include "capi/handles.h"

using namespace lightning;
using namespace lightning::capi;

namespace {

Result<std::optional<std::string_view>> optional_value(const lightning_bytes* value) {
  if (value == nullptr) return std::optional<std::string_view>();
  LIGHTNING_ASSIGN(const auto bytes, value_of(value->data, value->size));
  return std::optional<std::string_view>(bytes);
}

// A batch may name keyspaces of one database only: inside it they are numbers.
Result<const Keyspace*> keyspace_for(lightning_batch& batch, const lightning_keyspace* keyspace) {
  if (keyspace == nullptr) return nullptr;
  if (batch.has_home && batch.home.lock() != keyspace->home)
    return invalid("the batch has operations on keyspaces of another database");
  batch.home = keyspace->home;
  batch.has_home = true;
  return &keyspace->keyspace;
}

Result<std::string_view> value_for(const lightning_batch& batch, const void* value, std::size_t size) {
  LIGHTNING_ASSIGN(const auto bytes, value_of(value, size));
  if (batch.batch.bytes() + bytes.size() > kBatchBytesMax)
    return Error(ErrorCode::kBatchTooLarge, "with this value the batch would have more than 1 GiB");
  return bytes;
}

// Moves an iterator, and keeps what could not be said otherwise for its status.
template <class Move>
void move(lightning_iterator* iterator, Move&& move_it) {
  if (iterator == nullptr) return;
  lightning_error_free(iterator->failure);
  iterator->failure = nullptr;
  iterator->failure = guarded([&]() -> Status { return move_it(iterator->iterator); });
}

}  // namespace

lightning_error* lightning_put(lightning_db* db, const lightning_keyspace* keyspace, const void* key, size_t key_size,
                               const void* value, size_t value_size, const lightning_write_options* options) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto value_bytes, value_of(value, value_size));
    LIGHTNING_ASSIGN(const auto known, write_options_of(options));
    return home->database.put(*in, key_bytes, value_bytes, known);
  });
}

lightning_error* lightning_merge(lightning_db* db, const lightning_keyspace* keyspace, const void* key, size_t key_size,
                                 const void* operand, size_t operand_size, const lightning_write_options* options) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto operand_bytes, value_of(operand, operand_size));
    LIGHTNING_ASSIGN(const auto known, write_options_of(options));
    return home->database.merge(*in, key_bytes, operand_bytes, known);
  });
}

lightning_error* lightning_erase(lightning_db* db, const lightning_keyspace* keyspace, const void* key, size_t key_size,
                                 const lightning_write_options* options) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto known, write_options_of(options));
    return home->database.erase(*in, key_bytes, known);
  });
}

lightning_error* lightning_erase_range(lightning_db* db, const lightning_keyspace* keyspace,
                                       const lightning_bytes* start, const lightning_bytes* end,
                                       const lightning_write_options* options) {
  return guarded([&]() -> Status {
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto range, range_of(start, end));
    LIGHTNING_ASSIGN(const auto known, write_options_of(options));
    return home->database.erase_range(*in, range, known);
  });
}

lightning_error* lightning_prefix_end(const void* prefix, size_t prefix_size, void** end, size_t* end_size) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(end, "end"));
    LIGHTNING_TRY(cleared(end_size, "end_size"));
    LIGHTNING_ASSIGN(const auto bytes, key_of(prefix, prefix_size));
    if (const KeyRange range = KeyRange::of_prefix(bytes); range.end) hand_over(*range.end, *end, *end_size);
    return {};
  });
}

lightning_error* lightning_put_if_absent(lightning_db* db, const lightning_keyspace* keyspace, const void* key,
                                         size_t key_size, const void* value, size_t value_size,
                                         const lightning_write_options* options, bool* applied) {
  const lightning_bytes desired = {value, value_size};
  return lightning_compare_and_set(db, keyspace, key, key_size, nullptr, &desired, options, applied);
}

lightning_error* lightning_compare_and_set(lightning_db* db, const lightning_keyspace* keyspace, const void* key,
                                           size_t key_size, const lightning_bytes* expected,
                                           const lightning_bytes* desired, const lightning_write_options* options,
                                           bool* applied) {
  return lightning_compare_and_exchange(db, keyspace, key, key_size, expected, desired, options, applied, nullptr,
                                        nullptr, nullptr);
}

lightning_error* lightning_compare_and_exchange(lightning_db* db, const lightning_keyspace* keyspace, const void* key,
                                                size_t key_size, const lightning_bytes* expected,
                                                const lightning_bytes* desired, const lightning_write_options* options,
                                                bool* applied, void** current, size_t* current_size,
                                                uint64_t* sequence) {
  return guarded([&]() -> Status {
    if (current != nullptr) *current = nullptr;
    if (current_size != nullptr) *current_size = 0;
    if (sequence != nullptr) *sequence = 0;
    LIGHTNING_TRY(cleared(applied, "applied"));
    if (current != nullptr) LIGHTNING_TRY(required(current_size, "current_size"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto before, optional_value(expected));
    LIGHTNING_ASSIGN(const auto after, optional_value(desired));
    LIGHTNING_ASSIGN(const auto known, write_options_of(options));
    LIGHTNING_ASSIGN(const auto done, home->database.compare_and_set(*in, key_bytes, before, after, known));
    if (current != nullptr && done.current) hand_over(*done.current, *current, *current_size);
    if (sequence != nullptr) *sequence = done.sequence;
    *applied = done.applied;
    return {};
  });
}

// --- batches ---------------------------------------------------------------------------------------------------------

lightning_error* lightning_batch_create(lightning_batch** batch) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(batch, "batch"));
    *batch = new lightning_batch{};
    return {};
  });
}

lightning_error* lightning_batch_put(lightning_batch* batch, const lightning_keyspace* keyspace, const void* key,
                                     size_t key_size, const void* value, size_t value_size) {
  return lightning_batch_put_expiring(batch, keyspace, key, key_size, value, value_size, 0, 0);
}

lightning_error* lightning_batch_put_expiring(lightning_batch* batch, const lightning_keyspace* keyspace,
                                              const void* key, size_t key_size, const void* value, size_t value_size,
                                              int64_t ttl_ms, int64_t expires_at_ms) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(batch, "the batch"));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto value_bytes, value_for(*batch, value, value_size));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_for(*batch, keyspace));
    const Lifetime lifetime = lifetime_of(ttl_ms, expires_at_ms);
    if (in == nullptr) {
      batch->batch.put(key_bytes, value_bytes, lifetime);
    } else {
      batch->batch.put(*in, key_bytes, value_bytes, lifetime);
    }
    return {};
  });
}

lightning_error* lightning_batch_merge(lightning_batch* batch, const lightning_keyspace* keyspace, const void* key,
                                       size_t key_size, const void* operand, size_t operand_size) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(batch, "the batch"));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto operand_bytes, value_for(*batch, operand, operand_size));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_for(*batch, keyspace));
    if (in == nullptr) {
      batch->batch.merge(key_bytes, operand_bytes);
    } else {
      batch->batch.merge(*in, key_bytes, operand_bytes);
    }
    return {};
  });
}

lightning_error* lightning_batch_erase(lightning_batch* batch, const lightning_keyspace* keyspace, const void* key,
                                       size_t key_size) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(batch, "the batch"));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_for(*batch, keyspace));
    if (in == nullptr) {
      batch->batch.erase(key_bytes);
    } else {
      batch->batch.erase(*in, key_bytes);
    }
    return {};
  });
}

lightning_error* lightning_batch_erase_range(lightning_batch* batch, const lightning_keyspace* keyspace,
                                             const lightning_bytes* start, const lightning_bytes* end) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(batch, "the batch"));
    LIGHTNING_ASSIGN(const auto range, range_of(start, end));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_for(*batch, keyspace));
    if (in == nullptr) {
      batch->batch.erase_range(range);
    } else {
      batch->batch.erase_range(*in, range);
    }
    return {};
  });
}

size_t lightning_batch_length(const lightning_batch* batch) { return batch ? batch->batch.len() : 0; }
size_t lightning_batch_bytes(const lightning_batch* batch) { return batch ? batch->batch.bytes() : 0; }
lightning_error* lightning_batch_reserve(lightning_batch* batch, size_t bytes) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(batch, "the batch"));
    if (bytes > kBatchBytesMax) return Error(ErrorCode::kBatchTooLarge, "a batch has at most 1 GiB");
    batch->batch.reserve(bytes);
    return {};
  });
}
void lightning_batch_clear(lightning_batch* batch) {
  if (batch == nullptr) return;
  batch->batch.clear();
  batch->home.reset();
  batch->has_home = false;
}
void lightning_batch_free(lightning_batch* batch) { delete batch; }

lightning_error* lightning_write(lightning_db* db, const lightning_batch* batch, const lightning_write_options* options,
                                 uint64_t* sequence) {
  return guarded([&]() -> Status {
    if (sequence != nullptr) *sequence = 0;
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_TRY(required(batch, "the batch"));
    if (batch->has_home && batch->home.lock() != home)
      return invalid("the batch has operations on keyspaces of another database");
    LIGHTNING_ASSIGN(const auto known, write_options_of(options));
    LIGHTNING_ASSIGN(const Sequence written, home->database.write(batch->batch, known));
    if (sequence != nullptr) *sequence = written;
    return {};
  });
}

// --- reads -----------------------------------------------------------------------------------------------------------

lightning_error* lightning_get(lightning_db* db, const lightning_keyspace* keyspace, const void* key, size_t key_size,
                               const lightning_read_options* options, void** value, size_t* value_size) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(value, "value"));
    LIGHTNING_TRY(cleared(value_size, "value_size"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto known, read_options_of(home, options));
    PinnedValue found;
    LIGHTNING_TRY(home->database.get(*in, key_bytes, found, known));
    if (found.found()) hand_over(found.value(), *value, *value_size);
    return {};
  });
}

lightning_error* lightning_expires_at(lightning_db* db, const lightning_keyspace* keyspace, const void* key,
                                      size_t key_size, const lightning_read_options* options, int64_t* expires_at_ms) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(expires_at_ms, "expires_at_ms"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto known, read_options_of(home, options));
    LIGHTNING_ASSIGN(const TimeToLive lives, home->database.ttl(*in, key_bytes, known));
    *expires_at_ms = moment_of(lives.found, lives.expires_at);
    return {};
  });
}

lightning_error* lightning_multi_get(lightning_db* db, const lightning_keyspace* keyspace, const lightning_bytes* keys,
                                     size_t count, const lightning_read_options* options, lightning_values** values) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(values, "values"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto views, keys_of(keys, count));
    LIGHTNING_ASSIGN(const auto known, read_options_of(home, options));
    auto made = std::make_unique<lightning_values>(LiveHandle(home), std::vector<PinnedValue>(count));
    LIGHTNING_TRY(home->database.multi_get(*in, views, made->pinned, known));
    *values = made.release();
    return {};
  });
}

bool lightning_values_get(const lightning_values* values, size_t index, lightning_bytes* value) {
  if (value != nullptr) *value = {};
  if (values == nullptr || index >= lightning_values_count(values)) return false;
  std::optional<std::string_view> found;
  if (index < values->copies.size()) {
    found = values->copies[index];
  } else if (values->pinned[index].found()) {
    found = values->pinned[index].value();
  }
  if (!found) return false;
  if (value != nullptr) *value = {found->data() != nullptr ? found->data() : "", found->size()};
  return true;
}

size_t lightning_values_count(const lightning_values* values) {
  return values ? std::max(values->pinned.size(), values->copies.size()) : 0;
}
void lightning_values_free(lightning_values* values) { delete values; }

lightning_error* lightning_snapshot_create(lightning_db* db, const char* owner, lightning_snapshot** snapshot) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(snapshot, "snapshot"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    *snapshot =
        new lightning_snapshot{.live = LiveHandle(home), .snapshot = home->database.snapshot(owner ? owner : "")};
    return {};
  });
}

uint64_t lightning_snapshot_sequence(const lightning_snapshot* snapshot) {
  return snapshot ? snapshot->snapshot.sequence() : 0;
}
void lightning_snapshot_free(lightning_snapshot* snapshot) { delete snapshot; }

// --- iterators -------------------------------------------------------------------------------------------------------

lightning_error* lightning_iterate(lightning_db* db, const lightning_keyspace* keyspace,
                                   const lightning_iterate_options* options, lightning_iterator** iterator) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(iterator, "iterator"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto known, iterate_options_of(home, options));
    auto made = std::make_unique<lightning_iterator>(LiveHandle(home), home->database.iterate(*in, known));
    LIGHTNING_TRY(made->iterator.status());
    *iterator = made.release();
    return {};
  });
}

bool lightning_iterator_valid(const lightning_iterator* iterator) {
  return iterator && !iterator->failure && iterator->iterator.valid();
}

void lightning_iterator_seek_to_first(lightning_iterator* iterator) {
  move(iterator, [](Iterator& it) -> Status { return it.seek_to_first(), Status(); });
}
void lightning_iterator_seek_to_last(lightning_iterator* iterator) {
  move(iterator, [](Iterator& it) -> Status { return it.seek_to_last(), Status(); });
}
void lightning_iterator_seek(lightning_iterator* iterator, const void* target, size_t target_size) {
  move(iterator, [&](Iterator& it) -> Status {
    LIGHTNING_ASSIGN(const auto bytes, key_of(target, target_size));
    it.seek(bytes);
    return {};
  });
}
void lightning_iterator_seek_for_prev(lightning_iterator* iterator, const void* target, size_t target_size) {
  move(iterator, [&](Iterator& it) -> Status {
    LIGHTNING_ASSIGN(const auto bytes, key_of(target, target_size));
    it.seek_for_prev(bytes);
    return {};
  });
}
void lightning_iterator_next(lightning_iterator* iterator) {
  if (lightning_iterator_valid(iterator)) move(iterator, [](Iterator& it) -> Status { return it.next(), Status(); });
}
void lightning_iterator_prev(lightning_iterator* iterator) {
  if (lightning_iterator_valid(iterator)) move(iterator, [](Iterator& it) -> Status { return it.prev(), Status(); });
}

lightning_bytes lightning_iterator_key(const lightning_iterator* iterator) {
  if (!lightning_iterator_valid(iterator)) return {};
  return {iterator->iterator.key().data(), iterator->iterator.key().size()};
}
lightning_bytes lightning_iterator_value(const lightning_iterator* iterator) {
  if (!lightning_iterator_valid(iterator)) return {};
  const std::string_view value = iterator->iterator.value();
  return {value.data() != nullptr ? value.data() : "", value.size()};
}

int64_t lightning_iterator_expires_at(const lightning_iterator* iterator) {
  if (!lightning_iterator_valid(iterator)) return 0;
  return moment_of(true, iterator->iterator.expires_at());
}

uint64_t lightning_iterator_tombstones_passed(const lightning_iterator* iterator) {
  return iterator != nullptr ? iterator->iterator.tombstones_passed() : 0;
}

lightning_error* lightning_iterator_status(const lightning_iterator* iterator) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(iterator, "the iterator"));
    if (iterator->failure == out_of_memory()) throw std::bad_alloc();
    if (iterator->failure != nullptr) return error_of(*iterator->failure);
    return iterator->iterator.status();
  });
}
void lightning_iterator_free(lightning_iterator* iterator) { delete iterator; }
