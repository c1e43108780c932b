// What damage of one file means for the rest. By itself it stops what would read it (note_damage); whether it stops
// more than that, and whether the store is opened with it at all, is configured.
#include "engine/engine.h"

namespace lightning::engine {

base::TagAlgorithm Engine::tag_algorithm() const {
  switch (config_.checksum_algorithm) {
    case ChecksumAlgorithm::kXxh3:
      return base::TagAlgorithm::kXxh3;
    case ChecksumAlgorithm::kBlake3:
      return base::TagAlgorithm::kBlake3;
    case ChecksumAlgorithm::kAuto:
      break;
  }
  return config_.integrity_validation_level == IntegrityLevel::kBasic ? base::TagAlgorithm::kXxh3
                                                                      : base::TagAlgorithm::kBlake3;
}

// The first one that is met stops writes, or all, until the store is opened again: somebody has to look.
void Engine::act_on_damage(const Error& damage) {
  if (config_.corruption_action == CorruptionAction::kIsolate || first_damage_.damaged()) return;
  first_damage_.mark_damaged(damage);
  const bool halts = config_.corruption_action == CorruptionAction::kHalt;
  if (halts) {
    halted_.store(true, std::memory_order_release);
    out_of_use_.store(true, std::memory_order_release);
  }
  base::MutexLock lock(jobs_mutex_);
  background_error_ = halts ? halted() : read_only_by_damage();
  writes_stopped_.store(true, std::memory_order_release);
  jobs_changed_.notify_all();
}

// Of a file that was read from without, by a check or the scrubber.
void Engine::note_damage_of(manifest::DamageMark& mark, const Error& error) {
  if (error.category() != ErrorCategory::kCritical) return;  // a disk that refuses may give it later
  // A file that has only lost its name may still be open: a compaction can save what it holds.
  if (error.code() != ErrorCode::kTableMissing && error.code() != ErrorCode::kBlobMissing) mark.mark_damaged(error);
  act_on_damage(error);
}

// What opening has found damaged.
void Engine::act_on_damage_at_opening() {
  if (config_.corruption_action == CorruptionAction::kIsolate) return;
  const auto act = [this](const manifest::DamageMark& mark) {
    if (const auto damage = mark.damaged() ? mark.damage() : std::nullopt) act_on_damage(*damage);
  };
  for (const TreePtr& tree : all_trees()) {
    const PinnedView view = tree->pin_view();
    for (const auto& level : view->version->levels)
      for (const manifest::TablePtr& table : level) act(*table);
    for (const manifest::BlobPtr& blob : view->version->blobs) act(*blob);
  }
}

Status Engine::refuse_if_told(const std::string& what, const Error& damage) const {
  if (!config_.fail_on_corruption) return {};
  return Error(damage)
      .while_doing(what + " is damaged, and fail_on_corruption is set")
      .with_advice(
          "put the file back from a backup; without fail_on_corruption the rest of the database can be opened");
}

Error Engine::halted() const {
  const std::optional<Error> damage = first_damage_.damage();
  if (!damage) return Error(ErrorCode::kInternal, "the database has halted for no damage");
  return Error(*damage)
      .while_doing("the database has halted, since damage was met and corruption_action is halt")
      .with_advice(
          "keep the files; see lightning_db check; restore what is damaged from a backup, and open the database again");
}

Error Engine::read_only_by_damage() const {
  const std::optional<Error> damage = first_damage_.damage();
  if (!damage) return Error(ErrorCode::kInternal, "writes are refused for no damage");
  const ErrorContext& where = damage->context();
  return Error(ErrorCode::kReadOnlyMode,
               "writes are refused, since damage was met and corruption_action is read-only: " + damage->message())
      .at_file(where.file, where.offset)
      .in_key_range(where.key_range)
      .with_advice(
          "see lightning_db check; restore what is damaged from a backup, and open the database again; reads go on");
}

}  // namespace lightning::engine
