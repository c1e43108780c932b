// ReadSet: what must be unchanged when a transaction commits: keys, and ranges with the gaps in them.
//
// Bounded: when it grows beyond its share, keys become ranges and neighbouring ranges become one. It then forbids more
// than was read, which costs conflicts that need not be, but never forgets.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <string_view>

#include "lightning/types.h"
#include "txn/key_ranges.h"
#include "txn/write_set.h"

namespace lightning::txn {

class ReadSet {
 public:
  struct Read {
    std::uint64_t hash = 0;  // key_hash
    Sequence after = 0;      // what is newer than this is a conflict
    bool for_update = false;
  };
  using Keys = std::pmr::map<WriteSet::Key, Read>;

  // The key was read at `after`; of several times the first counts.
  void add(format::KeyspaceId keyspace, std::string_view key, std::uint64_t hash, Sequence after, bool for_update);
  void add_range(format::KeyspaceId keyspace, std::string_view start, KeyRanges::End end, Sequence after);
  // Makes it smaller until it has at most `bytes`.
  void shrink_to(std::uint64_t bytes);

  const Keys* keys() const { return points_ ? &points_->keys : nullptr; }
  const KeyRanges& ranges() const { return ranges_; }
  Sequence ranges_after() const { return ranges_after_; }
  std::uint64_t bytes() const { return key_bytes_ + ranges_.bytes(); }
  bool empty() const { return keys_empty() && ranges_.empty(); }
  bool keys_empty() const { return !points_ || points_->keys.empty(); }

 private:
  struct Points {
    std::pmr::monotonic_buffer_resource arena{512};
    Keys keys{&arena};
  };
  std::unique_ptr<Points> points_;
  std::uint64_t key_bytes_ = 0;
  KeyRanges ranges_;
  Sequence ranges_after_ = ~Sequence{0};  // the lowest that any range was read at
};

}  // namespace lightning::txn
