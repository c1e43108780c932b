// What becomes durable about the tables: every edit of the manifest, and with it how much of the log is still needed.
#include <algorithm>

#include "base/planted_bug.h"
#include "engine/engine.h"

namespace lightning::engine {

// Makes `edit` durable and part of the state. After a failed append nobody knows what is on record: until a new
// manifest has replaced this one, every later edit fails.
Status Engine::record(const manifest::VersionEdit& edit) {
  LIGHTNING_TRY(manifest_->append(edit));
  if (auto applied = state_.apply(edit); !applied) {  // a defect: state and edit disagree
    manifest_->distrust();                            // what the edit names is on record: nobody may remove it
    return applied;
  }
  wal_->note_manifest(manifest_->position());
  return {};
}

// After an edit, without locks. What was recorded is in force whether or not this succeeds.
void Engine::roll_grown_manifest() {
  Status rolled;
  {
    base::MutexLock lock(manifest_mutex_);
    if (manifest_->failed() || !manifest_->wants_roll()) return;
    rolled = manifest_->roll(state_);
    if (rolled) wal_->note_manifest(manifest_->position());
  }
  if (!rolled) background_failed(rolled.error());
}

// Everything up to the returned sequence is in tables once the memtables of `flushing` up to `flushed_through` are. The
// order of the three steps matters: what completed before the first lies in a tree that the second lists, and in one of
// the memtables that the third looks at.
Sequence Engine::flushed_in_all(const Tree* flushing, Sequence flushed_through) const {
  Sequence floor = wal_->last_completed();
  for (const TreePtr& tree : all_trees()) {
    const PinnedView view = tree->pin_view();
    for (const MemTableSpan& span : view->sealed)
      if (!(tree.get() == flushing && span.last <= flushed_through)) floor = std::min(floor, span.after);
    if (!view->active.table->empty()) floor = std::min(floor, view->active.after);
  }
  return base::planted(base::PlantedBug::kReleaseLogTooEarly) ? wal_->last_completed() : floor;
}

Status Engine::install(Tree& tree, manifest::VersionEdit edit, manifest::Version::Change change,
                       Sequence flushed_through, const compaction::BlobTally& garbage) {
  std::vector<manifest::BlobPtr> emptied;
  Sequence floor = flushed_in_all(&tree, flushed_through);
  {
    base::MutexLock lock(manifest_mutex_);
    if (tree.dropped.load()) return Error(ErrorCode::kCancelled, "the keyspace was dropped");
    // The log is kept from its anchor on, so that the next replay meets it.
    if (edit.log_anchor && edit.log_anchor->last_sequence < state_.log_anchor.last_sequence) edit.log_anchor.reset();
    floor = std::min(floor, (edit.log_anchor ? *edit.log_anchor : state_.log_anchor).last_sequence);
    edit.log_floor = floor;
    edit.durable = wal_->last_durable();
    edit.time_ms = time_.now_ms();
    edit.next_file = next_file_.load();
    const manifest::VersionPtr version = tree.pin_view()->version;
    LIGHTNING_TRY(settle_garbage(state_, tree, *version, garbage, edit, change));
    LIGHTNING_TRY(record(edit));
    for (const manifest::BlobPtr& blob : version->blobs)
      if (std::ranges::find(change.drop_blobs, blob->meta().number) != change.drop_blobs.end()) emptied.push_back(blob);
    tree.install(version->with(change), flushed_through);
  }
  for (const manifest::BlobPtr& blob : emptied) blob->mark_obsolete();
  emptied.clear();  // the file goes when the last reader has left
  roll_grown_manifest();
  wal_->release_up_to(floor);
  epochs_.collect();
  remove_obsolete_files();
  notify_jobs();
  return {};
}

// --- a log that has grown too long --------------------------------------------------------------------------------

// The keyspace that keeps the oldest part of the log alive is flushed. If none does, only the manifest has to hear of
// it.
void Engine::seal_for_log_space() {
  TreePtr oldest;
  Sequence oldest_after = format::kSequenceMax;
  for (const TreePtr& tree : all_trees()) {
    const PinnedView view = tree->pin_view();
    if (!view->sealed.empty()) {
      if (view->sealed.back().after < oldest_after)
        oldest_after = view->sealed.back().after, oldest = nullptr;  // on its way already
    } else if (!view->active.table->empty() && view->active.after < oldest_after) {
      oldest_after = view->active.after;
      oldest = tree;
    }
  }
  if (oldest) seal(*oldest);
  if (oldest_after >= wal_->oldest_live_sequence()) schedule_log_release();
}

// The writes of dropped keyspaces lie in the log and in no memtable: no flush will ever let go of them.
void Engine::schedule_log_release() {
  if (!flush_lane_ || closing() || log_release_queued_.exchange(true)) return;
  job_started();
  flush_lane_->submit([this] { run_log_release(); });
}

void Engine::run_log_release() {
  log_release_queued_.store(false);
  if (!closing() && !writes_stopped_.load())
    if (const Status status = release_log(); !status) background_failed(status.error());
  job_ended();
}

Status Engine::release_log() {
  manifest::VersionEdit edit;
  {
    const WriteGate::Closure closed(gate_);
    edit.log_anchor = wal_->position();
  }
  if (auto synced = wal_->sync(); !synced) {
    fail_writes(synced.error());
    return synced;
  }
  const Sequence floor = std::min(flushed_in_all(nullptr, 0), edit.log_anchor->last_sequence);
  {
    base::MutexLock lock(manifest_mutex_);
    if (floor <= state_.log_floor || edit.log_anchor->last_sequence < state_.log_anchor.last_sequence) return {};
    edit.log_floor = floor;
    edit.durable = wal_->last_durable();
    edit.time_ms = time_.now_ms();
    LIGHTNING_TRY(record(edit));
  }
  roll_grown_manifest();
  wal_->release_up_to(floor);
  return {};
}

}  // namespace lightning::engine
