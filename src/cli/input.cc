#include "cli/input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "env/os_error.h"

namespace lightning::cli {

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

class FileInput final : public Input {
 public:
  FileInput(int descriptor, std::string name) : Input(std::move(name)), descriptor_(descriptor) {
    struct stat info{};
    if (::fstat(descriptor_, &info) == 0 && S_ISREG(info.st_mode))
      total_bytes_ = static_cast<std::uint64_t>(info.st_size);
  }
  ~FileInput() override {
    if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
  }
  std::uint64_t total_bytes() const override { return total_bytes_; }

 protected:
  Result<std::size_t> read(char* to, std::size_t capacity) override {
    for (;;) {
      const ssize_t n = ::read(descriptor_, to, capacity);
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) return env::system_error(errno, "cannot read the input", name());
    }
  }

 private:
  int descriptor_;
  std::uint64_t total_bytes_ = 0;
};

class MemoryInput final : public Input {
 public:
  MemoryInput(std::string bytes, std::size_t piece) : Input("memory"), bytes_(std::move(bytes)), piece_(piece) {}

 protected:
  Result<std::size_t> read(char* to, std::size_t capacity) override {
    const std::size_t n = std::min({capacity, piece_, bytes_.size() - read_});
    std::memcpy(to, bytes_.data() + read_, n);
    read_ += n;
    return n;
  }

 private:
  std::string bytes_;
  std::size_t piece_, read_ = 0;
};

}  // namespace

Input::Input(std::string name) : name_(std::move(name)), buffer_(kReadBytes, '\0') {}

Result<std::string_view> Input::peek() { return peek(1); }

Result<std::string_view> Input::peek(std::size_t bytes) {
  while (end_ - begin_ < bytes) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    LIGHTNING_ASSIGN(const std::size_t n, read(buffer_.data() + end_, buffer_.size() - end_));
    if (n == 0) break;
    end_ += n;
  }
  return std::string_view(buffer_.data() + begin_, end_ - begin_);
}

void Input::consume(std::size_t bytes) {
  begin_ += bytes;
  offset_ += bytes;
}

Result<std::unique_ptr<Input>> open_input(const std::string& path) {
  if (path == "-") return std::make_unique<FileInput>(STDIN_FILENO, "standard input");
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return env::system_error(errno, "cannot open the input", path);
  return std::make_unique<FileInput>(descriptor, path);
}

std::unique_ptr<Input> memory_input(std::string bytes, std::size_t piece) {
  return std::make_unique<MemoryInput>(std::move(bytes), piece);
}

}  // namespace lightning::cli
