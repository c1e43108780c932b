#include "archive/archiver.h"

#include <algorithm>

namespace lightning::archive {

namespace {

using engine::Engine;
constexpr std::uint64_t kSecondNs = 1'000'000'000, kRetryMaxNs = 60 * kSecondNs;
constexpr int kBusyMax = 20;

std::string unfinished(const std::string& path) { return path + ".part"; }

}  // namespace

Status Archiver::start(Engine& engine) {
  auto archiver = std::make_unique<Archiver>(engine);
  LIGHTNING_ASSIGN(const Engine::ArchiveWork work, engine.archive_work());
  Status ours = archiver->destination_->check(engine.store_id(), work.mark);
  if (!ours && ours.error().code() == ErrorCode::kConfigInvalid) return ours;
  archiver->checked_ = ours.has_value();
  archiver->remove_leftovers(work.mark.next_file);
  Archiver* const self = archiver.get();
  archiver->thread_ = base::Thread::spawn("ldb-archive", [self] { self->run(); });
  if (!archiver->thread_.joinable())
    return Error(ErrorCode::kInsufficientResources, "the system has no thread to give for the archive");
  engine.set_log_archive(std::move(archiver));
  return {};
}

Archiver::Archiver(Engine& engine)
    : engine_(engine),
      env_(engine.env()),
      destination_(make_destination(env_, engine.config(), engine.archive_waiting_path())),
      waiting_(engine.archive_waiting_path()) {}

void Archiver::wake() {
  base::MutexLock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void Archiver::stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

// --- the thread -----------------------------------------------------------------------------------------------------

void Archiver::run() {
  for (bool goes_on = true; goes_on;) {
    goes_on = wait();
    if (!goes_on && !now_.error.empty()) return;  // the log keeps what is missing
    Status done = round();
    // Segments of the log may come and go while they are listed.
    for (int again = 0; again < kBusyMax && !done && done.error().code() == ErrorCode::kBusy; ++again) {
      base::sleep_for(std::chrono::milliseconds(10));
      done = round();
    }
    if (done) {
      retry_delay_ns_ = 0;
      now_.error.clear();
    } else {
      retry_delay_ns_ = std::min(std::max(kSecondNs, 2 * retry_delay_ns_), kRetryMaxNs);
      now_.failures += 1;
      now_.error = done.error().to_string();
    }
    engine_.note_archive_state(now_);
  }
}

// Until there is something to do. After a failure the pause is kept, whatever comes.
bool Archiver::wait() {
  const auto timeout_ns =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(engine_.config().archive_timeout).count());
  const std::uint64_t pause_ns = retry_delay_ns_ != 0 ? retry_delay_ns_ : timeout_ns;
  const std::uint64_t began_ns = env_.clock.monotonic_ns();
  base::MutexLock lock(mutex_);
  while (!stopping_ && (!woken_ || retry_delay_ns_ != 0)) {
    if (pause_ns == 0) {
      changed_.wait(mutex_);
      continue;
    }
    const std::uint64_t passed_ns = env_.clock.monotonic_ns() - began_ns;
    if (passed_ns >= pause_ns) break;
    (void)changed_.wait_for(mutex_, std::chrono::nanoseconds(pause_ns - passed_ns));
  }
  woken_ = false;
  return !stopping_;
}

Status Archiver::round() {
  LIGHTNING_ASSIGN(Engine::ArchiveWork work, engine_.archive_work());
  if (!checked_) LIGHTNING_TRY(destination_->check(engine_.store_id(), work.mark));
  checked_ = true;
  LIGHTNING_TRY(deliver_blobs());  // all that the log refers to up to there
  const auto is_behind = [&] {
    const Sequence archived = work.mark.position.last_sequence;
    return archived < work.durable || (!work.changes.empty() && work.changes.front().after <= archived);
  };
  while (is_behind()) LIGHTNING_TRY(archive_next(work));
  return {};
}

Status Archiver::deliver_blobs() {
  LIGHTNING_ASSIGN(const auto names, env_.files.list(waiting_));
  for (const std::string& name : names) {
    if (!blob_number(name)) continue;
    const std::string path = waiting_ + "/" + name;
    LIGHTNING_ASSIGN(const env::FileInfo info, env_.files.info(path));
    LIGHTNING_TRY(destination_->deliver(path, name));
    LIGHTNING_TRY(env_.files.remove(path));
    now_.files += 1;
    now_.bytes += info.bytes;
  }
  return {};
}

Status Archiver::archive_next(Engine::ArchiveWork& work) {
  const std::string name = history_name(work.mark.next_file);
  const std::string path = destination_->workshop() + "/" + name;
  LIGHTNING_ASSIGN(std::optional<HistoryInfo> info, find_made_before(path, work));
  if (!info) {
    LIGHTNING_ASSIGN(info, make(path, work));
  }
  LIGHTNING_TRY(destination_->deliver_history(name));
  const manifest::VersionEdit::ArchiveMark next{
      .on = true, .next_file = work.mark.next_file + 1, .position = info->end, .changes = info->changes};
  LIGHTNING_TRY(engine_.note_archived(next));
  destination_->recorded(name);
  work.mark = next;
  work.changes.erase(work.changes.begin(), work.changes.begin() + static_cast<std::ptrdiff_t>(info->changes));
  now_.files += 1;
  now_.bytes += info->file_bytes;
  engine_.note_archive_state(now_);
  return {};
}

// An earlier life, or an earlier try, may have made the file and not come to note it: then it is this one, since what
// it holds was durable. Any other is of no use.
Result<std::optional<HistoryInfo>> Archiver::find_made_before(const std::string& path,
                                                              const Engine::ArchiveWork& work) const {
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(path));
  if (!there) return std::optional<HistoryInfo>{};
  LIGHTNING_ASSIGN(const HistoryInfo info, describe_history(env_, path));
  const wal::LogPosition& position = work.mark.position;
  const bool is_next = info.number == work.mark.next_file && info.store_id == engine_.store_id() &&
                       info.epoch == static_cast<std::uint32_t>(work.epoch) &&
                       info.start.last_sequence == position.last_sequence && info.start.chain == position.chain &&
                       info.end.last_sequence <= work.durable && info.changes <= work.changes.size();
  if (is_next) return std::optional<HistoryInfo>{info};
  return Error(ErrorCode::kConfigInvalid, "the next file of the archive is there already, and is of another history")
      .at_file(path)
      .with_advice("name a new archive_directory: an archive holds one history of one database");
}

Result<HistoryInfo> Archiver::make(const std::string& path, const Engine::ArchiveWork& work) const {
  LIGHTNING_ASSIGN(const bool leftover, env_.files.exists(unfinished(path)));
  if (leftover) LIGHTNING_TRY(env_.files.remove(unfinished(path)));
  LIGHTNING_ASSIGN(auto file, env_.files.create_writable(unfinished(path), env::FileClass::kOther));
  HistoryWriter writer(std::move(file), work.mark.next_file, engine_.store_id(), static_cast<std::uint32_t>(work.epoch),
                       work.mark.position);
  std::size_t next_change = 0;
  const auto add_changes = [&](Sequence up_to) -> Status {
    for (; next_change < work.changes.size() && work.changes[next_change].after <= up_to; ++next_change)
      LIGHTNING_TRY(writer.add(work.changes[next_change]));
    return {};
  };
  bool full = work.mark.position.last_sequence >= work.durable;
  if (!full) {
    const Status read = engine_.read_log(work.mark.position, [&](const wal::RecoveredCommit& commit) -> Status {
      LIGHTNING_TRY(add_changes(commit.first_sequence - 1));
      LIGHTNING_TRY(writer.add(commit));
      full = commit.last_sequence() >= work.durable || writer.bytes() >= engine_.config().wal_segment_bytes;
      if (full) return Error(ErrorCode::kCancelled, "enough");
      return {};
    });
    if (!full) {
      if (!read) return Error(read.error()).while_doing("reading the log for the archive");
      return Error(ErrorCode::kBusy, "the log ended before what is durable of it");
    }
  }
  LIGHTNING_TRY(add_changes(writer.so_far().end.last_sequence));
  const bool is_all = writer.so_far().end.last_sequence >= work.durable;
  LIGHTNING_ASSIGN(const HistoryInfo info, writer.finish(is_all ? work.known_until_ns : 0));
  LIGHTNING_TRY(env_.files.rename(unfinished(path), path));
  LIGHTNING_TRY(env_.files.sync_directory(destination_->workshop()));
  return info;
}

// Best effort: they are in nobody's way.
void Archiver::remove_leftovers(std::uint64_t next_file) const {
  const auto names = env_.files.list(waiting_);
  if (!names) return;
  for (const std::string& name : *names) {
    const auto number = history_number(name);
    if ((number && *number < next_file) || name.ends_with(".part"))
      if (!env_.files.remove(waiting_ + "/" + name)) return;
  }
}

}  // namespace lightning::archive
