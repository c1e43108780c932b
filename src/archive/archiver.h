// Archiver: the thread that takes what the log says into the archive.
//
// Nothing is archived that a power cut could take back: each round syncs the log first. A file is complete and durable
// in the archive before the manifest's mark goes behind it, and the log goes only behind the mark; so what a crash
// leaves undone is done again, and there is no hole. Streamed values go before the history that refers to them. What
// fails is tried again, after pauses that grow to a minute; the statistics say why.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "archive/destination.h"
#include "archive/history_file.h"
#include "base/sync.h"
#include "engine/engine.h"

namespace lightning::archive {

// Threads: wake() and stop() from any.
class Archiver final : public engine::Engine::LogArchive {
 public:
  // Begins to archive a database that was opened for writing with an archive. kConfigInvalid if the destination belongs
  // to another history; one that cannot be reached now is tried again later.
  static Status start(engine::Engine& engine);
  explicit Archiver(engine::Engine& engine);
  ~Archiver() override { stop(); }

  void wake() override;
  // What is durable is archived, unless the last try failed; then the thread ends.
  void stop() override;

 private:
  void run();
  bool wait();  // false: this is the last round
  Status round();
  Status deliver_blobs();
  Status archive_next(engine::Engine::ArchiveWork& work);
  Result<std::optional<HistoryInfo>> find_made_before(const std::string& path,
                                                      const engine::Engine::ArchiveWork& work) const;
  Result<HistoryInfo> make(const std::string& path, const engine::Engine::ArchiveWork& work) const;
  void remove_leftovers(std::uint64_t next_file) const;

  engine::Engine& engine_;
  env::Env& env_;
  const std::unique_ptr<Destination> destination_;
  const std::string waiting_;
  ArchiveStatistics now_;  // of the thread
  std::uint64_t retry_delay_ns_ = 0;
  bool checked_ = false;

  base::Mutex mutex_{base::LockRank::kLeaf};
  base::CondVar changed_;
  bool woken_ LIGHTNING_GUARDED_BY(mutex_) = true;
  bool stopping_ LIGHTNING_GUARDED_BY(mutex_) = false;
  base::Thread thread_;
};

}  // namespace lightning::archive
