// The files that SimulatedFileSystem hands out: each a handle, all state is with the file system.
#pragma once

#include <utility>

#include "env/simulated_file_system.h"

namespace lightning::env {

// Closes when it dies; a handle of a dead process closes nothing.
class SimulatedHandle {
 public:
  explicit SimulatedHandle(SimulatedFileSystem::Handle handle) : handle_(std::move(handle)) {}
  SimulatedHandle(const SimulatedHandle&) = delete;
  SimulatedHandle& operator=(const SimulatedHandle&) = delete;
  ~SimulatedHandle() { handle_.files->close(handle_); }
  SimulatedFileSystem& files() const { return *handle_.files; }
  const SimulatedFileSystem::Handle& get() const { return handle_; }

 private:
  const SimulatedFileSystem::Handle handle_;
};

class SimulatedRandomAccessFile final : public RandomAccessFile {
 public:
  SimulatedRandomAccessFile(SimulatedFileSystem::Handle handle, std::uint64_t size)
      : handle_(std::move(handle)), size_(size) {}
  Status read(std::uint64_t offset, std::span<char> into) const override {
    return handle_.files().read(handle_.get(), offset, into);
  }
  std::uint64_t size() const override { return size_; }
  void prefetch(std::uint64_t, std::uint64_t) const override {}

 private:
  const SimulatedHandle handle_;
  const std::uint64_t size_;
};

class SimulatedWritableFile final : public WritableFile {
 public:
  explicit SimulatedWritableFile(SimulatedFileSystem::Handle handle) : handle_(std::move(handle)) {}
  ~SimulatedWritableFile() override { (void)close(); }
  Status append(std::string_view bytes) override {
    if (closed_) return closed_error();
    LIGHTNING_TRY(handle_.files().append(handle_.get(), bytes));
    size_ += bytes.size();
    return {};
  }
  Status flush() override { return closed_ ? Status(closed_error()) : handle_.files().flush(handle_.get()); }
  Status sync() override { return closed_ ? Status(closed_error()) : handle_.files().sync(handle_.get(), 0, 0); }
  Status close() override { return std::exchange(closed_, true) ? Status() : handle_.files().flush(handle_.get()); }
  std::uint64_t size() const override { return size_; }

 private:
  Error closed_error() const { return Error(ErrorCode::kClosed, "the file was closed").at_file(handle_.get().path); }

  const SimulatedHandle handle_;
  std::uint64_t size_ = 0;
  bool closed_ = false;
};

class SimulatedUpdatableFile final : public UpdatableFile {
 public:
  explicit SimulatedUpdatableFile(SimulatedFileSystem::Handle handle) : handle_(std::move(handle)) {}
  Status read(std::uint64_t offset, std::span<char> into) const override {
    return handle_.files().read(handle_.get(), offset, into);
  }
  Status write(std::uint64_t offset, std::string_view bytes) override {
    return handle_.files().write(handle_.get(), offset, bytes);
  }
  Status sync() override { return handle_.files().sync(handle_.get(), 0, 0); }
  std::uint64_t size() const override { return handle_.files().size(handle_.get()); }

 private:
  const SimulatedHandle handle_;
};

class SimulatedLogFile final : public LogFile {
 public:
  SimulatedLogFile(SimulatedFileSystem::Handle handle, char* data, std::uint64_t size) : handle_(std::move(handle)) {
    data_ = data;
    size_ = size;
    observed_ = true;
  }
  Status sync(std::uint64_t offset, std::uint64_t bytes) override {
    if (offset >= size_ || bytes == 0) return {};
    return handle_.files().sync(handle_.get(), offset, bytes < size_ - offset ? bytes : size_ - offset);
  }

 protected:
  void observed_write(std::uint64_t offset, std::string_view bytes) override {
    handle_.files().log_write(handle_.get(), offset, bytes);
  }

 private:
  const SimulatedHandle handle_;
};

class SimulatedLock final : public FileLock {
 public:
  explicit SimulatedLock(SimulatedFileSystem::Handle handle) : handle_(std::move(handle)) {}

 private:
  const SimulatedHandle handle_;
};

}  // namespace lightning::env
