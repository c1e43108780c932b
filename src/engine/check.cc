// check(): what the manifest names is there and whole. Files are looked at one by one or side by side; what is found is
// told in their order.
#include <algorithm>
#include <atomic>

#include "engine/engine.h"
#include "env/env.h"

namespace lightning::engine {

namespace {

constexpr std::uint32_t kThreadsMax = 64;

std::uint32_t threads_for(const CheckOptions& options, std::size_t files) {
  std::uint32_t threads = options.threads != 0 ? options.threads : std::min(env::machine_limits().cores, 8u);
  if (!options.full) threads = 1;  // a look at each file's name and size
  return std::clamp<std::uint32_t>(threads, 1,
                                   static_cast<std::uint32_t>(std::clamp<std::size_t>(files, 1, kThreadsMax)));
}

}  // namespace

// One file, and what was found in it.
struct Engine::FileCheck {
  manifest::TablePtr table = {};
  manifest::BlobPtr blob = {};
  CheckReport report = {};
  Status failed = {};  // the check itself

  const std::string& path() const { return table ? table->table->path() : blob->file->path(); }
  std::uint64_t bytes() const { return table ? table->meta().file_bytes : blob->meta().file_bytes; }
  manifest::DamageMark& mark() const { return table ? static_cast<manifest::DamageMark&>(*table) : *blob; }
  const std::optional<Error>& damage() const { return table ? table->table->damage() : blob->file->damage(); }
  Error error(ErrorCode of_table, ErrorCode of_blob, const std::string& what) const {
    const std::uint64_t number = table ? table->meta().number : blob->meta().number;
    return Error(table ? of_table : of_blob, (table ? "table " : "blob file ") + std::to_string(number) + " " + what)
        .at_file(path());
  }
};

void Engine::note_check_finding(FileCheck& file, const Error& error) {
  file.report.findings.push_back({error});
  note_damage_of(file.mark(), error);
}

// Opened anew: what is in memory of it says nothing about the disk. What had to be rebuilt from parity, the table that
// is in use hears of, so that it is written anew.
bool Engine::read_all_of(const manifest::TableHandle& handle, std::uint64_t& rebuilt,
                         const std::function<bool(const Error&)>& found,
                         const std::function<bool(std::uint64_t)>& before_read) {
  const auto opened = sstable::Table::open(env_, handle.table->path(), superblock_.store_id, handle.meta(), *cache_,
                                           budget_, nullptr, &background_.blocks_rebuilt);
  if (!opened) return found(opened.error());
  const bool to_the_end = (*opened)->check(found, before_read);
  rebuilt = (*opened)->worn();
  if (rebuilt != 0) handle.table->note_worn();
  return to_the_end;
}

// The file itself: there, of its size, and with `full` all of it.
Status Engine::check_file(FileCheck& file, bool full, const std::function<bool(std::uint64_t)>& before_read) {
  CheckReport& report = file.report;
  if (file.table) {
    report.tables = 1;
    report.entries = file.table->meta().entries;
    report.blocks = file.table->table->properties().blocks;
  } else {
    report.blob_files = 1;
    report.blob_records = file.blob->meta().records;
  }
  report.bytes = file.bytes();
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(file.path()));
  if (!there && beside_writer_) {
    report.not_compared.push_back(file.path() + " has been replaced by the writer meanwhile");
    return {};
  }
  if (!there) {
    note_check_finding(file, file.error(ErrorCode::kTableMissing, ErrorCode::kBlobMissing, "is missing"));
    return {};
  }
  LIGHTNING_ASSIGN(const env::FileInfo info, env_.files.info(file.path()));
  if (info.bytes != file.bytes()) {
    note_check_finding(file, file.error(ErrorCode::kTableCorrupt, ErrorCode::kBlobCorrupt,
                                        "has " + std::to_string(info.bytes) + " bytes, the manifest says " +
                                            std::to_string(file.bytes())));
    return {};
  }
  if (const auto& damage = file.damage()) {  // since the database was opened, and until it is opened again
    note_check_finding(file, *damage);
    return {};
  }
  if (!full) return {};
  const auto found = [&](const Error& error) {
    note_check_finding(file, error);
    return true;
  };
  bool to_the_end = true;
  if (file.table) {
    to_the_end = read_all_of(*file.table, report.rebuilt_blocks, found, before_read);
  } else {
    const auto opened =
        blob::BlobFile::open(env_, file.path(), superblock_.store_id, file.blob->meta(), *cache_, budget_);
    to_the_end = opened ? (*opened)->check(found, before_read) : found(opened.error());
  }
  if (to_the_end && report.findings.empty()) file.mark().mark_whole();
  return {};
}

// All files, by as many threads as are asked for, of which the caller is one: progress is told by it alone.
Status Engine::check_files(const CheckOptions& options, std::vector<FileCheck>& files) {
  std::uint64_t total = 0;
  for (const FileCheck& file : files) total += file.bytes();
  std::atomic<std::uint64_t> done = 0;
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> stopped = false;
  const auto go_on = [&] { return !stopped.load() && !closing(); };
  const auto tell = [&] {
    if (options.progress && go_on() && !options.progress(std::min(done.load(), total), total)) stopped.store(true);
    return go_on();
  };
  const auto work = [&](bool tells) {
    const auto before_read = [&, tells](std::uint64_t bytes) {
      done.fetch_add(bytes);
      return tells ? tell() : go_on();
    };
    for (std::size_t i = 0; go_on() && (i = next.fetch_add(1)) < files.size();)
      files[i].failed = check_file(files[i], options.full, before_read);
  };
  std::vector<base::Thread> helpers;
  std::atomic<std::uint32_t> busy = 0;
  for (std::uint32_t i = threads_for(options, files.size()); i > 1; --i) {
    busy.fetch_add(1);
    helpers.push_back(base::Thread::spawn("ldb-check", [&] {
      work(false);
      busy.fetch_sub(1);
    }));
    if (helpers.back().joinable()) continue;  // the system had none to give
    helpers.pop_back();
    busy.fetch_sub(1);
    break;
  }
  work(true);
  while (busy.load() != 0) {
    base::sleep_for(std::chrono::milliseconds(10));
    tell();
  }
  for (base::Thread& helper : helpers) helper.join();
  if (stopped.load()) return Error(ErrorCode::kCancelled, "the check was cancelled");
  if (closing()) return Error(ErrorCode::kClosed, "the database is closing");
  return {};
}

Result<CheckReport> Engine::check(const CheckOptions& options) {
  if (closed_.load()) return Error(ErrorCode::kClosed, "the database is closed");
  CheckReport report;
  std::vector<BlobsNow> all;
  std::vector<FileCheck> files;
  for (const TreePtr& tree : all_trees()) {
    all.push_back(blobs_now(*tree));
    const manifest::Version& version = *all.back().view->version;
    if (auto valid = version.validate(); !valid) report.findings.push_back({valid.error()});
    for (const auto& level : version.levels)
      for (const manifest::TablePtr& table : level) files.push_back({.table = table});
    for (const manifest::BlobPtr& blob : version.blobs) files.push_back({.blob = blob});
  }
  if (options.full) {
    base::MutexLock lock(manifest_mutex_);
    if (manifest_ && !manifest_->failed())
      if (const Status same = compare_manifest(); !same) report.findings.push_back({same.error()});
  }
  LIGHTNING_TRY(check_files(options, files));
  for (FileCheck& file : files) {
    LIGHTNING_TRY(std::move(file.failed));
    report.tables += file.report.tables;
    report.entries += file.report.entries;
    report.blocks += file.report.blocks;
    report.blob_files += file.report.blob_files;
    report.blob_records += file.report.blob_records;
    report.bytes += file.report.bytes;
    report.rebuilt_blocks += file.report.rebuilt_blocks;
    std::ranges::move(file.report.findings, std::back_inserter(report.findings));
    std::ranges::move(file.report.not_compared, std::back_inserter(report.not_compared));
  }
  if (options.full)
    for (const BlobsNow& now : all) check_references(now, report);
  if (report.rebuilt_blocks != 0) schedule_compactions();  // which write them anew
  return report;
}

}  // namespace lightning::engine
