// A file or standard input, read once from front to back through one buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lightning/result.h"

namespace lightning::cli {

// Threads: one at a time.
class Input {
 public:
  virtual ~Input() = default;

  // What is buffered, at least one byte unless the input has ended. Good until the next call.
  Result<std::string_view> peek();
  // As peek(), but tries to have at least `bytes`; less only at the end. bytes <= kPeekBytesMax.
  Result<std::string_view> peek(std::size_t bytes);
  void consume(std::size_t bytes);                  // at most what peek() gave
  std::uint64_t offset() const { return offset_; }  // bytes consumed
  const std::string& name() const { return name_; }
  virtual std::uint64_t total_bytes() const { return 0; }  // 0: unknown

  static constexpr std::size_t kPeekBytesMax = 64;

 protected:
  explicit Input(std::string name);
  // Up to `capacity` bytes to `to`; 0 only at the end.
  virtual Result<std::size_t> read(char* to, std::size_t capacity) = 0;

 private:
  std::string name_, buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t offset_ = 0;
};

// `path`, or standard input for "-".
Result<std::unique_ptr<Input>> open_input(const std::string& path);
// Bytes in memory, given in pieces of at most `piece` bytes (tests).
std::unique_ptr<Input> memory_input(std::string bytes, std::size_t piece = 1 << 16);

}  // namespace lightning::cli
