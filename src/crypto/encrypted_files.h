// One encrypted file: appending to it, and reading it at any place.
//
// What is appended is cut into pages of 4048 bytes, each sealed with its number under the file's own key. A flush or
// sync in the middle of a page closes it short and begins another, so that nothing that was written is ever written
// again; a page says where in the file its bytes begin.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/keyring.h"
#include "crypto/page_format.h"
#include "env/file_system.h"

namespace lightning::crypto {

// Threads: one at a time, as of any WritableFile. After the first failure every later call returns its error: a page
// that may have been written is never sealed again.
class EncryptedWritableFile final : public env::WritableFile {
 public:
  // `below`: new and empty. Writes the header.
  static Result<std::unique_ptr<EncryptedWritableFile>> create(std::unique_ptr<env::WritableFile> below,
                                                               std::string path, const DataKey& data_key,
                                                               Entropy& entropy);
  ~EncryptedWritableFile() override;

  Status append(std::string_view bytes) override;
  Status flush() override;
  Status sync() override;
  Status close() override;
  std::uint64_t size() const override { return size_; }

 private:
  EncryptedWritableFile(std::unique_ptr<env::WritableFile> below, std::string path, Cipher cipher)
      : below_(std::move(below)), path_(std::move(path)), cipher_(std::move(cipher)) {}
  Status ready() const;
  Status poison(Status status);
  Status close_page();  // if anything is in it

  const std::unique_ptr<env::WritableFile> below_;
  const std::string path_;
  Cipher cipher_;
  std::array<char, kPageBytes> page_{};
  std::uint32_t in_page_ = 0;
  std::uint64_t size_ = 0, pages_ = 0, durable_ = 0;
  bool closed_ = false;
  std::optional<Error> poison_;
};

// Threads: any.
class EncryptedReader final : public env::RandomAccessFile {
 public:
  // Errors: those of `below`; kCorruption if it is no encrypted file of this keyring; kFormatUnsupported.
  // A file whose very header never became durable is empty. `file_class` tells what its end may look like: tables and
  // blob files are read only once they are whole, so that their pages are looked at when they are read; of others, what
  // was not durable when the power went is verified, and cut where it is torn.
  static Result<std::unique_ptr<EncryptedReader>> open(std::unique_ptr<env::RandomAccessFile> below, std::string path,
                                                       env::FileClass file_class, const Keyring& keyring);

  Status read(std::uint64_t offset, std::span<char> into) const override;
  void read_many(std::span<Request> requests) const override;
  std::uint64_t size() const override { return size_; }
  void prefetch(std::uint64_t offset, std::uint64_t bytes) const override;

 private:
  struct Part;
  EncryptedReader(std::unique_ptr<env::RandomAccessFile> below, std::string path, const Key& key)
      : below_(std::move(below)), path_(std::move(path)), key_(key) {}
  Result<bool> ends_in_a_full_row(std::uint64_t pages);
  Status scan(std::uint64_t pages);
  std::uint64_t page_of(std::uint64_t offset) const;
  std::uint64_t start_of(std::uint64_t page) const;
  std::uint64_t end_of(std::uint64_t page) const;
  std::uint64_t pages() const;
  Status decrypt(Cipher& cipher, const Part& part) const;
  Error damaged_page(std::uint64_t page) const;

  const std::unique_ptr<env::RandomAccessFile> below_;
  const std::string path_;
  const Key key_;
  std::uint64_t size_ = 0;
  // Where each page begins; empty if all of them but the last are full.
  std::vector<std::uint64_t> starts_;
};

}  // namespace lightning::crypto
