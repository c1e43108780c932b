// Large values in check() and in the statistics.
#include <algorithm>

#include "engine/engine.h"

namespace lightning::engine {

// What the manifest says about blob files, and the version that goes with it.
Engine::BlobsNow Engine::blobs_now(const Tree& tree) {
  base::MutexLock lock(manifest_mutex_);
  const auto keyspace = state_.keyspaces.find(tree.id);
  if (keyspace == state_.keyspaces.end()) return {tree.pin_view(), {}};
  return {tree.pin_view(), keyspace->second.blobs};
}

// Every reference of the tables points to a file that is named, and the manifest knows how many there are.
void Engine::check_references(const BlobsNow& now, CheckReport& report) {
  compaction::BlobTally found;
  const manifest::Version& version = *now.view->version;
  for (const auto& level : version.levels) {
    for (const manifest::TablePtr& table : level) {
      if (table->meta().blob_bytes == 0) continue;
      const auto entries = table->table->iterator({.fill_cache = false});
      for (entries->seek_to_first(); entries->valid(); entries->next()) {
        if (entries->entry().type != format::EntryType::kBlobReference) continue;
        const auto reference = blob::decode_reference(entries->entry().value);
        if (!reference) {
          report.findings.push_back({Error(reference.error()).at_file(table->table->path())});
          continue;
        }
        found.add(*reference, 1);
      }
      if (!entries->status()) return;  // the check of the tables has said so
    }
  }
  std::map<format::FileNumber, compaction::BlobTally::Count> of_file;
  for (const auto& [origin, count] : found.of_origin) {
    const manifest::BlobHandle* blob = version.blob_of(origin);
    if (blob == nullptr) {
      report.findings.push_back(
          {Error(ErrorCode::kInconsistentState, std::to_string(count.records) + " values lie in blob file " +
                                                    std::to_string(origin) + ", which the database does not name")});
      continue;
    }
    of_file[blob->meta().number].records += count.records;
    of_file[blob->meta().number].bytes += count.bytes;
  }
  for (const auto& [number, file] : now.files) {
    const compaction::BlobTally::Count count = of_file[number];
    if (count.records == static_cast<std::int64_t>(file.live_records()) &&
        count.bytes == static_cast<std::int64_t>(file.live_bytes()))
      continue;
    report.findings.push_back(
        {Error(ErrorCode::kInconsistentState,
               "by the manifest " + std::to_string(file.live_records()) + " values (" +
                   std::to_string(file.live_bytes()) + " bytes) of the blob file are in use; the tables refer to " +
                   std::to_string(count.records) + " (" + std::to_string(count.bytes) + " bytes)")
             .at_file(paths_.blob(number))});
  }
}

void Engine::add_blob_statistics(const Tree& tree, KeyspaceStatistics& keyspace, Statistics& stats) {
  const BlobsNow now = blobs_now(tree);
  BlobStatistics& blobs = keyspace.blobs;
  for (const manifest::BlobPtr& blob : now.view->version->blobs) {
    const blob::FileMeta& meta = blob->meta();
    blobs.files += 1;
    blobs.bytes += meta.file_bytes;
    blobs.records += meta.records;
    blobs.live_bytes += meta.record_bytes;
    if (const auto file = now.files.find(meta.number); file != now.files.end()) {
      blobs.live_bytes -= file->second.garbage_bytes;
      blobs.garbage_bytes += file->second.garbage_bytes;
    }
    if (const auto damage = blob->damaged() ? blob->damage() : std::nullopt)
      stats.damaged_blob_files.push_back(
          {.keyspace = tree.name, .file = blob->file->path(), .error = damage->to_string()});
  }
  stats.blobs.files += blobs.files;
  stats.blobs.bytes += blobs.bytes;
  stats.blobs.records += blobs.records;
  stats.blobs.live_bytes += blobs.live_bytes;
  stats.blobs.garbage_bytes += blobs.garbage_bytes;
  stats.bytes_on_disk += blobs.bytes;
}

}  // namespace lightning::engine
