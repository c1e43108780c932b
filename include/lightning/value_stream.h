// Large values in pieces, in bounded memory: for files, images, whatever is not wanted in one string.
//
//   LIGHTNING_ASSIGN(ValueWriter writer, db.put_stream("film"));
//   while (...) LIGHTNING_TRY(writer.append(piece));
//   LIGHTNING_TRY(writer.commit());
//
//   LIGHTNING_ASSIGN(auto reader, db.get_stream("film"));
//   if (reader) LIGHTNING_TRY(reader->read(offset, into));
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "lightning/result.h"
#include "lightning/types.h"
#include "lightning/write_options.h"

namespace lightning {

namespace engine {
class ValueSource;
class ValueStream;
}  // namespace engine

// One value on its way in. Nobody sees it before commit(), and nothing of it is left without.
//
// Up to 1 MiB is kept in memory and committed as put() would. What is longer goes into a file of its own as it comes;
// commit() makes the file durable and then writes the key, so that the log never refers to what a power cut might take.
//
// Threads: one at a time. Lifetime: destroy before its database closes.
class ValueWriter {
 public:
  ValueWriter(ValueWriter&&) noexcept;
  ValueWriter& operator=(ValueWriter&&) noexcept;
  ~ValueWriter();  // as discard()

  // The next bytes, as many as there are. Errors: kValueTooLarge beyond 512 MiB, kNoSpace, kIo; after one of them only
  // discard() makes sense. kInvalidArgument after commit() or discard().
  Status append(std::string_view bytes);
  // Makes it the key's value, as put() does, with the same errors. Once.
  Status commit(const WriteOptions& options = {});
  void discard();
  std::uint64_t size() const;  // bytes appended so far

 private:
  friend class Database;
  explicit ValueWriter(std::unique_ptr<engine::ValueStream> impl);
  std::unique_ptr<engine::ValueStream> impl_;
};

// The value of one key at one moment, whatever is written later. Keeps one chunk of 128 KiB in memory, or pins a value
// that is not large.
//
// Threads: one at a time. Lifetime: destroy before its database closes; it pins files and memtables, as an iterator.
class ValueReader {
 public:
  ValueReader(ValueReader&&) noexcept;
  ValueReader& operator=(ValueReader&&) noexcept;
  ~ValueReader();

  std::uint64_t size() const;
  // Fills `into` with the bytes from `offset` on, verified: offset + into.size() <= size(), else kInvalidArgument.
  // Errors: kBlobCorrupt, kBlobMissing, kIo.
  Status read(std::uint64_t offset, std::span<char> into);

 private:
  friend class Database;
  explicit ValueReader(std::unique_ptr<engine::ValueSource> impl);
  std::unique_ptr<engine::ValueSource> impl_;
};

}  // namespace lightning
