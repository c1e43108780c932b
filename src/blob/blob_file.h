// BlobFile: a sealed file of large values, read by reference. docs/format/blob.md.
//
// A value is reached through the reference that a table or the log holds: it says where the record lies in the file it
// was first written to, and its tag, which covers the record through the tags of its chunks. Files that hold moved
// records keep a small map in memory from a record's id to its present place.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory_budget.h"
#include "blob/blob_writer.h"
#include "blob/layout.h"
#include "cache/block_cache.h"
#include "env/env.h"
#include "env/open_files.h"

namespace lightning::blob {

// Records up to this size, a value of 1 MiB and what frames it among them, are read at once and kept in the cache;
// larger ones are read chunk by chunk and are not.
inline constexpr std::uint64_t kCachedRecordBytesMax = (1 << 20) + (64 << 10);

class BlobFile {
 public:
  // Verifies size, header, footer (against meta.root), that uid and store id are the expected ones, and the index of a
  // file of moved records. Errors: kBlobMissing, kBlobCorrupt (file, offset, what), kFormatUnsupported, kIo.
  static Result<std::shared_ptr<BlobFile>> open(env::Env& env, const std::string& path, const format::Uid& store_id,
                                                const FileMeta& meta, cache::BlockCache& cache,
                                                base::MemoryBudget& budget, env::OpenFiles* pool = nullptr);
  // A file of its own records of which header, footer or index are damaged: a record that is named by a reference needs
  // none of them, and is verified against the reference. For salvage; only reads by reference give anything.
  static Result<std::shared_ptr<BlobFile>> open_records(env::Env& env, const std::string& path,
                                                        format::FileNumber number, cache::BlockCache& cache,
                                                        base::MemoryBudget& budget, env::OpenFiles* pool = nullptr);
  // In place of one whose header, footer or index is damaged: whatever would read it answers with the damage.
  static std::shared_ptr<BlobFile> unreadable(const std::string& path, const FileMeta& meta, const Error& damage,
                                              cache::BlockCache& cache, base::MemoryBudget& budget);
  ~BlobFile();

  // The value's block if it is in the cache. The caller is inside a guard of the cache's epoch domain, and uses it only
  // there, or pins it.
  cache::Block* find_cached(const Reference& reference) const;
  // Where the value lies in a block that find_cached() or read() gave for this reference.
  static std::string_view value_in(const cache::Block& block, std::string_view key, const Reference& reference);

  // A block, pinned, that holds the verified value. With `fill`, a value that is not too large enters the cache.
  // Errors: kBlobCorrupt, kBlobMissing, kIo, kOutOfMemory. Not inside a guard.
  Result<cache::Block*> read(std::string_view key, const Reference& reference, bool fill) const;
  // The same for many, with the reads in flight together.
  struct Load {
    std::string_view key;
    const Reference* reference = nullptr;
    Result<cache::Block*> block = nullptr;
  };
  void read_many(std::span<Load> loads, bool fill) const;
  // The verified value in `into`, which has its size. In bounded memory beside it.
  Status read_into(std::string_view key, const Reference& reference, std::span<char> into) const;

  // Every record in file order, from the verified index. Errors as read(), and those of `visit`.
  Status for_each(const std::function<Status(const IndexEntry&)>& visit) const;
  // The key of the record that lies there.
  Result<std::string> key_of(const IndexEntry& entry) const;
  // Verifies the record, against `reference` too if there is one, and hands out its stored bytes piece by piece.
  Status copy_record(const IndexEntry& entry, const Reference* reference,
                     const std::function<Status(std::string_view)>& take) const;

  // Reads and verifies every record, and the index. Each finding is given to `report`; returns false if it said stop,
  // or `before_read`(bytes) did.
  bool check(const std::function<bool(const Error&)>& report,
             const std::function<bool(std::uint64_t)>& before_read) const;

  const FileMeta& meta() const { return meta_; }
  const std::string& path() const { return path_; }
  const std::optional<Error>& damage() const { return damage_; }  // of an unreadable() one
  std::uint64_t created_ns() const { return footer_.created_ns; }

 private:
  friend class ValueCursor;
  BlobFile(std::string path, std::unique_ptr<env::RandomAccessFile> file, const FileMeta& meta,
           cache::BlockCache& cache, base::MemoryBudget& budget);
  Status load();
  Status load_map();
  Error placed(Error error, std::uint64_t offset) const;
  Status read_bytes(std::uint64_t offset, std::span<char> into) const;
  Result<std::string> read_index() const;
  Status check_entry(const IndexEntry& entry, std::uint64_t& end) const;
  // The record's place: its number in this file, and its offset.
  struct Place {
    std::uint64_t number = 0, offset = 0;
  };
  Result<Place> locate(const Reference& reference) const;
  Result<Place> checked_place(std::string_view key, const Reference& reference) const;
  cache::BlockSlot* slot(std::uint64_t number) const;
  // Verifies the record in `record`; gives the block that holds its value. Takes over `record`.
  Result<cache::Block*> open_record(cache::Block* record, std::string_view key, const Reference& reference) const;
  Result<cache::Block*> keep(cache::Block* block, const Place& place, bool fill) const;
  Result<RecordShape> read_shape(std::string_view key, const Reference& reference, std::uint64_t offset) const;
  Result<RecordShape> read_shape(const IndexEntry& entry) const;
  // One chunk of a record at `offset`, verified, its stored bytes in `stored`; `at_chunk`: from the record's start.
  Status read_chunk(const RecordShape& shape, std::uint64_t index, std::uint64_t offset, std::span<char> stored) const;

  const std::string path_;
  const std::unique_ptr<env::RandomAccessFile> file_;
  const FileMeta meta_;
  cache::BlockCache& cache_;
  base::MemoryBudget& budget_;
  Footer footer_;
  std::optional<Error> damage_;

  // Of moved records: for each origin, from which place on, and of all records, number there and offset here.
  struct Group {
    format::FileNumber origin = 0;
    std::uint64_t begin = 0;
  };
  std::vector<Group> groups_;
  std::vector<std::uint32_t> ordinals_, offsets_;          // offsets in units of kAlignment
  mutable std::atomic<cache::BlockSlot*> slots_{nullptr};  // made by the first read that fills the cache
};

// Reads one value piece by piece, keeping one chunk. Threads: one at a time. Keeps neither the file nor its name alive.
class ValueCursor {
 public:
  static Result<ValueCursor> open(const BlobFile& file, std::string_view key, const Reference& reference);
  std::uint64_t size() const { return shape_.value_bytes; }
  // Fills `into` with the verified bytes from `offset` on: offset + into.size() <= size().
  Status read(std::uint64_t offset, std::span<char> into);

 private:
  ValueCursor(const BlobFile& file, RecordShape shape, std::uint64_t offset);
  const BlobFile* file_;
  RecordShape shape_;
  std::uint64_t offset_ = 0;           // of the record
  std::vector<std::uint64_t> chunks_;  // offset of each chunk from the record's start
  std::string stored_, raw_;
  std::uint64_t have_ = ~std::uint64_t{0};  // the chunk that raw_ holds
};

// What a blob file says about itself, where no manifest vouches for it: for inspection and salvage, and for files that
// only the log refers to. Errors: as BlobFile::open.
struct Description {
  FileMeta meta;
  format::Uid store_id;
};
Result<Description> describe(env::Env& env, const std::string& path);
// Whether the file was ever completed: whether it has a header and a footer that belong together.
Result<bool> is_complete(env::Env& env, const std::string& path);

}  // namespace lightning::blob
