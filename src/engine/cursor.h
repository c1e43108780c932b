// What stands behind the public Iterator: one per kind of view.
#pragma once

#include <cstdint>
#include <string_view>

#include "lightning/result.h"

namespace lightning::engine {

// As Iterator (include/lightning/iterator.h). Threads: one at a time.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool valid() const = 0;
  virtual void seek_to_first() = 0;
  virtual void seek_to_last() = 0;
  virtual void seek(std::string_view target) = 0;
  virtual void seek_for_prev(std::string_view target) = 0;
  virtual void next() = 0;
  virtual void prev() = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual std::uint64_t expires_ms() const { return 0; }  // since 1970; 0: never
  virtual Status status() const = 0;
  virtual std::uint64_t tombstones_passed() const { return 0; }
};

}  // namespace lightning::engine
