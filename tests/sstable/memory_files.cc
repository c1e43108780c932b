#include "memory_files.h"

#include <cstring>

namespace lightning::sstable {

namespace {

class Reader final : public env::RandomAccessFile {
 public:
  Reader(MemoryFiles::Content content, std::shared_ptr<MemoryFiles::Log> log)
      : content_(std::move(content)), log_(std::move(log)), size_(content_->size()) {}
  Status read(std::uint64_t offset, std::span<char> into) const override {
    ++log_->reads;
    if (log_->fail_reads) return Error(ErrorCode::kIo, "the disk does not answer");
    if (offset > content_->size() || into.size() > content_->size() - offset)
      return Error(ErrorCode::kCorruption, "the file is shorter than the read");
    std::memcpy(into.data(), content_->data() + offset, into.size());
    if (log_->flips_left > 0 && log_->flip_at >= offset && log_->flip_at < offset + into.size()) {
      --log_->flips_left;
      into[log_->flip_at - offset] = static_cast<char>(into[log_->flip_at - offset] ^ 1);
    }
    return {};
  }
  void read_many(std::span<Request> requests) const override {
    ++log_->read_many_calls;
    for (Request& request : requests) request.status = read(request.offset, request.into);
  }
  std::uint64_t size() const override { return size_; }
  void prefetch(std::uint64_t, std::uint64_t bytes) const override {
    ++log_->prefetches;
    log_->prefetched_bytes += bytes;
  }

 private:
  const MemoryFiles::Content content_;
  const std::shared_ptr<MemoryFiles::Log> log_;
  const std::uint64_t size_;
};

class Writer final : public env::WritableFile {
 public:
  explicit Writer(MemoryFiles::Content content) : content_(std::move(content)) {}
  Status append(std::string_view bytes) override {
    content_->append(bytes);
    return {};
  }
  Status flush() override { return {}; }
  Status sync() override { return {}; }
  Status close() override { return {}; }
  std::uint64_t size() const override { return content_->size(); }

 private:
  const MemoryFiles::Content content_;
};

}  // namespace

Result<std::unique_ptr<env::RandomAccessFile>> MemoryFiles::open_random_access(const std::string& path,
                                                                               env::FileClass) {
  const auto found = files_.find(path);
  if (found == files_.end()) return Error(ErrorCode::kStorageUnavailable, "no such file");
  return std::unique_ptr<env::RandomAccessFile>(std::make_unique<Reader>(found->second, log));
}

Result<std::unique_ptr<env::WritableFile>> MemoryFiles::create_writable(const std::string& path, env::FileClass) {
  files_[path] = std::make_shared<std::string>();
  return std::unique_ptr<env::WritableFile>(std::make_unique<Writer>(files_[path]));
}

}  // namespace lightning::sstable
