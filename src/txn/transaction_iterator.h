// TransactionIterator: the database as the transaction sees it, with its own writes laid over.
//
// Two cursors, one over the snapshot, one over the write set. Standing: one of them is at the current key, the other
// beyond it in the direction of travel; where both have a key the own write counts, and an own erase hides the key.
// Writes made meanwhile are seen: positions in the map stay valid while keys are added, and are looked for anew after
// every edit.
//
// For a serializable transaction its way is part of what was read: from where a seek began to where the iterator stands
// now, or to the bound if it came to the end. The way is recorded when it turns, ends, or the transaction commits.
//
// Threads: one at a time, that of the transaction.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/cursor.h"
#include "engine/database_iterator.h"
#include "txn/core.h"

namespace lightning::txn {

class TransactionIterator final : public engine::Cursor {
 public:
  TransactionIterator(std::shared_ptr<Core> core, format::KeyspaceId keyspace,
                      std::unique_ptr<engine::DatabaseIterator> base);
  ~TransactionIterator() override;
  bool valid() const override { return valid_ && (on_own_ || base_->valid()) && !ended(); }
  void seek_to_first() override;
  void seek_to_last() override;
  void seek(std::string_view target) override;
  void seek_for_prev(std::string_view target) override;
  void next() override;
  void prev() override;
  std::string_view key() const override { return on_own_ ? own_->first.bytes : base_->key(); }
  std::string_view value() const override { return on_own_ ? std::string_view(own_value_) : base_->value(); }
  std::uint64_t expires_ms() const override { return on_own_ ? own_expires_ms_ : base_->expires_ms(); }
  Status status() const override;
  std::uint64_t tombstones_passed() const override { return base_->tombstones_passed(); }

  // Adds the way since the last seek or turn to what the transaction has read.
  void record_way();

 private:
  using Position = WriteSet::Map::const_iterator;
  bool ended() const { return core_->state() != TransactionState::kActive; }
  bool begin_move();  // false: the transaction has ended
  bool below_lower(std::string_view key) const { return base_->lower_bound() && key < *base_->lower_bound(); }
  bool beyond_upper(std::string_view key) const { return base_->upper_bound() && key >= *base_->upper_bound(); }
  const WriteSet::Map& map() const { return core_->writes_.map(); }
  bool own_in_keyspace(Position position) const {
    return position != map().end() && position->first.keyspace == keyspace_;
  }
  void own_from(std::string_view key, bool inclusive);   // first own key at or after
  void own_until(std::string_view key, bool inclusive);  // last own key at or before
  void find_forward();
  void find_backward();
  bool own_is_there();        // stands on it if so; or on an error
  void base_out_of_erased();  // the base cursor, out of the ranges that this transaction erased

  const std::shared_ptr<Core> core_;
  const format::KeyspaceId keyspace_;
  const std::unique_ptr<engine::DatabaseIterator> base_;
  Position own_;
  bool own_valid_ = false;
  std::uint64_t own_edits_ = 0;  // of the write set, when own_ was found
  bool valid_ = false, forward_ = true, on_own_ = false;
  std::string own_value_;
  Status own_status_;
  std::uint64_t own_expires_ms_ = 0;
  std::uint32_t steps_ = 0;

  // The way: from `way_start_` (or the first key) upwards, or from `way_end_` (or the last key) downwards.
  bool tracks_ = false, way_open_ = false;
  std::string way_start_;
  KeyRanges::End way_end_;
};

}  // namespace lightning::txn
