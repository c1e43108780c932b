// Large values: their files, and what becomes of their garbage.
//
// A job that leaves a reference out says so in the edit that replaces its inputs (settle_garbage), so the manifest
// knows for each blob file exactly how much of it lives. A file in which nothing lives goes at once. Where too much of
// a keyspace's files is garbage, the live records of the worst are copied into a new file, which takes over their
// names: a record is found by the file that it was first written to, so no table is rewritten and no reader notices.
//
// Which records live is not kept: each is looked for in the tables by its key, as a reader would. So nothing is
// collected in a keyspace that has a damaged table, and a damaged blob file stays.
#include <algorithm>

#include "base/planted_bug.h"
#include "engine/engine.h"
#include "format/merging_iterator.h"
#include "manifest/level_iterator.h"

namespace lightning::engine {

// --- files --------------------------------------------------------------------------------------------------------

std::uint64_t Engine::blob_threshold(const Tree& tree) const {
  if (tree.hidden()) return ~std::uint64_t{0};  // entries of indexes are asked for under latches
  const std::uint64_t bytes = tree.options.blob_threshold.value_or(config_.blob_threshold);
  return bytes == 0 ? ~std::uint64_t{0} : bytes;
}

blob::WriterOptions Engine::blob_writer_options() const {
  blob::WriterOptions options;
  options.compression = config_.compression_enabled ? config_.compression_bottom : Compression::kNone;
  options.tags = tag_algorithm();
  options.created_ns = env_.clock.wall_ns();
  return options;
}

Result<compaction::BlobOutput::Target> Engine::create_blob_file() {
  compaction::BlobOutput::Target target;
  target.number = next_file_.fetch_add(1);
  target.uid = env_.random.uid();
  LIGHTNING_ASSIGN(target.file, env_.files.create_writable(paths_.blob(target.number), env::FileClass::kBlob));
  return target;
}

Result<manifest::BlobPtr> Engine::open_blob(const blob::FileMeta& meta, bool just_written) {
  const std::string path = paths_.blob(meta.number);
  blob::FileMeta known = meta;
  const auto open = [&]() -> Result<std::shared_ptr<blob::BlobFile>> {
    if (!meta.has_identity()) {
      LIGHTNING_ASSIGN(const blob::Description found, blob::describe(env_, path));
      if (found.meta.number != meta.number || found.meta.records != meta.records ||
          found.meta.record_bytes != meta.record_bytes || found.meta.origins != meta.origins)
        return blob::corrupt("the blob file is not the one that the log names").at_file(path);
      known = found.meta;
    }
    return blob::BlobFile::open(env_, path, superblock_.store_id, known, *cache_, budget_, &table_files_);
  };
  auto opened = open();
  const auto halts_its_values = [&](ErrorCode code) {  // alone, as open_table() says
    return code == ErrorCode::kBlobCorrupt || (code == ErrorCode::kBlobMissing && !beside_writer_);
  };
  if (!opened && !just_written && halts_its_values(opened.error().code()))
    opened = blob::BlobFile::unreadable(path, known, opened.error(), *cache_, budget_);
  LIGHTNING_ASSIGN(auto file, std::move(opened));
  if (just_written && config_.integrity_validation_level == IntegrityLevel::kParanoid) {
    std::optional<Error> finding;
    file->check(
        [&](const Error& error) {
          finding = error;
          return false;
        },
        [](std::uint64_t) { return true; });
    if (finding) return std::move(*finding).while_doing("reading back a blob file just written");
  }
  auto handle = std::make_shared<manifest::BlobHandle>(std::move(file), [this](format::FileNumber number) {
    base::MutexLock lock(obsolete_mutex_);
    obsolete_blobs_.push_back(number);
  });
  if (const auto& damage = handle->file->damage()) handle->mark_damaged(*damage);
  return handle;
}

void Engine::remove_blob_file(format::FileNumber number) {
  if (!env_.files.remove(paths_.blob(number))) return;  // what stays is set aside at the next open
}

// What a job has written becomes part of its edit.
Status Engine::add_blobs(const Tree& tree, const std::vector<blob::FileMeta>& files, manifest::VersionEdit& edit,
                         manifest::Version::Change& change) {
  if (files.empty()) return {};
  LIGHTNING_TRY(env_.files.sync_directory(paths_.blobs()));
  for (const blob::FileMeta& meta : files) {
    LIGHTNING_ASSIGN(auto blob, open_blob(meta, true));
    change.add_blobs.push_back(std::move(blob));
    edit.add_blobs.push_back({tree.id, meta});
  }
  return {};
}

Status Engine::attach_blob(Tree& tree, std::string_view encoded_reference) {
  LIGHTNING_ASSIGN(const blob::Reference reference, blob::decode_reference(encoded_reference));
  const manifest::VersionPtr version = tree.pin_view()->version;
  if (version->blob_of(reference.id.origin) != nullptr) return {};
  // No manifest vouches for it yet: the tag in the log's reference does, for the one record that counts.
  blob::FileMeta meta;
  meta.number = reference.id.origin;
  meta.tags = reference.tags;
  meta.records = 1;
  meta.record_bytes = reference.stored_bytes;
  if (const auto info = env_.files.info(paths_.blob(meta.number))) meta.file_bytes = info->bytes;
  manifest::Version::Change change;
  LIGHTNING_ASSIGN(auto blob, open_blob(meta, false));
  if (const auto damage = blob->damaged() ? blob->damage() : std::nullopt)
    LIGHTNING_TRY(refuse_if_told("a blob file of keyspace '" + tree.printable_name() + "'", *damage));
  change.add_blobs.push_back(std::move(blob));
  tree.install(version->with(change), 0);
  return {};
}

// --- garbage ------------------------------------------------------------------------------------------------------

// Completes the edit of a job by what it found to be garbage. A file that only the log referred to until now becomes
// part of the state, or goes, if its value was overwritten before it ever got into a table. `state` is what the edit
// will change: the engine's, or a checkpoint's.
Status Engine::settle_garbage(manifest::State& state, const Tree& tree, const manifest::Version& version,
                              const compaction::BlobTally& tally, manifest::VersionEdit& edit,
                              manifest::Version::Change& change) {
  const auto contradiction = [](format::FileNumber number, std::string_view what) {
    return Error(ErrorCode::kInconsistentState,
                 "the references to blob file " + std::to_string(number) + " do not add up: " + std::string(what));
  };
  const auto keyspace = state.keyspaces.find(tree.id);
  if (keyspace == state.keyspaces.end()) return Error(ErrorCode::kCancelled, "the keyspace was dropped");
  std::map<format::FileNumber, manifest::VersionEdit::BlobGarbage> found;
  for (const auto& [origin, count] : tally.of_origin) {
    if (count.records < 0 || count.bytes < 0) return contradiction(origin, "more were written than read");
    const manifest::BlobFileState* known = keyspace->second.blob_of(origin);
    if (known == nullptr) {
      const manifest::BlobHandle* pending = version.blob_of(origin);
      if (pending == nullptr) return contradiction(origin, "there is no such file");
      if (count.records > 0) {
        change.drop_blobs.push_back(pending->meta().number);
      } else {
        edit.add_blobs.push_back({tree.id, pending->meta()});
      }
    } else if (count.records > 0) {
      auto& garbage = found[known->meta.number];
      garbage.keyspace = tree.id;
      garbage.number = known->meta.number;
      garbage.records += static_cast<std::uint64_t>(count.records);
      garbage.bytes += static_cast<std::uint64_t>(count.bytes);
    }
  }
  for (const auto& [number, garbage] : found) {
    const manifest::BlobFileState& file = keyspace->second.blobs[number];
    if (garbage.records > file.live_records() || garbage.bytes > file.live_bytes() ||
        (garbage.records == file.live_records()) != (garbage.bytes == file.live_bytes()))
      return contradiction(number, "more are left out than there were");
    if (garbage.records < file.live_records()) {
      edit.blob_garbage.push_back(garbage);
      continue;
    }
    edit.drop_blobs.push_back({tree.id, number});
    change.drop_blobs.push_back(number);
    if (base::planted(base::PlantedBug::kRemoveBlobTooEarly)) remove_blob_file(number);
  }
  return {};
}

// The files whose live records are moved together, and what was known of them when the view was taken.
struct Engine::Victims {
  PinnedView view;
  std::vector<manifest::BlobPtr> files;
  std::uint64_t live_bytes = 0;
};

bool Engine::garbage_is_due(const Tree& tree) { return !pick_victims(tree).files.empty(); }

// Those with the largest share of garbage, as long as there is more of it than is allowed.
Engine::Victims Engine::pick_victims(const Tree& tree) {
  constexpr std::uint64_t kMovedBytesMax = 256ull << 20;  // so much is held twice until the job is done
  struct Candidate {
    double share;
    const manifest::BlobFileState* file;
  };
  Victims victims;
  base::MutexLock lock(manifest_mutex_);
  const auto keyspace = state_.keyspaces.find(tree.id);
  if (tree.dropped.load() || keyspace == state_.keyspaces.end()) return victims;
  victims.view = tree.pin_view();
  for (const auto& level : victims.view->version->levels)
    for (const manifest::TablePtr& table : level)
      if (table->damaged()) return victims;
  std::vector<Candidate> candidates;
  std::uint64_t total = 0, live = 0;
  for (const auto& [number, file] : keyspace->second.blobs) {
    total += file.meta.record_bytes;
    live += file.live_bytes();
    if (file.garbage_bytes > 0)
      candidates.push_back(
          {static_cast<double>(file.garbage_bytes) / static_cast<double>(file.meta.record_bytes), &file});
  }
  const double share_max = (1 - 100.0 / config_.max_space_amplification) * (1 - compaction::kHiddenShare);
  const auto too_much = [&](double slack) {
    return static_cast<double>(total - live) > static_cast<double>(total) * share_max + slack;
  };
  if (!too_much(static_cast<double>(config_.memtable_bytes) / 2)) return victims;
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.share != b.share ? a.share > b.share : a.file->meta.number < b.file->meta.number;
  });
  for (const auto& [share, file] : candidates) {
    if (!too_much(0)) break;
    if (!victims.files.empty() && victims.live_bytes + file->live_bytes() > kMovedBytesMax) break;
    for (const manifest::BlobPtr& blob : victims.view->version->blobs) {
      if (blob->meta().number != file->meta.number || blob->damaged()) continue;
      victims.files.push_back(blob);
      victims.live_bytes += file->live_bytes();
      total -= file->garbage_bytes;
    }
  }
  return victims;
}

void Engine::schedule_collections() {
  for (const TreePtr& tree : all_trees()) {
    if (tree->pin_view()->version->blobs.empty() || tree->collecting.load() || !garbage_is_due(*tree)) continue;
    if (tree->collecting.exchange(true)) continue;
    job_started();
    compaction_lane_->submit([this, tree] { run_collection(tree); });
  }
}

void Engine::run_collection(const TreePtr& tree) {
  const Status status = closing() || writes_stopped_.load() ? Status{} : collect_garbage(*tree);
  tree->collecting.store(false);
  if (!status && !note_damage(*tree->pin_view()->version, status.error())) background_failed(status.error());
  epochs_.collect();
  update_pressure();
  schedule_compactions();
  job_ended();
}

Status Engine::collect_garbage(Tree& tree) {
  const Victims victims = pick_victims(tree);
  if (victims.files.empty()) return {};
  std::uint64_t moved_bytes = 0;
  LIGHTNING_ASSIGN(const blob::FileMeta moved, move_live_records(victims, moved_bytes));
  const Status status = install_moved(tree, victims, moved);
  if (!status && moved.records > 0) remove_unused_outputs({.tables = {}, .blobs = {moved}, .garbage = {}});
  background_.blob_collections.fetch_add(1, std::memory_order_relaxed);
  background_.blob_bytes_moved.fetch_add(moved_bytes, std::memory_order_relaxed);
  return status;
}

namespace {

// Finds the table entry that refers to a record.
class References {
 public:
  explicit References(const manifest::Version& version) {
    const sstable::TableReadOptions options{.fill_cache = false};
    std::vector<std::unique_ptr<format::EntryIterator>> sources;
    for (std::uint32_t level = 0; level < manifest::kLevels; ++level) {
      manifest::Version::Level tables;
      for (const manifest::TablePtr& table : version.levels[level]) {
        if (table->meta().blob_bytes == 0) continue;
        if (level == 0) sources.push_back(table->table->iterator(options));
        if (level > 0) tables.push_back(table);
      }
      if (!tables.empty()) sources.push_back(manifest::level_iterator(std::move(tables), options));
    }
    entries_ = format::merge(std::move(sources));
  }
  // The reference; none: nothing in any table points there. A damaged block that may hold the answer is an error.
  Result<std::optional<blob::Reference>> find(std::string_view key, const blob::RecordId& id) {
    for (entries_->seek(key, format::kSequenceMax); entries_->valid() && entries_->entry().key == key;
         entries_->next()) {
      const format::Entry& entry = entries_->entry();
      if (entry.type != format::EntryType::kBlobReference) continue;
      LIGHTNING_ASSIGN(const blob::Reference reference, blob::decode_reference(entry.value));
      if (reference.id == id) return reference;
    }
    LIGHTNING_TRY(entries_->status());
    return std::optional<blob::Reference>{};
  }

 private:
  std::unique_ptr<format::EntryIterator> entries_;
};

}  // namespace

// One new file with all that lives in the victims; no records: nothing does. Its directory is synced.
Result<blob::FileMeta> Engine::move_live_records(const Victims& victims, std::uint64_t& moved_bytes) {
  constexpr std::uint64_t kStepBytes = 1 << 20;
  struct Record {
    blob::IndexEntry entry;
    const blob::BlobFile* file;
  };
  std::vector<Record> records;
  for (const manifest::BlobPtr& victim : victims.files)
    LIGHTNING_TRY(victim->file->for_each([&](const blob::IndexEntry& entry) -> Status {
      records.push_back({entry, victim->file.get()});
      return {};
    }));
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) { return a.entry.id < b.entry.id; });

  References references(*victims.view->version);
  std::unique_ptr<blob::BlobWriter> writer;
  std::uint64_t unpaid = 0;
  const auto move = [&]() -> Result<blob::FileMeta> {
    for (const auto& [entry, file] : records) {
      LIGHTNING_ASSIGN(const std::string key, file->key_of(entry));
      LIGHTNING_ASSIGN(const auto reference, references.find(key, entry.id));
      if (!reference) continue;
      if (!writer) {
        LIGHTNING_ASSIGN(auto target, create_blob_file());
        writer = std::make_unique<blob::BlobWriter>(std::move(target.file), superblock_.store_id, target.uid,
                                                    target.number, blob_writer_options());
      }
      LIGHTNING_TRY(writer->begin_moved(entry.id, entry.stored_bytes));
      LIGHTNING_TRY(
          file->copy_record(entry, &*reference, [&](std::string_view bytes) { return writer->append_moved(bytes); }));
      LIGHTNING_TRY(writer->end_moved());
      moved_bytes += entry.stored_bytes;
      unpaid += entry.stored_bytes;
      if (unpaid < kStepBytes) continue;
      rate_limiter_.request(unpaid, [this] { return closing(); });
      unpaid = 0;
      if (closing()) return Error(ErrorCode::kCancelled, "the database is closing");
    }
    if (!writer) return blob::FileMeta{};
    LIGHTNING_ASSIGN(blob::FileMeta meta, writer->finish());
    LIGHTNING_TRY(env_.files.sync_directory(paths_.blobs()));
    return meta;
  };
  auto moved = move();
  if (!moved && writer) {
    const format::FileNumber number = writer->number();
    writer.reset();
    remove_blob_file(number);
  }
  return moved;
}

// The new file in place of the victims. What lost its last reference since the view was taken is in it, as garbage.
Status Engine::install_moved(Tree& tree, const Victims& victims, const blob::FileMeta& moved) {
  manifest::VersionEdit edit;
  manifest::Version::Change change;
  if (moved.records > 0) {
    LIGHTNING_ASSIGN(auto blob, open_blob(moved, true));
    change.add_blobs.push_back(std::move(blob));
  }
  {
    base::MutexLock lock(manifest_mutex_);
    const auto keyspace = state_.keyspaces.find(tree.id);
    if (tree.dropped.load() || keyspace == state_.keyspaces.end())
      return Error(ErrorCode::kCancelled, "the keyspace was dropped");
    std::uint64_t live_records = 0, live_bytes = 0;
    for (const manifest::BlobPtr& victim : victims.files) {
      const auto file = keyspace->second.blobs.find(victim->meta().number);
      if (file == keyspace->second.blobs.end()) continue;  // nothing lives in it any more
      live_records += file->second.live_records();
      live_bytes += file->second.live_bytes();
      edit.drop_blobs.push_back({tree.id, victim->meta().number});
      change.drop_blobs.push_back(victim->meta().number);
    }
    if (live_records > moved.records || live_bytes > moved.record_bytes)
      return Error(ErrorCode::kInconsistentState, std::to_string(live_records) +
                                                      " records of blob files should be live, and references to " +
                                                      std::to_string(moved.records) + " were found");
    if (live_records == 0) {
      change.add_blobs.clear();
    } else {
      edit.add_blobs.push_back({tree.id, moved});
      if (moved.records > live_records)
        edit.blob_garbage.push_back(
            {tree.id, moved.number, moved.records - live_records, moved.record_bytes - live_bytes});
    }
    edit.next_file = next_file_.load();
    LIGHTNING_TRY(record(edit));
    tree.install(tree.pin_view()->version->with(change), 0);
  }
  if (moved.records > 0 && change.add_blobs.empty()) remove_blob_file(moved.number);
  std::uint64_t before = 0;
  for (const manifest::BlobPtr& victim : victims.files) {
    victim->mark_obsolete();
    before += victim->meta().record_bytes;
  }
  if (before > moved.record_bytes)
    background_.blob_bytes_reclaimed.fetch_add(before - moved.record_bytes, std::memory_order_relaxed);
  roll_grown_manifest();
  notify_jobs();
  return {};
}

}  // namespace lightning::engine
