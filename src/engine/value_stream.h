// Values that come and go in pieces: what stands behind ValueWriter and ValueReader.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "blob/blob_file.h"
#include "engine/tree.h"
#include "lightning/database.h"

namespace lightning::engine {

class Engine;

// Threads: one at a time.
class ValueStream {
 public:
  ValueStream(std::shared_ptr<Engine> engine, Keyspace keyspace, std::string_view key)
      : engine_(std::move(engine)), keyspace_(std::move(keyspace)), key_(key) {}
  ~ValueStream() { discard(); }

  Status append(std::string_view bytes);
  Status commit(const WriteOptions& options);
  void discard();
  std::uint64_t size() const { return size_; }

 private:
  Status begin_file();
  Status commit_file(const WriteOptions& options);

  const std::shared_ptr<Engine> engine_;
  const Keyspace keyspace_;
  const std::string key_;
  bool ended_ = false;
  std::uint64_t size_ = 0;
  std::string buffer_;                        // all of it, as long as it is short
  std::unique_ptr<blob::BlobWriter> writer_;  // then this
};

// Threads: one at a time.
class ValueSource {
 public:
  // Of a value that is in place.
  explicit ValueSource(PinnedValue value) : value_(std::move(value)) {}
  // Of a large one, in a file that `view` keeps.
  ValueSource(std::shared_ptr<Engine> engine, PinnedView view, std::string_view key, blob::ValueCursor cursor)
      : engine_(std::move(engine)), view_(std::move(view)), key_(key), cursor_(std::move(cursor)) {}

  std::uint64_t size() const { return cursor_ ? cursor_->size() : value_.value().size(); }
  Status read(std::uint64_t offset, std::span<char> into);

 private:
  const std::shared_ptr<Engine> engine_;
  PinnedView view_;
  const std::string key_;
  std::optional<blob::ValueCursor> cursor_;
  PinnedValue value_;
};

}  // namespace lightning::engine
