#include "env/open_files.h"

#include <algorithm>
#include <utility>

namespace lightning::env {

class OpenFiles::File final : public RandomAccessFile {
 public:
  File(OpenFiles& pool, std::string path, FileClass file_class)
      : pool_(pool), path_(std::move(path)), class_(file_class) {}
  ~File() override {  // nobody reads any more
    base::MutexLock lock(pool_.mutex_);
    if (const RandomAccessFile* file = open_.load(std::memory_order_relaxed)) {
      pool_.forget(*this);
      delete file;
    }
  }

  // The first opening, which tells the size.
  Status begin() {
    LIGHTNING_ASSIGN(size_,
                     with_file([](const RandomAccessFile& file) -> Result<std::uint64_t> { return file.size(); }));
    return {};
  }

  Status read(std::uint64_t offset, std::span<char> into) const override {
    return with_file([&](const RandomAccessFile& file) { return file.read(offset, into); });
  }
  void read_many(std::span<Request> requests) const override {
    const Status status = with_file([&](const RandomAccessFile& file) -> Status {
      file.read_many(requests);
      return {};
    });
    if (status) return;
    for (Request& request : requests) request.status = status;
  }
  std::uint64_t size() const override { return size_; }
  void prefetch(std::uint64_t offset, std::uint64_t bytes) const override {
    const base::EpochDomain::Guard guard(pool_.readers_);
    // A hint is not worth an opening; the read that follows will see to it.
    if (const RandomAccessFile* file = open_.load(std::memory_order_acquire)) file->prefetch(offset, bytes);
  }

 private:
  friend class OpenFiles;

  template <class Call>
  auto with_file(const Call& call) const -> decltype(call(std::declval<const RandomAccessFile&>())) {
    {
      const base::EpochDomain::Guard guard(pool_.readers_);
      if (const RandomAccessFile* file = open_.load(std::memory_order_acquire)) [[likely]] {
        if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
        return call(*file);
      }
    }
    base::Backoff backoff;
    for (int attempt = 1;; ++attempt) {
      pool_.make_room();
      Status failed;
      {
        // Entered before the file is published: however soon it is closed again, this call gets through.
        const base::EpochDomain::Guard guard(pool_.readers_);
        const auto file = publish();
        if (file) return call(**file);
        failed = file.error();
      }
      // The process has run out of handles, for reasons of its own or because files that others still read wait to be
      // closed: with fewer files, then, and a little later.
      if (failed.error().code() != ErrorCode::kInsufficientResources || attempt == kAttemptsMax)
        return std::move(failed).error();
      pool_.close_some();
      backoff.pause();
    }
  }

  // Inside a guard, with a place taken by make_room().
  Result<const RandomAccessFile*> publish() const {
    auto opened = pool_.files_.open_random_access(path_, class_);
    base::MutexLock lock(pool_.mutex_);
    const RandomAccessFile* there = open_.load(std::memory_order_relaxed);
    if (!opened || there != nullptr) --pool_.places_;
    if (there != nullptr) return there;  // somebody else was faster
    if (!opened) return std::move(opened).error();
    there = opened->release();
    used_.store(true, std::memory_order_relaxed);
    pool_.opened_.fetch_add(1, std::memory_order_relaxed);
    pool_.open_.push_back(const_cast<File*>(this));
    place_ = pool_.open_.size() - 1;
    open_.store(there, std::memory_order_release);
    return there;
  }

  OpenFiles& pool_;
  const std::string path_;
  const FileClass class_;
  std::uint64_t size_ = 0;
  mutable std::atomic<const RandomAccessFile*> open_{nullptr};
  mutable std::atomic<bool> used_{false};  // since the hand passed
  mutable std::size_t place_ = 0;          // in pool_.open_; guarded by pool_.mutex_
};

Result<std::unique_ptr<RandomAccessFile>> OpenFiles::open(const std::string& path, FileClass file_class) {
  auto file = std::make_unique<File>(*this, path, file_class);
  LIGHTNING_TRY(file->begin());
  return file;
}

std::uint64_t OpenFiles::open_now() const {
  base::MutexLock lock(mutex_);
  return open_.size();
}

// Takes a place for one more file. Waits, while too many of the closed ones are still being read.
void OpenFiles::make_room() {
  {
    base::MutexLock lock(mutex_);
    while (places_ >= open_max_ && !open_.empty()) close_one();
    ++places_;
  }
  base::Backoff backoff;
  while (readers_.retired() > 0) {
    readers_.collect();
    if (readers_.retired() <= kClosingMax) break;
    backoff.pause();
  }
}

// A quarter of what is open, and what has been waiting to be closed.
void OpenFiles::close_some() {
  {
    base::MutexLock lock(mutex_);
    for (std::size_t i = (open_.size() + 3) / 4; i > 0; --i) close_one();
  }
  readers_.collect();
}

void OpenFiles::close_one() {
  for (;; ++hand_) {
    if (hand_ >= open_.size()) hand_ = 0;
    File& file = *open_[hand_];
    if (file.used_.exchange(false, std::memory_order_relaxed)) continue;
    const RandomAccessFile* closed = file.open_.exchange(nullptr, std::memory_order_acq_rel);
    forget(file);
    readers_.retire(const_cast<RandomAccessFile*>(closed),
                    [](void* object) { delete static_cast<RandomAccessFile*>(object); });
    return;
  }
}

void OpenFiles::forget(File& file) {
  File* last = open_.back();
  open_[file.place_] = last;
  last->place_ = file.place_;
  open_.pop_back();
  --places_;
}

}  // namespace lightning::env
