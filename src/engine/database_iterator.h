// The iterator behind the public one: from all versions of all keys to the visible version of each key within bounds.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/cursor.h"
#include "engine/resolve.h"
#include "engine/tree.h"
#include "format/entry.h"
#include "lightning/iterator.h"

namespace lightning::engine {

class Engine;

// Threads: one at a time. Keeps its engine, and the memtables and tables of its view, alive.
class DatabaseIterator final : public Cursor, private LargeValueSource {
 public:
  DatabaseIterator(std::shared_ptr<Engine> engine, format::KeyspaceId keyspace, PinnedView view, const ReadRules& rules,
                   Sequence at, const IterateOptions& options);
  explicit DatabaseIterator(Error error)
      : status_(std::move(error)), resolver_({}) {}  // an iterator that only has an error
  ~DatabaseIterator() override;

  bool valid() const override { return valid_; }
  void seek_to_first() override;
  void seek_to_last() override;
  void seek(std::string_view target) override;
  void seek_for_prev(std::string_view target) override;
  void next() override;
  void prev() override;
  std::string_view key() const override {
    return on_entry_ ? std::string_view(entries_->entry().key) : std::string_view(saved_key_);
  }
  std::string_view value() const override {
    if (large_) [[unlikely]]
      return large_value();
    if (!on_entry_) return value_;
    const std::string_view stored = entries_->entry().value;
    return {stored.data() + skip_, stored.size() - skip_};
  }
  std::uint64_t expires_ms() const override { return expires_ms_; }
  // As Held::base_expires_ms. Where next() led to.
  std::uint64_t base_expires_ms() const { return on_entry_ ? 0 : base_expires_ms_; }
  Status status() const override;
  std::uint64_t tombstones_passed() const override { return passed_ + passed_in_active_; }

  // Bounds and prefix as one: inclusive, exclusive; none: no bound.
  const std::optional<std::string>& lower_bound() const { return lower_; }
  const std::optional<std::string>& upper_bound() const { return upper_; }

 private:
  Status load(std::string_view key, std::string_view reference, std::string& value) const override;
  std::string_view large_value() const;
  void leave_large();
  bool usable();
  bool stopped();
  void find_forward(bool skip_saved_key);
  bool stand_on(const format::Entry& entry);
  bool resolve_forward();
  void find_backward();
  void stand_on_value(const Held& held);
  bool fail(Error error);
  void pass(Sequence sequence) { ++(sequence > view_->active.after ? passed_in_active_ : passed_); }
  void end_move() {
    if (passed_in_active_ != noted_) [[unlikely]]
      note_passed();
  }
  void note_passed();
  bool below_lower(std::string_view key) const { return lower_ && key < *lower_; }
  bool beyond_upper(std::string_view key) const { return upper_ && key >= *upper_; }

  std::shared_ptr<Engine> engine_;
  const format::KeyspaceId keyspace_ = format::kNoKeyspace;
  PinnedView view_;
  std::unique_ptr<const format::RangeCover> cover_;  // null: nothing is hidden
  std::unique_ptr<format::EntryIterator> entries_;
  Sequence at_ = 0;
  std::optional<std::string> lower_, upper_;
  mutable Status status_;  // of what was met where it stands

  // Forward, entries_ stands on the visible entry itself, if that alone says what the key holds; its value begins
  // behind skip_ bytes. If not, and going backward, entries_ stands behind all versions of the key that were looked at,
  // and key and value are kept here.
  mutable bool valid_ = false;
  bool forward_ = true, on_entry_ = false;
  std::size_t skip_ = 0;
  std::uint64_t expires_ms_ = 0, base_expires_ms_ = 0;
  std::string saved_key_, saved_value_;
  std::string_view value_;
  ReadRules rules_;
  Resolver resolver_;
  // The value is a reference to a blob file, read when it is asked for.
  bool large_ = false, fill_cache_ = true;
  mutable cache::Block* large_block_ = nullptr;
  mutable std::string_view large_bytes_;
  std::uint64_t scanned_ = 0, seeks_ = 0;
  // Tombstones, and entries under ranges, that stood in the way; those in the active memtable apart.
  std::uint64_t passed_ = 0, passed_in_active_ = 0;
  std::uint64_t noted_ = 0;  // of passed_in_active_, by earlier moves
};

}  // namespace lightning::engine
