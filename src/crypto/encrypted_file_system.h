// EncryptedFileSystem: a file system whose files are sealed on the way down and verified on the way up.
//
//   EncryptedFileSystem files(below, *keyring, is_plain, Entropy::system());
//
// Sizes and offsets are those of what was written; the files below are longer (docs/format/encryption.md). What was
// synced is found again after a power cut, as without it; what was not may be lost from its end. A byte that was
// changed, a page that was moved, in its file or from another one: kCorruption, never other bytes. That a whole file
// lies under another file's name, or ends at an earlier page than it did, shows to whoever knows its uid, size or
// chain: the manifest does.
//
// Names, sizes and times of files are not hidden.
//
// Threads: any. Lifetime: what it is made of outlives it, and it the files that it opens.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "crypto/keyring.h"
#include "env/file_system.h"

namespace lightning::crypto {

// Whether the files of this name, without its directories, are stored as they are. Always the same for a name.
using IsPlain = std::function<bool(std::string_view name)>;

class EncryptedFileSystem final : public env::FileSystem {
 public:
  EncryptedFileSystem(env::FileSystem& below, const Keyring& keyring, IsPlain is_plain, Entropy& entropy)
      : below_(below), keyring_(keyring), is_plain_(std::move(is_plain)), entropy_(entropy) {}

  Result<std::unique_ptr<env::RandomAccessFile>> open_random_access(const std::string& path,
                                                                    env::FileClass file_class) override;
  Result<std::unique_ptr<env::WritableFile>> create_writable(const std::string& path,
                                                             env::FileClass file_class) override;
  // Of plain files only, as what is overwritten in place, stored to as memory or takes space cannot be sealed page by
  // page: else kNotSupported. Whoever calls a log plain seals its records.
  Result<std::unique_ptr<env::UpdatableFile>> open_updatable(const std::string& path, env::FileClass file_class,
                                                             std::uint64_t size) override;
  Result<std::unique_ptr<env::LogFile>> create_log(const std::string& path, std::uint64_t size) override;
  Result<std::unique_ptr<env::LogFile>> reuse_log(const std::string& path) override;
  Status reserve_space(const std::string& path, std::uint64_t bytes) override;

  Result<std::string> read_file(const std::string& path, std::uint64_t bytes_max) override;
  // Of a file that cannot be read, because it is damaged or its header never became durable, the most that it could
  // hold.
  Result<env::FileInfo> info(const std::string& path) override;
  // kInvalidArgument between a plain name and another one.
  Status rename(const std::string& from, const std::string& to) override;
  Status link(const std::string& from, const std::string& to) override;

  Result<bool> exists(const std::string& path) override { return below_.exists(path); }
  Result<std::vector<std::string>> list(const std::string& directory) override { return below_.list(directory); }
  Status create_directories(const std::string& path) override { return below_.create_directories(path); }
  Status remove(const std::string& path) override { return below_.remove(path); }
  Status sync_directory(const std::string& path) override { return below_.sync_directory(path); }
  Result<std::unique_ptr<env::FileLock>> lock(const std::string& path, const std::string& owner_note) override {
    return below_.lock(path, owner_note);
  }
  Result<bool> is_locked(const std::string& path) override { return below_.is_locked(path); }
  Result<std::uint64_t> free_bytes(const std::string& path) override { return below_.free_bytes(path); }

 private:
  bool plain(const std::string& path) const;
  Status check_plain(const std::string& path, std::string_view what) const;
  Status check_same_kind(const std::string& from, const std::string& to) const;

  env::FileSystem& below_;
  const Keyring& keyring_;
  const IsPlain is_plain_;
  Entropy& entropy_;
};

}  // namespace lightning::crypto
