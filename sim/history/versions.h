// Who wrote which version, which transactions count as committed, and in which order versions of a key follow.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "sim/history/check.h"
#include "sim/history/merges.h"

namespace lightning::sim::history {

using EntryIndex = std::uint32_t;
inline constexpr EntryIndex kStart = ~0u;  // wrote what was there at the start

struct Writer {
  EntryIndex entry = kStart;
  Key key = 0;
  bool final = true;  // neither overwritten nor undone by the same transaction
  bool erase = false;
};

// The versions of a key, oldest first, as far as their order is known.
struct Order {
  struct Link {
    EntryIndex writer;
    Version version;
    bool erase;
  };
  std::vector<Link> links;            // the first one: what was there at the start
  std::vector<EntryIndex> later;      // wrote later than all links, in some order
  std::vector<EntryIndex> somewhere;  // wrote it, nobody knows when: never told, but seen
};

class Versions {
 public:
  // Adds to `findings` what cannot be brought in order.
  Versions(const History& history, std::vector<Finding>& findings);

  const std::vector<const Entry*>& entries() const { return entries_; }
  // Told so, or some other transaction has seen it.
  bool committed(EntryIndex entry) const { return committed_[entry]; }
  // The last write of the entry to each key, unless undone.
  const std::map<Key, Version>& final_writes(EntryIndex entry) const { return final_writes_[entry]; }
  // What the entry made of each key, in the end; not in kSums.
  const std::map<Key, Own>& own_writes(EntryIndex entry) const { return own_writes_[entry]; }
  const Writer* writer_of(Version version) const {
    const auto found = writers_.find(version);
    return found == writers_.end() ? nullptr : &found->second;
  }
  // Whether somebody erased the key who was never told the outcome: an absence does not say whose it is.
  bool may_be_erased(Key key) const { return open_erasures_.contains(key); }
  const std::map<Key, Order>& orders() const { return orders_; }  // of every key that occurs
  // Where among the links of its key; links.size() if it is not there.
  std::size_t position(const Order& order, Version version) const;

 private:
  void collect_writes(const History& history);
  void collect_seen(const History& history);
  void order_by_sequence();
  void order_by_lists(const History& history, std::vector<Finding>& findings);

  std::vector<const Entry*> entries_;
  std::vector<bool> committed_;
  std::vector<std::map<Key, Version>> final_writes_;
  std::vector<std::map<Key, Own>> own_writes_;
  std::unordered_map<Version, Writer> writers_;
  std::map<Key, Order> orders_;
  std::unordered_map<Version, std::size_t> positions_;
  std::set<Key> open_erasures_;
};

}  // namespace lightning::sim::history
