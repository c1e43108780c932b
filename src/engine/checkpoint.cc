#include "engine/checkpoint.h"

#include <algorithm>

#include "engine/engine.h"
#include "format/merging_iterator.h"

namespace lightning::engine {

Checkpoint::~Checkpoint() {
  parts_.clear();
  engine_->collect_dropped();
}

void Engine::collect_dropped() {
  epochs_.collect();
  remove_obsolete_files();
}

// At a closed gate every sequence that was given out is in a memtable, and all memtables are sealed: they and the
// tables are the database at that sequence. The state that goes with these tables is read outside the gate, since
// edits of the manifest do I/O under its lock, and writers do not wait for I/O. If an edit came in between, which its
// new version tells, all is done once more.
Result<std::shared_ptr<Checkpoint>> Engine::checkpoint() {
  constexpr int kAttempts = 1000;
  if (closed_.load()) return Error(ErrorCode::kClosed, "the database is closed");
  auto checkpoint = std::make_shared<Checkpoint>(shared_from_this());
  bool taken = false;
  for (int attempt = 1; attempt <= kAttempts && !taken; ++attempt) {
    LIGHTNING_ASSIGN(taken, try_checkpoint(*checkpoint));
  }
  for (const Checkpoint::Part& part : checkpoint->parts_)
    if (wal_ && !part.view->sealed.empty()) schedule_flush(*part.tree);
  if (!taken) return Error(ErrorCode::kBusy, "tables changed a thousand times while they were to be held in place");
  if (!wal_ || !check_writable()) return checkpoint;
  update_pressure();
  // What the copy holds, the store itself still holds after a power cut.
  if (auto synced = wal_->sync(); !synced) {
    fail_writes(synced.error());
    return std::move(synced).error();
  }
  return checkpoint;
}

Result<bool> Engine::try_checkpoint(Checkpoint& checkpoint) {
  base::MutexLock lock(keyspaces_mutex_);
  if (closing()) return Error(ErrorCode::kClosed, "the database is closing");
  checkpoint.parts_.clear();
  checkpoint.parts_.reserve(trees_.size());
  wal::LogPosition end = log_end_;
  {
    const WriteGate::Closure closed(gate_);
    if (wal_) end = wal_->position();
    for (const auto& [name, tree] : trees_) {
      tree->seal(end);
      Checkpoint::Part part{.tree = tree, .view = tree->pin_view(), .version = nullptr, .records = tree->records()};
      part.version = part.view->version;
      checkpoint.parts_.push_back(std::move(part));
    }
  }
  // A reader knows what the log refers to, but gave none of these numbers.
  format::FileNumber beyond = 0;
  for (const Checkpoint::Part& part : checkpoint.parts_)
    for (const manifest::BlobPtr& blob : part.version->blobs) beyond = std::max(beyond, blob->meta().number + 1);
  for (format::FileNumber next = next_file_.load(); next < beyond && !next_file_.compare_exchange_weak(next, beyond);) {
  }
  base::MutexLock manifest_lock(manifest_mutex_);
  for (const Checkpoint::Part& part : checkpoint.parts_)
    if (part.tree->pin_view()->version != part.version) return false;
  checkpoint.state = state_;
  checkpoint.superblock = manifest_ ? manifest_->superblock() : superblock_;
  checkpoint.taken_ns = env_.clock.wall_ns();
  checkpoint.state.time_ms = time_.now_ms();
  checkpoint.state.log_floor = checkpoint.state.durable = end.last_sequence;
  checkpoint.state.log_anchor = end;
  return true;
}

Status Engine::write_out(Checkpoint& checkpoint, const CheckpointTarget& target) {
  using Kind = CheckpointTarget::Kind;
  for (Checkpoint::Part& part : checkpoint.parts_) {
    manifest::VersionEdit edit;
    edit.flushed.push_back({part.tree->id, checkpoint.sequence()});
    if (part.tree->counted()) edit.counts.push_back({part.tree->id, part.records});
    if (!part.view->sealed.empty()) {
      compaction::OutputOptions output = output_options(*part.tree, 0, false);
      output.create = [&]() -> Result<compaction::OutputOptions::Target> {
        compaction::OutputOptions::Target file{.number = next_file_.fetch_add(1), .uid = env_.random.uid(), .file = {}};
        LIGHTNING_ASSIGN(file.file, target.create(Kind::kTable, file.number));
        return file;
      };
      output.discard = [&](format::FileNumber number) { target.discard(Kind::kTable, number); };
      output.blobs.create = [&]() -> Result<compaction::BlobOutput::Target> {
        compaction::BlobOutput::Target file{.number = next_file_.fetch_add(1), .uid = env_.random.uid(), .file = {}};
        LIGHTNING_ASSIGN(file.file, target.create(Kind::kBlob, file.number));
        return file;
      };
      output.blobs.discard = [&](format::FileNumber number) { target.discard(Kind::kBlob, number); };
      output.progress = target.progress;
      LIGHTNING_TRY(write_sealed(checkpoint, part, output, edit));
    }
    LIGHTNING_TRY(checkpoint.state.apply(edit));
    part.view.reset();  // memtables are large
  }
  checkpoint.state.next_file = std::max(checkpoint.state.next_file, next_file_.load());
  return {};
}

Status Engine::write_sealed(Checkpoint& checkpoint, const Checkpoint::Part& part,
                            const compaction::OutputOptions& output, manifest::VersionEdit& edit) {
  std::vector<std::unique_ptr<format::EntryIterator>> sources;
  for (const MemTableSpan& span : part.view->sealed) sources.push_back(span.table->iterator());
  const std::vector<Sequence> snapshots{format::kSequenceMax};  // nobody reads the copy at an older moment
  const format::RangeTombstones erased = part.view->sealed_ranges();
  const format::RangeTombstones ranges = compaction::needed_ranges(erased, snapshots, false);
  compaction::BlobTally garbage;
  const auto input = compaction::without_erased(
      compaction::counting_references(format::merge(std::move(sources)), std::nullopt, garbage), erased, snapshots);
  LIGHTNING_ASSIGN(const auto result,
                   compaction::write_tables(*input, std::nullopt, std::nullopt, compaction::Retention(snapshots, false),
                                            output, &ranges));
  for (const sstable::TableMeta& meta : result.tables) edit.add_tables.push_back({part.tree->id, 0, meta});
  for (const blob::FileMeta& meta : result.blobs) edit.add_blobs.push_back({part.tree->id, meta});
  garbage.add(result.kept, -1);
  manifest::Version::Change unused;
  return settle_garbage(checkpoint.state, *part.tree, *part.version, garbage, edit, unused);
}

Status Engine::check_copy(const sstable::TableMeta& meta, const std::string& path,
                          const std::function<bool(std::uint64_t)>& before_read) {
  LIGHTNING_ASSIGN(const auto table, sstable::Table::open(env_, path, superblock_.store_id, meta, *cache_, budget_));
  return first_finding([&](const auto& report) { table->check(report, before_read); });
}

Status Engine::check_copy(const blob::FileMeta& meta, const std::string& path,
                          const std::function<bool(std::uint64_t)>& before_read) {
  LIGHTNING_ASSIGN(const auto file, blob::BlobFile::open(env_, path, superblock_.store_id, meta, *cache_, budget_));
  return first_finding([&](const auto& report) { file->check(report, before_read); });
}

Status Engine::first_finding(const std::function<void(const std::function<bool(const Error&)>&)>& check) {
  std::optional<Error> finding;
  check([&](const Error& error) {
    finding = error;
    return false;
  });
  if (finding) return std::move(*finding);
  return {};
}

}  // namespace lightning::engine
