// One segment as the writing side sees it: prepared, started, full, sealed, released.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/memory_budget.h"
#include "env/env.h"
#include "format/ids.h"
#include "wal/layout.h"
#include "wal/wal.h"

namespace lightning::wal::internal {

// What all segments between one open of the store and its end share.
struct Life {
  env::Env& env;
  std::string directory;
  format::Uid store_id;
  format::Epoch epoch = 0;
  std::uint64_t segment_bytes = 0;
  format::FileNumber first_segment = 0;
  base::MemoryBudget& budget;

  std::string path_of(format::FileNumber number) const { return directory + "/" + segment_name(number); }
};

class Segment {
 public:
  // A new file, or `recycled`, a released segment of the same size, under its new number. Durable at return, its name
  // too. After an error nothing usable is left under `number`; a recycled file may be gone.
  static Result<std::shared_ptr<Segment>> prepare(const Life& life, format::FileNumber number,
                                                  const std::string& recycled = {});
  Segment(const Life& life, format::FileNumber number, const format::Uid& uid, std::shared_ptr<env::LogFile> file);
  ~Segment();
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  // The log moves in. Once, by who reserves, before anybody has a place here; the block is written by write_start().
  void begin(LogPosition start, format::FileNumber previous, Sequence continues, ManifestPosition manifest);
  void write_start(Sequence durable);
  // The log moves out: constant from here on. Under the reservation lock.
  void end(std::uint64_t offset, LogPosition position, Sequence held, std::uint64_t last_order, std::uint64_t time_ns);
  // Every record is complete, and nobody stores here any more: the memory is given back. Once, by who will seal.
  void settle(bool with_digest);
  // Writes the seal and makes it durable. Settled, and every record is durable.
  Status seal(Sequence durable);
  // Gives up the mapping; nobody writes here any more. The caller drops it without the reservation lock: that takes
  // milliseconds.
  std::shared_ptr<env::LogFile> give_up_file();

  const Life& life;
  const format::FileNumber number;
  const format::Uid uid;
  const std::uint64_t seed;
  const std::uint64_t size;

  LogPosition start;
  format::FileNumber previous = 0;
  Sequence continues = 0;
  ManifestPosition manifest;

  // Null once sealed. Changed under the reservation lock; those with a ticket here need no lock, since nothing is
  // sealed before every ticket is complete.
  std::shared_ptr<env::LogFile> file;

  bool full = false;  // the fields below are set
  std::uint64_t end_offset = 0;
  LogPosition end_position;
  Sequence held = 0;              // highest sequence that a record here belongs to: a fragment counts for its commit
  std::uint64_t last_order = 0;   // of the last ticket with a place here
  std::uint64_t end_time_ns = 0;  // no commit behind it is older

  bool settled = false;  // seal() has only to be written; of the thread that seals
  std::optional<base::Digest> digest;

  std::atomic<std::uint64_t> completed_end{kHeaderPageBytes};  // records before it are whole
  std::atomic<std::uint64_t> records{0};                       // completed ones
  std::atomic<std::uint64_t> synced_end{0};                    // changed by who leads a sync

 private:
  void charge(std::int64_t bytes) const;
};

}  // namespace lightning::wal::internal
