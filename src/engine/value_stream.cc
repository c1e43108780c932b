#include "engine/value_stream.h"

#include <algorithm>

#include "engine/engine.h"
#include "format/batch.h"

namespace lightning::engine {

Status ValueStream::append(std::string_view bytes) {
  if (ended_) return Error(ErrorCode::kInvalidArgument, "the value was committed or discarded before");
  if (bytes.size() > kValueBytesMax - size_)
    return Error(ErrorCode::kValueTooLarge, "the value has more than " + std::to_string(kValueBytesMax) + " bytes");
  size_ += bytes.size();
  if (!writer_) {
    if (size_ <= engine_->tuning().stream_buffer_bytes) {
      buffer_ += bytes;
      return {};
    }
    LIGHTNING_TRY(begin_file());
  }
  return writer_->append(bytes);
}

Status ValueStream::begin_file() {
  LIGHTNING_TRY(engine_->check_writable());
  LIGHTNING_TRY(engine_->refuse_growth({}));
  LIGHTNING_ASSIGN(writer_, engine_->begin_blob());
  LIGHTNING_TRY(writer_->begin(key_));
  LIGHTNING_TRY(writer_->append(buffer_));
  buffer_ = {};
  return {};
}

Status ValueStream::commit(const WriteOptions& options) {
  if (ended_) return Error(ErrorCode::kInvalidArgument, "the value was committed or discarded before");
  if (writer_) return commit_file(options);
  ended_ = true;
  return engine_->put(keyspace_, key_, buffer_, options);
}

Status ValueStream::commit_file(const WriteOptions& options) {
  LIGHTNING_ASSIGN(Tree * tree, engine_->tree_of(keyspace_));
  LIGHTNING_ASSIGN(const std::uint64_t expires_ms, engine_->expiry_of(*tree, options.lifetime()));
  LIGHTNING_ASSIGN(blob::Reference reference, writer_->end());
  if (expires_ms != 0) reference.expiry_ms = expires_ms;
  LIGHTNING_ASSIGN(const blob::FileMeta meta, writer_->finish());
  LIGHTNING_TRY(engine_->attach_streamed(*tree, meta));
  ended_ = true;  // the file is the tree's
  writer_.reset();
  std::string batch;
  format::append_operation(batch, {format::EntryType::kBlobReference, tree->id, key_, blob::encode(reference)});
  const auto written = engine_->write(batch, 1, options.durability);
  if (written) {
    engine_->count(Counter::kUserBytesWritten, size_);
    return {};
  }
  // What may have been logged must find its file.
  if (written.error().outcome() == WriteOutcome::kNotApplied) engine_->detach_streamed(*tree, meta.number);
  return written.error();
}

void ValueStream::discard() {
  ended_ = true;
  buffer_ = {};
  if (!writer_) return;
  const format::FileNumber number = writer_->number();
  writer_.reset();
  engine_->discard_blob(number);
}

Status ValueSource::read(std::uint64_t offset, std::span<char> into) {
  if (cursor_) {
    Status read = cursor_->read(offset, into);
    if (read || read.error().code() == ErrorCode::kInvalidArgument) return read;
    return engine_->large_damage(*view_->version, key_, read.error());
  }
  const std::string_view value = value_.value();
  if (offset > value.size() || into.size() > value.size() - offset)
    return Error(ErrorCode::kInvalidArgument, "bytes " + std::to_string(offset) + " to " +
                                                  std::to_string(offset + into.size()) + " lie beyond a value of " +
                                                  std::to_string(value.size()));
  std::ranges::copy(value.substr(offset, into.size()), into.begin());
  return {};
}

// --- the engine's part ---------------------------------------------------------------------------------------------

Result<std::unique_ptr<blob::BlobWriter>> Engine::begin_blob() {
  LIGHTNING_ASSIGN(auto target, create_blob_file());
  return std::make_unique<blob::BlobWriter>(std::move(target.file), superblock_.store_id, target.uid, target.number,
                                            blob_writer_options());
}

// The file is complete and synced; from here on the tree's versions hold it, and no manifest names it until the
// memtable with its reference is flushed (settle_garbage). If the store dies before, the log's reference names it, or
// nobody.
Status Engine::attach_streamed(Tree& tree, const blob::FileMeta& meta) {
  LIGHTNING_TRY(env_.files.sync_directory(paths_.blobs()));
  LIGHTNING_TRY(keep_for_archive(meta.number));
  LIGHTNING_ASSIGN(auto blob, open_blob(meta, true));
  manifest::Version::Change change;
  change.add_blobs.push_back(std::move(blob));
  base::MutexLock lock(manifest_mutex_);
  if (tree.dropped.load()) return Error(ErrorCode::kKeyspaceNotFound, "the keyspace was dropped");
  tree.install(tree.pin_view()->version->with(change), 0);
  return {};
}

void Engine::detach_streamed(Tree& tree, format::FileNumber number) {
  manifest::BlobPtr blob;
  {
    base::MutexLock lock(manifest_mutex_);
    const manifest::VersionPtr version = tree.pin_view()->version;
    for (const manifest::BlobPtr& each : version->blobs)
      if (each->meta().number == number) blob = each;
    if (!blob || tree.dropped.load()) return;
    manifest::Version::Change change;
    change.drop_blobs.push_back(number);
    tree.install(version->with(change), 0);
  }
  blob->mark_obsolete();
  blob.reset();
  epochs_.collect();
  remove_obsolete_files();
}

Result<std::unique_ptr<ValueStream>> Engine::put_stream(const Keyspace& keyspace, std::string_view key) {
  LIGHTNING_TRY(check_sizes(key, {}));
  LIGHTNING_TRY(tree_of(keyspace));
  LIGHTNING_TRY(check_writable());
  return std::make_unique<ValueStream>(shared_from_this(), keyspace, key);
}

}  // namespace lightning::engine
