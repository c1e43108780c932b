#include "crypto/encrypted_file_system.h"

#include <algorithm>
#include <utility>

#include "crypto/encrypted_files.h"

namespace lightning::crypto {

bool EncryptedFileSystem::plain(const std::string& path) const {
  const std::size_t slash = path.rfind('/');
  return is_plain_(slash == std::string::npos ? std::string_view(path) : std::string_view(path).substr(slash + 1));
}

Status EncryptedFileSystem::check_plain(const std::string& path, std::string_view what) const {
  if (plain(path)) return {};
  return Error(ErrorCode::kNotSupported, std::string(what) + " cannot be encrypted page by page").at_file(path);
}

Status EncryptedFileSystem::check_same_kind(const std::string& from, const std::string& to) const {
  if (plain(from) == plain(to)) return {};
  return Error(ErrorCode::kInvalidArgument,
               "a file cannot change between encrypted and plain by its name: " + from + " would be " + to)
      .at_file(from);
}

Result<std::unique_ptr<env::RandomAccessFile>> EncryptedFileSystem::open_random_access(const std::string& path,
                                                                                       env::FileClass file_class) {
  LIGHTNING_ASSIGN(auto below, below_.open_random_access(path, file_class));
  if (plain(path)) return below;
  LIGHTNING_ASSIGN(auto reader, EncryptedReader::open(std::move(below), path, file_class, keyring_));
  return reader;
}

Result<std::unique_ptr<env::WritableFile>> EncryptedFileSystem::create_writable(const std::string& path,
                                                                                env::FileClass file_class) {
  LIGHTNING_ASSIGN(auto below, below_.create_writable(path, file_class));
  if (plain(path)) return below;
  auto file = EncryptedWritableFile::create(std::move(below), path, keyring_.active(), entropy_);
  if (file) return std::move(*file);
  (void)below_.remove(path);  // a file without a header would only be in the way
  return std::move(file).error();
}

Result<std::unique_ptr<env::UpdatableFile>> EncryptedFileSystem::open_updatable(const std::string& path,
                                                                                env::FileClass file_class,
                                                                                std::uint64_t size) {
  LIGHTNING_TRY(check_plain(path, "a file that is overwritten in place"));
  return below_.open_updatable(path, file_class, size);
}

Result<std::unique_ptr<env::LogFile>> EncryptedFileSystem::create_log(const std::string& path, std::uint64_t size) {
  LIGHTNING_TRY(check_plain(path, "a log segment"));
  return below_.create_log(path, size);
}

Result<std::unique_ptr<env::LogFile>> EncryptedFileSystem::reuse_log(const std::string& path) {
  LIGHTNING_TRY(check_plain(path, "a log segment"));
  return below_.reuse_log(path);
}

Status EncryptedFileSystem::reserve_space(const std::string& path, std::uint64_t bytes) {
  LIGHTNING_TRY(check_plain(path, "reserved space"));
  return below_.reserve_space(path, bytes);
}

Result<std::string> EncryptedFileSystem::read_file(const std::string& path, std::uint64_t bytes_max) {
  if (plain(path)) return below_.read_file(path, bytes_max);
  LIGHTNING_ASSIGN(const auto file, open_random_access(path, env::FileClass::kOther));
  if (file->size() > bytes_max)
    return Error(ErrorCode::kCorruption, "file is larger than it can be: " + std::to_string(file->size()) +
                                             " bytes, expected at most " + std::to_string(bytes_max))
        .at_file(path);
  std::string content(static_cast<std::size_t>(file->size()), '\0');
  LIGHTNING_TRY(file->read(0, content));
  return content;
}

Result<env::FileInfo> EncryptedFileSystem::info(const std::string& path) {
  LIGHTNING_ASSIGN(env::FileInfo info, below_.info(path));
  if (info.is_directory || plain(path)) return info;
  // As a table: what its last page says is enough.
  auto file = open_random_access(path, env::FileClass::kTable);
  if (file) {
    info.bytes = (*file)->size();
  } else if (file.error().code() == ErrorCode::kCorruption) {
    info.bytes = info.bytes / kPageBytes * kPagePlainBytes;
  } else {
    return std::move(file).error();
  }
  return info;
}

Status EncryptedFileSystem::rename(const std::string& from, const std::string& to) {
  LIGHTNING_TRY(check_same_kind(from, to));
  return below_.rename(from, to);
}

Status EncryptedFileSystem::link(const std::string& from, const std::string& to) {
  LIGHTNING_TRY(check_same_kind(from, to));
  return below_.link(from, to);
}

}  // namespace lightning::crypto
