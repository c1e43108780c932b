// The engine's part in archiving the log (src/archive has the rest): what there is to archive, the log held back until
// that is done, and links to the files that the log refers to.
//
// The archive's mark in the manifest says up to where it has everything. Segments with records behind the mark stay in
// the log's directory, those of earlier lives, too. Files of streamed values get a second name in the directory
// `archive` before the log may refer to them, so that no flush or collection takes them away. Changes of keyspaces wait
// in the manifest, in the edit that makes them.
#include <algorithm>

#include "engine/engine.h"
#include "engine/history.h"
#include "engine/recovery.h"

namespace lightning::engine {

namespace {

// Of a change that may have happened already: what is new of it.
void leave_out_known(const manifest::State& state, manifest::VersionEdit& change) {
  std::erase_if(change.add_keyspaces, [&](const auto& add) { return add.id < state.next_keyspace; });
  std::erase_if(change.drop_keyspaces, [&](format::KeyspaceId id) { return !state.keyspaces.contains(id); });
  const auto there = [&](format::KeyspaceId id) {
    return state.keyspaces.contains(id) ||
           std::ranges::any_of(change.add_keyspaces, [&](const auto& add) { return add.id == id; });
  };
  std::erase_if(change.attach, [&](const auto& attach) { return !there(attach.keyspace) || !there(attach.owner); });
}

}  // namespace

// Before the commit point of an opening.
void Engine::begin_archiving(Recovery& recovery) {
  auto& mark = state_.archive;
  if (!archives()) {
    if (!mark || !mark->on) return;
    recovery.note(RecoveryNote::Kind::kWarning,
                  "the database is opened without its archive, whose history ends at sequence " +
                      std::to_string(mark->position.last_sequence) +
                      "; after archiving was begun again, make a new backup");
    mark->on = false;
    state_.changes.clear();
    return;
  }
  if (mark && mark->on) return;
  // A number is left out where history is: a file behind the gap does not look as if it followed.
  const std::uint64_t next_file = mark ? mark->next_file + 1 : 1;
  mark = manifest::VersionEdit::ArchiveMark{.on = true, .next_file = next_file, .position = log_end_};
  state_.changes.clear();
}

// After the log was created. What earlier lives left stays as long as the archive needs it.
Status Engine::hold_log_for_archive() {
  if (!archives()) return wal_->remove_older_segments();
  manifest::VersionEdit::ArchiveMark mark;
  {
    base::MutexLock lock(manifest_mutex_);
    mark = *state_.archive;
  }
  show_archived(mark);
  const Sequence archived = mark.position.last_sequence;
  LIGHTNING_TRY(env_.files.create_directories(paths_.archive()));
  wal_->keep_behind(archived);
  if (archived >= log_end_.last_sequence) return wal_->remove_older_segments();
  older_segments_stay_.store(true);
  return {};
}

// What was done to keyspaces is said to the archive in the same edit. The sequence is taken under the manifest's lock:
// whoever copies the list later, having looked how far the log is durable before, misses none at or before that.
void Engine::tell_archive(manifest::VersionEdit& edit) {
  if (!state_.archive || !state_.archive->on) return;
  const manifest::VersionEdit change{
      .add_keyspaces = edit.add_keyspaces, .drop_keyspaces = edit.drop_keyspaces, .attach = edit.attach};
  edit.changes.push_back({.after = wal_->last_reserved(), .time_ns = env_.clock.wall_ns(), .edit = change.encode()});
}

// The file is synced, and its name will be before anything refers to it.
Status Engine::keep_for_archive(format::FileNumber blob) {
  if (!archives()) return {};
  const std::string path = paths_.blob(blob);
  const std::string kept = paths_.archive() + path.substr(paths_.blobs().size());
  const Status linked = env_.files.link(path, kept);
  if (!linked)
    return Error(linked.error())
        .while_doing("keeping a streamed value for the archive")
        .with_advice("archiving needs a file system with hard links");
  return env_.files.sync_directory(paths_.archive());
}

// A commit reads the clock inside the gate: what reads it after this moment has a place behind what is synced here.
Result<Engine::ArchiveWork> Engine::archive_work() {
  ArchiveWork work;
  {
    const WriteGate::Closure closed(gate_);
    work.known_until_ns = env_.clock.wall_ns();
  }
  if (auto synced = wal_->sync(); !synced) {
    fail_writes(synced.error());
    return std::move(synced).error();
  }
  work.durable = wal_->last_durable();
  base::MutexLock lock(manifest_mutex_);
  work.mark = *state_.archive;
  work.changes = state_.changes;
  work.epoch = state_.epoch;
  return work;
}

Status Engine::read_log(wal::LogPosition from, const std::function<Status(const wal::RecoveredCommit&)>& visit) {
  wal::ReplayOptions options;
  options.start = from.last_sequence;
  options.anchor = from;
  LIGHTNING_TRY(wal::replay(env_, paths_.wal(), superblock_.store_id, options, visit));
  return {};
}

Status Engine::note_archived(const manifest::VersionEdit::ArchiveMark& mark) {
  manifest::VersionEdit edit;
  edit.archive = mark;
  Status recorded;
  {
    base::MutexLock lock(manifest_mutex_);
    recorded = record(edit);
  }
  if (!recorded) {
    background_failed(recorded.error());
    return recorded;
  }
  show_archived(mark);
  roll_grown_manifest();
  wal_->keep_behind(mark.position.last_sequence);
  update_pressure();
  if (mark.position.last_sequence < log_end_.last_sequence || !older_segments_stay_.load()) return {};
  LIGHTNING_TRY(wal_->remove_older_segments());
  older_segments_stay_.store(false);
  return {};
}

void Engine::show_archived(const manifest::VersionEdit::ArchiveMark& mark) {
  base::MutexLock lock(jobs_mutex_);
  archive_state_.on = true;
  archive_state_.last_sequence = mark.position.last_sequence;
  archive_state_.next_file = mark.next_file;
}

void Engine::note_archive_state(const ArchiveStatistics& now) {
  base::MutexLock lock(jobs_mutex_);
  archive_state_.files = now.files;
  archive_state_.bytes = now.bytes;
  archive_state_.failures = now.failures;
  archive_state_.error = now.error;
}

void Engine::add_archive_statistics(Statistics& stats) {
  base::MutexLock lock(jobs_mutex_);
  stats.archive = archive_state_;
  if (wal_ && stats.archive.on) stats.archive.backlog_bytes = wal_->kept_bytes();
}

// Writers wait while more of the log waits for its archiving than may.
bool Engine::archive_is_behind() const {
  return archives() && config_.archive_backlog_max != 0 && wal_ && wal_->kept_bytes() > config_.archive_backlog_max;
}

// The log went on into another segment.
void Engine::log_has_grown() {
  if (wal_->live_bytes() >= config_.wal_bytes_max) seal_for_log_space();
  if (!log_archive_) return;
  log_archive_->wake();
  if (config_.archive_backlog_max != 0) update_pressure();
}

// --- bringing a database forward ------------------------------------------------------------------------------------

Status Engine::apply_change(manifest::VersionEdit change, Sequence at) {
  base::MutexLock lock(keyspaces_mutex_);
  base::MutexLock manifest_lock(manifest_mutex_);
  leave_out_known(state_, change);
  std::vector<std::string> dropped;
  dropped.reserve(change.drop_keyspaces.size());
  for (const format::KeyspaceId id : change.drop_keyspaces) dropped.push_back(state_.keyspaces[id].name);  // is there
  LIGHTNING_TRY(state_.apply(change));
  for (const std::string& name : dropped) {
    const auto tree = trees_.find(name);
    if (tree == trees_.end()) continue;
    const PinnedView view = tree->second->pin_view();
    for (const auto& level : view->version->levels)
      for (const manifest::TablePtr& table : level) table->mark_obsolete();
    for (const manifest::BlobPtr& blob : view->version->blobs) blob->mark_obsolete();
    trees_.erase(tree);
  }
  for (const auto& add : change.add_keyspaces) {
    auto tree = std::make_shared<Tree>(add.id, add.name, add.options, epochs_, budget_,
                                       std::make_shared<manifest::Version>(), at);
    tree->merge_operator = merge_operators_.find(add.options.merge_operator);
    trees_.emplace(add.name, std::move(tree));
  }
  publish_tree_table();
  return {};
}

Status Engine::apply_history(Recovery& recovery) {
  History& history = *tuning_.history;
  const std::uint64_t bytes = history.bytes();
  std::uint64_t done = 0, commits = 0;
  Sequence at = log_end_.last_sequence;
  LIGHTNING_ASSIGN(log_end_, history.read(
                                 log_end_,
                                 [&](const wal::RecoveredCommit& commit) -> Status {
                                   done += commit.payload.size();
                                   ++commits;
                                   LIGHTNING_TRY(recovery.progress(done, bytes));
                                   LIGHTNING_TRY(apply_commit(commit));
                                   at = commit.last_sequence();
                                   return {};
                                 },
                                 [&](const manifest::VersionEdit& change) { return apply_change(change, at); }));
  epochs_.collect();
  recovery.looked_at(commits, done,
                     std::to_string(commits) + " commits of the archive, up to sequence " +
                         std::to_string(log_end_.last_sequence) + ", " + std::to_string(done) + " bytes");
  return {};
}

}  // namespace lightning::engine
