// Records: what the keys of a keyspace hold, from all versions that could be read.
//
// The newest version of each key, with the operands above it: what every reader without a snapshot would find, and
// nothing that it would not. Erased keys are not among them. Large values stand in place of their references; where one
// cannot be read, its key is left out and told.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "format/entry.h"
#include "lightning/repair.h"
#include "salvage/large_values.h"

namespace lightning::salvage {

// Over `versions`, in entry order; the same version may come several times. Forward only, from one seek_to_first() on.
class Records final : public format::EntryIterator {
 public:
  // `report` gets what is lost, under the name of `keyspace`. All of these outlive it.
  Records(std::unique_ptr<format::EntryIterator> versions, std::string keyspace, LargeValueReader& large_values,
          RepairReport& report);

  std::uint64_t records() const { return records_; }  // keys so far
  std::uint64_t large_values() const { return large_count_; }
  Sequence newest() const { return newest_; }  // of all versions so far

  bool valid() const override { return !failure_ && !ready_.empty(); }
  const format::Entry& entry() const override { return entry_; }
  Status status() const override;
  void seek_to_first() override;
  void next() override;
  void seek(std::string_view, Sequence) override { refuse(); }
  void seek_to_last() override { refuse(); }
  void seek_for_prev(std::string_view, Sequence) override { refuse(); }
  void prev() override { refuse(); }

 private:
  struct Owned {
    Sequence sequence;
    format::EntryType type;
    std::string value;
  };

  void refuse();
  void settle();
  void gather();
  // Whether the version ends what there is to know of its key.
  bool take(const format::Entry& version);
  Status take_reference(const format::Entry& version);
  void lose(Error reason);

  const std::unique_ptr<format::EntryIterator> versions_;
  const std::string keyspace_;
  LargeValueReader& large_values_;
  RepairReport& report_;
  std::string key_;
  std::deque<Owned> ready_;  // of key_, newest first
  format::Entry entry_;      // the first of them
  bool lost_ = false;        // the key is
  std::optional<Error> failure_;
  std::uint64_t records_ = 0, large_count_ = 0;
  Sequence newest_ = 0;
};

}  // namespace lightning::salvage
