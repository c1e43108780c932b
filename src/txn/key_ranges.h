// KeyRanges: a set of keys as disjoint ranges, per keyspace: what a serializable transaction has passed over.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "format/ids.h"

namespace lightning::txn {

// Threads: one at a time; const methods from many.
class KeyRanges {
 public:
  using End = std::optional<std::string>;                  // exclusive; none: after the last key
  using Ranges = std::map<std::string, End, std::less<>>;  // by start, inclusive
  using ByKeyspace = std::map<format::KeyspaceId, Ranges>;

  // Joins what overlaps or touches. An empty range adds nothing.
  void add(format::KeyspaceId keyspace, std::string_view start, End end);
  bool contains(format::KeyspaceId keyspace, std::string_view key) const;
  // Whether any key may lie in both; `end` empty: no end.
  bool overlaps(format::KeyspaceId keyspace, std::string_view start, std::string_view end) const;
  // Adds all of `other`.
  void add(const KeyRanges& other);
  // Joins neighbours across gaps until at most `count` ranges are left in each keyspace: the set only grows.
  void coarsen(std::size_t count);
  bool empty() const { return by_keyspace_.empty(); }
  std::size_t count() const;
  std::uint64_t bytes() const { return bytes_; }  // of memory, about
  const ByKeyspace& by_keyspace() const { return by_keyspace_; }

  // The smallest string after `key`: the exclusive end of a range whose last key is `key`.
  static std::string after(std::string_view key) {
    std::string end(key);
    end.push_back('\0');
    return end;
  }

 private:
  static std::uint64_t bytes_of(std::string_view start, const End& end) {
    return 160 + start.size() + (end ? end->size() : 0);
  }
  ByKeyspace by_keyspace_;
  std::uint64_t bytes_ = 0;
};

}  // namespace lightning::txn
