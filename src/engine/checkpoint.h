// Checkpoint: all of the database at one sequence, held in place while somebody copies it.
//
//   LIGHTNING_ASSIGN(auto checkpoint, engine->checkpoint());
//   LIGHTNING_TRY(engine->write_out(*checkpoint, target));   // what was in memory only becomes tables, in the copy
//   ... copy the files that checkpoint->state names ...
//
// While it lives no file that it names goes away; the space of what is replaced meanwhile comes back when it ends.
// Until write_out() it keeps memtables, too. Writers wait for none of it, but for the moment in which it is taken.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/tree.h"
#include "env/file_system.h"
#include "manifest/manifest.h"

namespace lightning::engine {

class Engine;
using TreePtr = std::shared_ptr<Tree>;

// Where write_out() puts files. Functions are called from the calling thread.
struct CheckpointTarget {
  enum class Kind : std::uint8_t { kTable, kBlob };
  // A new file; its directory is the caller's to sync.
  std::function<Result<std::unique_ptr<env::WritableFile>>(Kind, format::FileNumber)> create;
  // Hears of each created file that will not be used.
  std::function<void(Kind, format::FileNumber)> discard;
  // Called now and then with bytes read; an error ends it.
  std::function<Status(std::uint64_t bytes)> progress;
};

// Threads: one at a time.
class Checkpoint {
 public:
  explicit Checkpoint(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
  ~Checkpoint();
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  Sequence sequence() const { return state.log_anchor.last_sequence; }

  manifest::Superblock superblock;  // of the store
  // What a manifest of the copy would say: complete once write_out() has succeeded. Needs no log.
  manifest::State state;
  std::uint64_t taken_ns = 0;  // wall time

 private:
  friend class Engine;
  struct Part {
    TreePtr tree;
    PinnedView view;  // until write_out()
    manifest::VersionPtr version;
    std::uint64_t records = 0;
  };
  const std::shared_ptr<Engine> engine_;
  std::vector<Part> parts_;
};

}  // namespace lightning::engine
