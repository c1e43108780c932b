// The thread that reads everything once in a period. It is the last to be served: it waits for its bytes one request at
// a time, holds no lock while it reads but for the manifest's, and what it reads enters no cache.
#include "engine/scrub.h"

#include <algorithm>
#include <charconv>

#include "base/hash.h"
#include "engine/engine.h"

namespace lightning::engine {

namespace {

constexpr std::string_view kRecordBegins = "scrub 1\n";
constexpr std::size_t kRecordBytesMax = 512;
constexpr std::uint64_t kRateMin = 1 << 20;  // bytes per second, where no rate is configured
constexpr std::uint64_t kSaveEveryMs = 10'000;
constexpr std::uint64_t kAfterOpeningMs = 60'000;  // opening is busy enough, and commands come and go

std::string check_of(std::string_view text, const format::Uid& store_id) {
  const std::uint64_t check = base::hash64(text, base::hash64(base::as_bytes(store_id.bytes)));
  return base::to_hex({reinterpret_cast<const char*>(&check), sizeof check});
}

// The fields of a record, in their order in the file.
template <class Record, class Visit>
void each_field(Record& record, const Visit& visit) {
  visit("round ", record.round);
  visit("begun ", record.begun_ms);
  visit("ended ", record.ended_ms);
  visit("next ", record.next);
  visit("end ", record.end);
  visit("bytes ", record.bytes_done);
  visit("findings ", record.findings);
}

}  // namespace

std::string encode(const ScrubRecord& record, const format::Uid& store_id) {
  std::string text(kRecordBegins);
  each_field(record, [&](std::string_view name, std::uint64_t value) {
    text.append(name).append(std::to_string(value)).append("\n");
  });
  return text + "check " + check_of(text, store_id) + "\n";
}

std::optional<ScrubRecord> decode_scrub_record(std::string_view text, const format::Uid& store_id) {
  const std::size_t check = text.rfind("check ");
  if (!text.starts_with(kRecordBegins) || check == std::string_view::npos) return std::nullopt;
  if (text.substr(check) != "check " + check_of(text.substr(0, check), store_id) + "\n") return std::nullopt;
  ScrubRecord record;
  std::string_view rest = text.substr(kRecordBegins.size(), check - kRecordBegins.size());
  bool sound = true;
  each_field(record, [&](std::string_view name, std::uint64_t& value) {
    sound = sound && rest.starts_with(name);
    if (!sound) return;
    rest.remove_prefix(name.size());
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    sound = error == std::errc{} && end != rest.data() + rest.size() && *end == '\n';
    if (sound) rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
  });
  if (!sound || !rest.empty()) return std::nullopt;
  return record;
}

// --- the record ---------------------------------------------------------------------------------------------------

std::uint64_t Engine::wall_ms() const { return env_.clock.wall_ns() / 1'000'000; }

void Engine::read_scrub_record() {
  const auto text = env_.files.read_file(paths_.root + "/" + std::string(kScrubRecordName), kRecordBytesMax);
  const auto record = text ? decode_scrub_record(*text, superblock_.store_id) : std::nullopt;
  if (!record) return;
  base::MutexLock lock(scrub_mutex_);
  scrub_ = *record;
}

// Best effort, and not synced.
void Engine::save_scrub_record() {
  ScrubRecord record;
  {
    base::MutexLock lock(scrub_mutex_);
    record = scrub_;
    scrub_saved_ms_ = wall_ms();
  }
  const std::string path = paths_.root + "/" + std::string(kScrubRecordName);
  (void)env_.files.remove(path);
  auto file = env_.files.create_writable(path, env::FileClass::kOther);
  if (file && (*file)->append(encode(record, superblock_.store_id))) (void)(*file)->close();
}

// --- when ---------------------------------------------------------------------------------------------------------

void Engine::start_scrubbing() {
  if (config_.scrub_period.count() == 0) return;
  scrub_thread_ = base::Thread::spawn("ldb-scrub", [this] { keep_scrubbing(); });
}

void Engine::keep_scrubbing() {
  read_scrub_record();
  const auto period_ms = static_cast<std::uint64_t>(config_.scrub_period.count());
  if (!wait_until_wall(wall_ms() + std::min(kAfterOpeningMs, period_ms / 10))) return;
  do {
    std::uint64_t due_ms = 0;
    {
      base::MutexLock lock(scrub_mutex_);
      // A record of the future is that of a clock that was wrong. Without one, the store's creation counts.
      const std::uint64_t since_ms =
          scrub_.round == 0 ? superblock_.created_ns / 1'000'000 : std::min(scrub_.begun_ms, wall_ms());
      due_ms = scrub_.next != 0 ? 0 : since_ms + period_ms;
      scrub_due_ms_ = due_ms;
    }
    if (!wait_until_wall(due_ms)) return;
  } while (scrub_round());
}

// False: the store is closing. The system's clock may be set meanwhile.
bool Engine::wait_until_wall(std::uint64_t until_ms) {
  constexpr std::uint64_t kStepMs = 3'600'000;
  base::MutexLock lock(jobs_mutex_);
  for (;;) {
    const std::uint64_t now_ms = wall_ms();
    if (closing()) return false;
    if (now_ms >= until_ms) return true;
    watch_ends_.wait_for(jobs_mutex_, std::chrono::milliseconds(std::min(kStepMs, until_ms - now_ms)));
  }
}

// --- a round ------------------------------------------------------------------------------------------------------

// From where it was left; false if the store is closing.
bool Engine::scrub_round() {
  {
    base::MutexLock lock(scrub_mutex_);
    if (scrub_.next == 0) {
      scrub_.round += 1;
      scrub_.begun_ms = wall_ms();
      scrub_.next = 1;
      scrub_.end = next_file_.load();
      scrub_.bytes_done = scrub_.findings = 0;
    }
    scrub_totals_.running = true;
  }
  save_scrub_record();
  scrub_manifest();
  while (auto target = next_to_scrub()) {
    set_scrub_rate(target->bytes_left);
    const bool whole = scrub_file(*target);
    if (closing()) break;
    bool save = false;
    {
      base::MutexLock lock(scrub_mutex_);
      scrub_.next = target->number + 1;
      scrub_.bytes_done += target->bytes;
      scrub_totals_.files_read += whole ? 1 : 0;
      save = scrub_saved_ms_ + kSaveEveryMs <= wall_ms();
    }
    if (save) save_scrub_record();
    target.reset();
    collect_dropped();  // it may have been the last reader of a file that a compaction has replaced
  }
  {
    base::MutexLock lock(scrub_mutex_);
    scrub_totals_.running = false;
    if (!closing()) {
      scrub_.next = 0;
      scrub_.ended_ms = wall_ms();
      scrub_totals_.rounds += 1;
    }
  }
  save_scrub_record();
  return !closing();
}

// The live file with the lowest number that this round has not read. Its handle keeps it on disk.
std::optional<Engine::ScrubTarget> Engine::next_to_scrub() {
  format::FileNumber from = 0, end = 0;
  {
    base::MutexLock lock(scrub_mutex_);
    from = scrub_.next;
    end = scrub_.end;
  }
  std::optional<ScrubTarget> target;
  std::uint64_t bytes_left = 0;
  const auto consider = [&](const auto& meta) {
    if (meta.number < from || meta.number >= end) return false;
    bytes_left += meta.file_bytes;
    return !target || meta.number < target->number;
  };
  for (const TreePtr& tree : all_trees()) {
    const PinnedView view = tree->pin_view();
    for (const auto& level : view->version->levels)
      for (const manifest::TablePtr& table : level)
        if (consider(table->meta()))
          target = ScrubTarget{.number = table->meta().number, .bytes = table->meta().file_bytes, .table = table};
    for (const manifest::BlobPtr& blob : view->version->blobs)
      if (consider(blob->meta()))
        target = ScrubTarget{.number = blob->meta().number, .bytes = blob->meta().file_bytes, .blob = blob};
  }
  if (target) target->bytes_left = bytes_left;
  base::MutexLock lock(scrub_mutex_);
  scrub_totals_.round_bytes_total = scrub_.bytes_done + bytes_left;
  return target;
}

// As configured; else so that the round takes about half of the period.
void Engine::set_scrub_rate(std::uint64_t bytes_left) {
  std::uint64_t rate = config_.scrub_bytes_per_second;
  if (rate == 0) {
    base::MutexLock lock(scrub_mutex_);
    const std::uint64_t until_ms = scrub_.begun_ms + static_cast<std::uint64_t>(config_.scrub_period.count()) / 2;
    const std::uint64_t now_ms = wall_ms();
    const std::uint64_t seconds = until_ms > now_ms ? (until_ms - now_ms) / 1000 : 0;
    rate = std::max(kRateMin, bytes_left / std::max<std::uint64_t>(1, seconds));
  }
  scrub_limiter_.set_rate(rate);
}

// Opened anew, so that header, footer, index and filter are read from the disk, too. True if it is whole.
bool Engine::scrub_file(const ScrubTarget& target) {
  const auto before_read = [this](std::uint64_t bytes) {
    scrub_limiter_.request(bytes, [this] { return closing(); });
    base::MutexLock lock(scrub_mutex_);
    scrub_totals_.bytes_read += bytes;
    return !closing();
  };
  Status status;
  std::uint64_t rebuilt = 0;
  const auto found = [&](const Error& error) {
    status = error;
    return false;
  };
  if (target.table) {
    read_all_of(*target.table, rebuilt, found, before_read);
  } else {
    status = check_copy(target.blob->meta(), target.blob->file->path(), before_read);
  }
  if (rebuilt != 0) schedule_compactions();
  if (closing()) return false;
  manifest::DamageMark* const mark =
      target.table ? static_cast<manifest::DamageMark*>(target.table.get()) : target.blob.get();
  const bool readable = !(target.table ? target.table->table->damage() : target.blob->file->damage());
  if (status) {
    if (readable && mark->damaged()) mark->mark_whole();
    return true;
  }
  const Error& error = status.error();
  note_scrub_finding(error);
  note_damage_of(*mark, error);
  return false;
}

void Engine::note_scrub_finding(const Error& error) {
  base::MutexLock lock(scrub_mutex_);
  ++scrub_.findings;
  ++scrub_totals_.findings;
  scrub_totals_.last_finding = error.to_string();
}

// The superblock and the manifest as the disk gives them, against what is in memory, which was verified when it was
// read and is whole: where they differ, a new manifest is written from it.
void Engine::scrub_manifest() {
  std::optional<Error> failed;
  {
    base::MutexLock lock(manifest_mutex_);
    if (!manifest_ || manifest_->failed()) return;  // a new one is on its way
    const Status status = compare_manifest();
    if (status) return;
    note_scrub_finding(status.error());
    if (status.error().category() != ErrorCategory::kCritical) return;
    if (const Status rolled = manifest_->roll(state_)) {
      wal_->note_manifest(manifest_->position());
      base::MutexLock scrub_lock(scrub_mutex_);
      ++scrub_totals_.repaired;
    } else {
      failed = rolled.error();
    }
  }
  if (failed) background_failed(*failed);
}

Status Engine::compare_manifest() {
  const std::string superblock_path = paths_.root + "/" + std::string(manifest::kSuperblockName);
  const auto superblock = manifest::read_superblock(env_, paths_.root);
  if (!superblock && superblock.error().code() == ErrorCode::kDatabaseNotFound)
    return Error(ErrorCode::kManifestCorrupt, "the superblock is gone").at_file(superblock_path);
  if (!superblock) return superblock.error();
  const wal::ManifestPosition position = manifest_->position();
  if (superblock->generation != position.generation)
    return Error(ErrorCode::kManifestCorrupt,
                 "the superblock is of generation " + std::to_string(superblock->generation) +
                     ", and that of the open database is " + std::to_string(position.generation))
        .at_file(superblock_path);
  manifest::LoadReport report;
  const auto loaded = manifest::load(env_, paths_.root, *superblock, report);
  if (!loaded) return loaded.error();
  if (report.records != position.records)
    return Error(ErrorCode::kManifestCorrupt, "the manifest ends after " + std::to_string(report.records) +
                                                  " records, and " + std::to_string(position.records) + " were written")
        .at_file(paths_.root + "/" + manifest::manifest_name(superblock->manifest_number), report.end);
  return {};
}

void Engine::add_scrub_statistics(Statistics& stats) {
  base::MutexLock lock(scrub_mutex_);
  stats.scrub = scrub_totals_;
  stats.scrub.round = scrub_.round;
  stats.scrub.round_bytes_done = scrub_.bytes_done;
  stats.scrub.last_ended_ms = scrub_.ended_ms;
  stats.scrub.next_due_ms = scrub_totals_.running ? 0 : scrub_due_ms_;
}

}  // namespace lightning::engine
