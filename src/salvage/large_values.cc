#include "salvage/large_values.h"

#include "sstable/salvage.h"

namespace lightning::salvage {

LargeValueReader::LargeValueReader(env::Env& env, const Source& source, cache::BlockCache& cache,
                                   base::MemoryBudget& budget)
    : env_(env), source_(source), cache_(cache), budget_(budget), pool_(env.files, kOpenFilesMax) {
  for (const auto& [id, keyspace] : source.state.keyspaces) {
    for (const auto& [number, file] : keyspace.blobs) {
      if (file.meta.origins.empty()) metas_[number] = file.meta;
      for (const format::FileNumber origin : file.meta.origins) metas_[origin] = file.meta;
    }
  }
  if (!source.trusted()) find_moved_records();
}

// Which file holds the records of another one now, where the manifest may not say.
void LargeValueReader::find_moved_records() {
  const auto names = env_.files.list(source_.paths.blobs());
  if (!names) return;  // no large value can be read: each says so
  for (const std::string& name : *names) {
    const auto found = blob::describe(env_, source_.paths.blobs() + "/" + name);
    if (!found || found->store_id != source_.store_id) continue;
    for (const format::FileNumber origin : found->meta.origins) metas_.emplace(origin, found->meta);
  }
}

Status LargeValueReader::read(std::string_view key, const blob::Reference& reference, std::string& value) {
  LIGHTNING_ASSIGN(const std::shared_ptr<blob::BlobFile> file, file_of(reference.id.origin));
  // Head and tail confirm what the reference says of the size before so much memory is taken.
  LIGHTNING_ASSIGN(const blob::ValueCursor cursor, blob::ValueCursor::open(*file, key, reference));
  value.resize(cursor.size());
  return file->read_into(key, reference, value);
}

Result<std::shared_ptr<blob::BlobFile>> LargeValueReader::file_of(format::FileNumber origin) {
  if (const auto known = files_.find(origin); known != files_.end()) return known->second;
  const auto meta = metas_.find(origin);
  const bool own = meta == metas_.end() || meta->second.origins.empty();
  const format::FileNumber number = meta == metas_.end() ? origin : meta->second.number;
  const std::string path = source_.paths.blob(number);
  auto file = own ? blob::BlobFile::open_records(env_, path, number, cache_, budget_, &pool_)
                  : blob::BlobFile::open(env_, path, source_.store_id, meta->second, cache_, budget_, &pool_);
  if (!file && !sstable::is_loss(file.error())) return file;
  return files_.emplace(origin, std::move(file)).first->second;
}

}  // namespace lightning::salvage
