#include "salvage/repair.h"

#include <algorithm>
#include <map>
#include <utility>

#include "backup/new_database.h"
#include "compaction/merge.h"
#include "compaction/range_retention.h"
#include "format/batch.h"
#include "format/merging_iterator.h"
#include "index/definition.h"
#include "manifest/keyspace_options.h"
#include "memtable/memtable.h"
#include "salvage/records.h"
#include "sstable/salvage.h"
#include "wal/salvage.h"

namespace lightning::salvage {

namespace {

constexpr std::uint64_t kCacheBytes = 64ull << 20;  // only blocks that are being read are held
constexpr std::uint32_t kLevel = manifest::kLevels - 1;

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

// New or empty, or left by a repair that came to no end; and not inside of a database.
Status check_target(env::Env& env, const std::string& source, const std::string& target) {
  if (target == source || target.starts_with(source + "/"))
    return Error(ErrorCode::kInvalidArgument, "the repaired database would lie in the damaged one")
        .at_file(target)
        .with_advice("name a new directory: what is damaged is never written to");
  for (std::size_t slash = target.rfind('/'); slash != std::string::npos && slash > 0;
       slash = target.rfind('/', slash - 1)) {
    const std::string parent = target.substr(0, slash);
    LIGHTNING_ASSIGN(const bool taken, env.files.exists(parent + "/" + std::string(manifest::kSuperblockName)));
    if (taken)
      return Error(ErrorCode::kInvalidArgument, "the repaired database would lie in another one, " + parent)
          .at_file(target);
  }
  LIGHTNING_ASSIGN(const bool there, env.files.exists(target));
  if (!there) return {};
  LIGHTNING_ASSIGN(const env::FileInfo info, env.files.info(target));
  if (!info.is_directory)
    return Error(ErrorCode::kInvalidArgument, "this is a file, and a database is a directory").at_file(target);
  LIGHTNING_ASSIGN(const auto names, env.files.list(target));
  const bool begun = std::ranges::find(names, engine::kRestoringName) != names.end();
  const bool done = std::ranges::find(names, manifest::kSuperblockName) != names.end();
  if (names.empty() || (begun && !done)) return {};
  return Error(ErrorCode::kInvalidArgument,
               "the directory to repair into is not empty: it holds '" + names.front() + "'")
      .at_file(target)
      .with_advice("name a new directory");
}

// Tables that follow one another, as those of a level do: one is open at a time.
class Chain final : public format::EntryIterator {
 public:
  using Open = std::function<std::unique_ptr<format::EntryIterator>(const sstable::TableMeta&)>;
  Chain(const std::vector<sstable::TableMeta>& tables, Open open) : tables_(tables), open_(std::move(open)) {}

  bool valid() const override { return current_ && current_->valid(); }
  const format::Entry& entry() const override { return current_->entry(); }
  Status status() const override { return current_ ? current_->status() : Status(); }
  void seek_to_first() override { settle(); }
  void next() override {
    current_->next();
    settle();
  }
  void seek(std::string_view, Sequence) override { refuse(); }
  void seek_to_last() override { refuse(); }
  void seek_for_prev(std::string_view, Sequence) override { refuse(); }
  void prev() override { refuse(); }

 private:
  void settle() {
    while (!valid() && status() && at_ < tables_.size()) {
      current_ = open_(tables_[at_++]);
      current_->seek_to_first();
    }
  }
  void refuse() {
    if (current_) current_->seek_to_last();  // refuses
  }

  const std::vector<sstable::TableMeta>& tables_;
  const Open open_;
  std::size_t at_ = 0;
  std::unique_ptr<format::EntryIterator> current_;
};

class Repair {
 public:
  Repair(env::Env& env, Source source, const std::string& target, const RepairOptions& options, RepairReport& report)
      : env_(env),
        source_(std::move(source)),
        options_(options),
        report_(report),
        target_(env, target),
        budget_(kCacheBytes),
        cache_(budget_, epochs_) {}

  Status run();

 private:
  using KeyspaceState = manifest::KeyspaceState;

  Status read_log();
  Result<wal::SalvagedLog> read_log_once();
  Status apply(const wal::RecoveredCommit& commit);
  KeyspaceState* keyspace_written_to(format::KeyspaceId id);
  Status keep_keyspace(const KeyspaceState& from);
  Status keep_index(const KeyspaceState& from);
  Status write_records(const KeyspaceState& from, KeyspaceState& to);
  std::unique_ptr<format::EntryIterator> versions_of(const KeyspaceState& from);
  Status gather_ranges(const KeyspaceState& from);
  sstable::OnLost losing_in(const std::string& keyspace);
  compaction::OutputOptions output_for(const KeyspaceState& keyspace);
  Status progress(std::uint64_t bytes);
  template <class Target>
  Result<Target> create(bool is_blob);

  env::Env& env_;
  Source source_;
  const RepairOptions& options_;
  RepairReport& report_;
  backup::NewDatabase target_;
  base::MemoryBudget budget_;
  base::EpochDomain epochs_;
  cache::BlockCache cache_;
  std::unique_ptr<LargeValueReader> large_values_;

  std::map<format::KeyspaceId, std::unique_ptr<memtable::MemTable>> log_;  // what it holds beyond the tables
  std::uint64_t unknown_writes_ = 0;                                       // to keyspaces that are not known

  // Of the keyspace that is being written.
  std::vector<std::unique_ptr<const sstable::SalvagedRanges>> range_blocks_;
  format::RangeTombstones erased_;
  std::map<std::string, std::size_t> last_loss_;  // by file, in report_.lost_keys

  manifest::State made_;
  format::Uid store_id_;
  Sequence last_ = 0;
  std::uint64_t time_ms_ = 0;
  RepairProgress progress_;
};

Status Repair::run() {
  LIGHTNING_TRY(read_log());
  large_values_ = std::make_unique<LargeValueReader>(env_, source_, cache_, budget_);
  for (const auto& [id, keyspace] : source_.state.keyspaces)
    for (const auto& level : keyspace.levels)
      for (const sstable::TableMeta& meta : level) progress_.total_bytes += meta.data_bytes;
  store_id_ = env_.random.uid();
  LIGHTNING_TRY(target_.claim(false));
  for (const auto& [id, keyspace] : source_.state.keyspaces)
    LIGHTNING_TRY(keyspace.attachment ? keep_index(keyspace) : keep_keyspace(keyspace));

  // As one that was closed: everything is in tables, and the log begins anew behind it.
  last_ = std::max({last_, source_.state.durable, source_.state.log_anchor.last_sequence});
  for (auto& [id, keyspace] : made_.keyspaces) keyspace.flushed = last_;
  made_.next_keyspace = std::max(made_.next_keyspace, source_.state.next_keyspace);
  made_.durable = made_.log_floor = made_.log_anchor.last_sequence = last_;
  made_.epoch = source_.state.epoch;
  made_.time_ms = std::max(source_.state.time_ms, time_ms_);
  report_.last_sequence = last_;
  backup::Catalogue made;
  made.superblock.features = format::kKnownFeatures;
  made.superblock.store_id = store_id_;
  made.superblock.created_ns = env_.clock.wall_ns();
  made.state = std::move(made_);
  return target_.finish(made);
}

// --- the log --------------------------------------------------------------------------------------------------------

Status Repair::read_log() {
  LIGHTNING_ASSIGN(wal::SalvagedLog log, read_log_once());
  const wal::ManifestPosition& known = log.manifest;
  if (source_.trusted() && (known.generation > source_.generation ||
                            (known.generation == source_.generation && known.records > source_.manifest_records))) {
    LIGHTNING_TRY(distrust(env_, source_,
                           Error(ErrorCode::kManifestCorrupt,
                                 "the manifest has lost its end: the log knew of " + std::to_string(known.records) +
                                     " records, and " + std::to_string(source_.manifest_records) + " are left")
                               .at_file(source_.paths.root),
                           report_));
    log_.clear();
    unknown_writes_ = 0;
    LIGHTNING_ASSIGN(log, read_log_once());
  }
  last_ = log.last_sequence;
  for (wal::LostCommits& lost : log.lost) {
    last_ = std::max(last_, lost.last);
    report_.lost_writes.push_back({lost.first, lost.last, std::move(lost.reason)});
  }
  if (const auto& tail = log.torn_tail)
    report_.notes.push_back("the log ends at sequence " + std::to_string(tail->last_sequence) + ": " +
                            std::to_string(tail->bytes) + " bytes behind it do not verify (" + tail->file +
                            ", offset " + std::to_string(tail->offset) +
                            "), a write that was cut short, or the newest ones");
  if (unknown_writes_ > 0)
    report_.notes.push_back(std::to_string(unknown_writes_) +
                            " writes of the log are to keyspaces that are not there any more");
  return {};
}

Result<wal::SalvagedLog> Repair::read_log_once() {
  const manifest::State& state = source_.state;
  wal::ReplayOptions options;
  if (source_.trusted()) {
    options.known_durable = state.durable;
    options.start = state.log_floor;
    options.anchor = state.log_anchor;
    options.epoch = state.epoch;
  }
  return wal::salvage(env_, source_.paths.wal(), source_.store_id, options, source_.trusted(),
                      [this](const wal::RecoveredCommit& commit) { return apply(commit); });
}

Status Repair::apply(const wal::RecoveredCommit& commit) {
  time_ms_ = std::max(time_ms_, commit.commit_time_ns / 1'000'000);
  Sequence sequence = commit.first_sequence;
  format::BatchReader reader(commit.payload);
  for (; reader.next(); ++sequence) {
    const format::Operation& operation = reader.operation();
    const KeyspaceState* const keyspace = keyspace_written_to(operation.keyspace);
    if (keyspace == nullptr) {
      ++unknown_writes_;
      continue;
    }
    if (sequence <= keyspace->flushed || keyspace->attachment) continue;
    auto& memtable = log_[operation.keyspace];
    if (!memtable) memtable = std::make_unique<memtable::MemTable>(budget_);
    progress_.total_bytes += operation.key.size() + operation.value.size();
    if (operation.type == format::EntryType::kEraseRange) {
      memtable->add_ranges({{operation.key, operation.value, sequence}}, /*unread=*/true);
      continue;
    }
    LIGHTNING_TRY(memtable->reserve(1, operation.key.size() + operation.value.size()));
    memtable->add({operation.key, sequence, operation.type, operation.value});
  }
  if (const Status status = reader.status(); !status)
    report_.lost_writes.push_back(
        {sequence, std::max(sequence, commit.first_sequence + commit.operations - 1), status.error()});
  return {};
}

// Where the manifest is gone, the log's word for it that there is such a keyspace is all there is.
manifest::KeyspaceState* Repair::keyspace_written_to(format::KeyspaceId id) {
  auto& keyspaces = source_.state.keyspaces;
  if (const auto known = keyspaces.find(id); known != keyspaces.end()) return &known->second;
  if (source_.trusted() || id < source_.state.next_keyspace || id == format::kNoKeyspace) return nullptr;
  KeyspaceState keyspace;
  keyspace.id = id;
  keyspace.name = "keyspace-" + std::to_string(id);
  report_.notes.push_back("keyspace '" + keyspace.name + "' is known from the log only; it may be one of an index");
  return &keyspaces.emplace(id, std::move(keyspace)).first->second;
}

// --- keyspaces ------------------------------------------------------------------------------------------------------

// An index follows from its records: it is built anew when the database is opened.
Status Repair::keep_index(const KeyspaceState& from) {
  auto definition = index::decode_definition(from.attachment->definition);
  const auto owner = source_.state.keyspaces.find(from.attachment->owner);
  if (!definition || owner == source_.state.keyspaces.end()) {
    report_.notes.emplace_back("the definition of an index cannot be read; make it again");
    return {};
  }
  using State = index::Definition::State;
  if (definition->state == State::kDropping) return {};
  if (definition->state != State::kFailed) definition->state = State::kBuilding;
  definition->ready = 0;
  KeyspaceState to;
  to.id = from.id;
  to.name = from.name;
  to.options = from.options;
  to.attachment = {from.attachment->owner, index::encode(*definition)};
  made_.keyspaces.emplace(to.id, std::move(to));
  ++report_.indexes;
  report_.notes.push_back("index '" + definition->name + "' of keyspace '" + owner->second.name +
                          "' is built anew when the database is first opened for writing");
  return {};
}

Status Repair::keep_keyspace(const KeyspaceState& from) {
  KeyspaceState to;
  to.id = from.id;
  to.name = from.name;
  to.options = from.options;
  LIGHTNING_TRY(write_records(from, to));
  made_.keyspaces.emplace(to.id, std::move(to));
  ++report_.keyspaces;
  return {};
}

Status Repair::write_records(const KeyspaceState& from, KeyspaceState& to) {
  last_loss_.clear();
  range_blocks_.clear();
  LIGHTNING_TRY(gather_ranges(from));
  const std::vector<Sequence> snapshots{format::kSequenceMax};
  Records records(compaction::without_erased(versions_of(from), erased_, snapshots), from.name, *large_values_,
                  report_);
  const compaction::OutputOptions output = output_for(from);
  LIGHTNING_ASSIGN(compaction::MergeResult written,
                   compaction::write_tables(records, std::nullopt, std::nullopt,
                                            compaction::Retention(snapshots, /*bottommost=*/true), output));
  for (const sstable::TableMeta& meta : written.tables) {
    ++report_.tables;
    report_.bytes += meta.file_bytes;
  }
  for (blob::FileMeta& meta : written.blobs) {
    report_.bytes += meta.file_bytes;
    const format::FileNumber number = meta.number;
    to.blobs.emplace(number, manifest::BlobFileState{.meta = std::move(meta)});
  }
  to.levels[kLevel] = std::move(written.tables);
  if (to.options.counted) to.records = records.records();
  report_.records += records.records();
  report_.large_values += records.large_values();
  last_ = std::max({last_, records.newest(), erased_.empty() ? 0 : erased_.largest_sequence()});
  log_.erase(from.id);
  return {};
}

Status Repair::gather_ranges(const KeyspaceState& from) {
  std::vector<const format::RangeTombstones*> sets;
  for (const auto& level : from.levels) {
    for (const sstable::TableMeta& meta : level) {
      LIGHTNING_ASSIGN(auto ranges, sstable::salvage_ranges(env_, source_.paths.table(meta.number), source_.store_id,
                                                            meta, losing_in(from.name)));
      if (!ranges) continue;
      sets.push_back(&ranges->set);
      range_blocks_.push_back(std::move(ranges));
    }
  }
  if (const auto log = log_.find(from.id); log != log_.end())
    if (const auto* erased = log->second->erased().sets(); erased != nullptr)
      for (const auto& set : *erased) sets.push_back(set.get());
  erased_ = format::RangeTombstones::merge(sets);
  return {};
}

std::unique_ptr<format::EntryIterator> Repair::versions_of(const KeyspaceState& from) {
  const auto open = [this, &from](const sstable::TableMeta& meta) {
    return sstable::salvage_entries(env_, source_.paths.table(meta.number), source_.store_id, meta, cache_,
                                    losing_in(from.name));
  };
  std::vector<std::unique_ptr<format::EntryIterator>> sources;
  if (const auto log = log_.find(from.id); log != log_.end()) sources.push_back(log->second->iterator());
  for (std::uint32_t level = 0; level < from.levels.size(); ++level) {
    const auto& tables = from.levels[level];
    if (level > 0 && source_.trusted() && !tables.empty()) {
      sources.push_back(std::make_unique<Chain>(tables, open));
      continue;
    }
    for (const sstable::TableMeta& meta : tables) sources.push_back(open(meta));
  }
  return format::merge(std::move(sources));
}

// Neighbours that are lost are one range.
sstable::OnLost Repair::losing_in(const std::string& keyspace) {
  return [this, &keyspace](sstable::LostRange&& lost) {
    std::vector<LostKeys>& all = report_.lost_keys;
    const auto range_end = [&] { return lost.end.empty() ? std::nullopt : std::optional(lost.end); };
    const std::string& file = lost.reason.context().file;
    if (const auto last = last_loss_.find(file); last != last_loss_.end()) {
      LostKeys& before = all[last->second];
      if (before.range.start && lost.start >= *before.range.start &&
          (!before.range.end || lost.start <= *before.range.end)) {
        if (before.range.end && (lost.end.empty() || lost.end > *before.range.end)) before.range.end = range_end();
        before.entries += lost.entries;
        return;
      }
    }
    last_loss_[file] = all.size();
    all.push_back({.keyspace = keyspace,
                   .range = {.start = lost.start, .end = range_end()},
                   .entries = lost.entries,
                   .reason = std::move(lost.reason)});
  };
}

// --- what is written ------------------------------------------------------------------------------------------------

template <class Target>
Result<Target> Repair::create(bool is_blob) {
  Target target;
  target.number = made_.next_file++;
  target.uid = env_.random.uid();
  LIGHTNING_ASSIGN(target.file, env_.files.create_writable(target_.path_of(is_blob, target.number),
                                                           is_blob ? env::FileClass::kBlob : env::FileClass::kTable));
  return target;
}

compaction::OutputOptions Repair::output_for(const KeyspaceState& keyspace) {
  const LightningDbConfig& config = options_.config;
  const std::uint64_t threshold = keyspace.options.blob_threshold.value_or(config.blob_threshold);
  compaction::OutputOptions output;
  output.table.block_bytes = config.block_bytes;
  output.table.filter_bits_per_key = config.filter_bits_per_key;
  output.table.compression = config.compression_enabled ? config.compression_bottom : Compression::kNone;
  output.table.tags = config.integrity_validation_level == IntegrityLevel::kBasic ? base::TagAlgorithm::kXxh3
                                                                                  : base::TagAlgorithm::kBlake3;
  output.table.parity = config.block_parity;
  output.table.created_ns = env_.clock.wall_ns();
  output.table.origin = sstable::TableOrigin{keyspace.id, keyspace.name, manifest::encode(keyspace.options)};
  output.table_bytes = config.table_bytes;
  output.store_id = store_id_;
  output.blobs.threshold = threshold == 0 ? ~std::uint64_t{0} : threshold;
  output.blobs.writer.compression = output.table.compression;
  output.blobs.writer.tags = output.table.tags;
  output.blobs.writer.created_ns = output.table.created_ns;
  output.blobs.create = [this] { return create<compaction::BlobOutput::Target>(true); };
  output.create = [this] { return create<compaction::OutputOptions::Target>(false); };
  output.progress = [this](std::uint64_t bytes) { return progress(bytes); };
  return output;
}

Status Repair::progress(std::uint64_t bytes) {
  progress_.done_bytes += bytes;
  progress_.total_bytes = std::max(progress_.total_bytes, progress_.done_bytes);
  if (!options_.progress || options_.progress(progress_)) return {};
  return Error(ErrorCode::kCancelled, "the repair was cancelled");
}

}  // namespace

Result<RepairReport> repair(env::Env& env, const std::string& source, const std::string& target,
                            const RepairOptions& options) {
  if (source.empty() || target.empty())
    return Error(ErrorCode::kInvalidArgument,
                 source.empty() ? "the path of the damaged database is empty" : "the path to repair into is empty");
  RepairReport report;
  report.source = without_slashes(source);
  report.target = without_slashes(target);
  const auto run = [&]() -> Status {
    LIGHTNING_TRY(check_target(env, report.source, report.target));
    LIGHTNING_ASSIGN(Source found, look_at_source(env, report.source, report));
    return Repair(env, std::move(found), report.target, options, report).run();
  };
  if (Status status = run(); !status)
    return std::move(status).error().while_doing("repairing " + report.source + " into " + report.target);
  return report;
}

}  // namespace lightning::salvage
