#include "crypto/encrypted_files.h"

#include <algorithm>
#include <cstring>

#include "env/os_error.h"

namespace lightning::crypto {

// --- appending ----------------------------------------------------------------------------------------------------

Result<std::unique_ptr<EncryptedWritableFile>> EncryptedWritableFile::create(std::unique_ptr<env::WritableFile> below,
                                                                             std::string path, const DataKey& data_key,
                                                                             Entropy& entropy) {
  EncryptedFileHeader header{.data_key = data_key.info.id};
  LIGHTNING_ASSIGN(header.file_uid, entropy.uid());
  LIGHTNING_ASSIGN(const Key key, file_key_of(data_key.key, header.file_uid));
  LIGHTNING_ASSIGN(Cipher cipher, Cipher::with(key));
  std::string page = encode_header_page(header);
  LIGHTNING_TRY(seal_header_page(cipher, page));
  LIGHTNING_TRY(below->append(page));
  return std::unique_ptr<EncryptedWritableFile>(
      new EncryptedWritableFile(std::move(below), std::move(path), std::move(cipher)));
}

EncryptedWritableFile::~EncryptedWritableFile() { (void)close(); }

Status EncryptedWritableFile::ready() const {
  if (closed_) return Error(ErrorCode::kClosed, "the file was closed").at_file(path_);
  if (poison_) return *poison_;
  return {};
}

Status EncryptedWritableFile::poison(Status status) {
  if (!status) poison_ = status.error();
  return status;
}

Status EncryptedWritableFile::close_page() {
  if (in_page_ == 0) return {};
  const PageHead head{.start = size_ - in_page_, .bytes = in_page_, .durable = durable_};
  std::fill(page_.begin() + kPageHeadBytes + in_page_, page_.end(), '\0');
  LIGHTNING_TRY(poison(seal_page(cipher_, pages_, head, page_.data())));
  ++pages_;
  in_page_ = 0;
  return poison(below_->append({page_.data(), page_.size()}));
}

Status EncryptedWritableFile::append(std::string_view bytes) {
  LIGHTNING_TRY(ready());
  while (!bytes.empty()) {
    const std::size_t piece = std::min(bytes.size(), kPagePlainBytes - in_page_);
    std::memcpy(page_.data() + kPageHeadBytes + in_page_, bytes.data(), piece);
    in_page_ += static_cast<std::uint32_t>(piece);
    size_ += piece;
    bytes.remove_prefix(piece);
    if (in_page_ == kPagePlainBytes) LIGHTNING_TRY(close_page());
  }
  return {};
}

Status EncryptedWritableFile::flush() {
  LIGHTNING_TRY(ready());
  LIGHTNING_TRY(close_page());
  return poison(below_->flush());
}

Status EncryptedWritableFile::sync() {
  LIGHTNING_TRY(ready());
  LIGHTNING_TRY(close_page());
  LIGHTNING_TRY(poison(below_->sync()));
  durable_ = pages_;
  return {};
}

Status EncryptedWritableFile::close() {
  if (closed_) return {};
  Status last = poison_ ? Status(*poison_) : close_page();
  closed_ = true;
  Status closing = below_->close();
  return last ? std::move(closing) : std::move(last);
}

// --- opening ------------------------------------------------------------------------------------------------------

namespace {

constexpr std::uint64_t kPagesPerRead = 64;

constexpr std::uint64_t place_of(std::uint64_t page) { return (page + 1) * kPageBytes; }

// Their pages are whole before anything refers to them.
bool is_written_at_once(env::FileClass file_class) {
  return file_class == env::FileClass::kTable || file_class == env::FileClass::kBlob;
}

Error not_ours(const std::string& path, const std::string& what) {
  return Error(ErrorCode::kCorruption, what).at_file(path, 0);
}

}  // namespace

Result<std::unique_ptr<EncryptedReader>> EncryptedReader::open(std::unique_ptr<env::RandomAccessFile> below,
                                                               std::string path, env::FileClass file_class,
                                                               const Keyring& keyring) {
  if (below->size() < kPageBytes)  // a sync of the file would have made the whole header durable
    return std::unique_ptr<EncryptedReader>(new EncryptedReader(std::move(below), std::move(path), Key()));
  std::string page(kPageBytes, '\0');
  LIGHTNING_TRY(below->read(0, page));
  EncryptedFileHeader header;
  switch (decode_header_page(page, header)) {
    case HeaderContent::kForeign:
      return not_ours(path, "this is not an encrypted file, or its header is damaged");
    case HeaderContent::kNewer:
      return Error(ErrorCode::kFormatUnsupported, "the file was encrypted by a newer version").at_file(path);
    case HeaderContent::kHeader:
      break;
  }
  LIGHTNING_ASSIGN(const DataKey data_key, keyring.find(header.data_key, path));
  LIGHTNING_ASSIGN(const Key key, file_key_of(data_key.key, header.file_uid));
  LIGHTNING_ASSIGN(Cipher cipher, Cipher::with(key));
  LIGHTNING_ASSIGN(const bool genuine, header_is_genuine(cipher, page));
  if (!genuine) return not_ours(path, "the header of the encrypted file was altered");

  const std::uint64_t bytes = below->size() - kPageBytes;
  std::unique_ptr<EncryptedReader> reader(new EncryptedReader(std::move(below), std::move(path), key));
  if (is_written_at_once(file_class) && bytes % kPageBytes == 0) {
    LIGHTNING_ASSIGN(const bool row, reader->ends_in_a_full_row(bytes / kPageBytes));
    if (row) return reader;
  }
  LIGHTNING_TRY(reader->scan(bytes / kPageBytes));
  return reader;
}

// True if the last page says that all before it are full; then nothing else need be known.
Result<bool> EncryptedReader::ends_in_a_full_row(std::uint64_t pages) {
  if (pages == 0) return true;
  std::array<char, kPageBytes> page;
  std::array<char, kPagePlainBytes> plain;
  LIGHTNING_ASSIGN(Cipher cipher, Cipher::with(key_));
  LIGHTNING_TRY(below_->read(place_of(pages - 1), page));
  LIGHTNING_ASSIGN(const auto head, open_page(cipher, pages - 1, {page.data(), page.size()}, plain.data()));
  if (!head || head->start != (pages - 1) * kPagePlainBytes) return false;
  size_ = head->start + head->bytes;
  return true;
}

// Verifies every page. One that is not genuine is where the file ends, unless a later one knows that it was durable:
// then it is damage, which shows when it is read.
Status EncryptedReader::scan(std::uint64_t pages) {
  LIGHTNING_ASSIGN(Cipher cipher, Cipher::with(key_));
  std::string window;
  std::array<char, kPagePlainBytes> plain;
  std::uint64_t durable = 0;
  std::vector<std::uint64_t> bad;
  for (std::uint64_t page = 0; page < pages; ++page) {
    if (page % kPagesPerRead == 0) {
      window.resize(std::min(kPagesPerRead, pages - page) * kPageBytes);
      LIGHTNING_TRY(below_->read(place_of(page), window));
    }
    const std::string_view stored = std::string_view(window).substr(page % kPagesPerRead * kPageBytes, kPageBytes);
    LIGHTNING_ASSIGN(const auto head, open_page(cipher, page, stored, plain.data()));
    if (head && head->start >= size_) {
      starts_.push_back(head->start);
      size_ = head->start + head->bytes;
      durable = std::max(durable, head->durable);
    } else {
      starts_.push_back(size_);
      bad.push_back(page);
    }
  }
  const auto torn = std::ranges::lower_bound(bad, durable);
  if (torn == bad.end()) return {};
  size_ = starts_[*torn];
  starts_.resize(*torn);
  return {};
}

// --- reading ------------------------------------------------------------------------------------------------------

// What one read wants of pages that lie one after the other.
struct EncryptedReader::Part {
  std::uint64_t first_page = 0, pages = 0, offset = 0;
  std::span<char> into;
  std::string stored;
};

std::uint64_t EncryptedReader::pages() const {
  return starts_.empty() ? (size_ + kPagePlainBytes - 1) / kPagePlainBytes : starts_.size();
}

std::uint64_t EncryptedReader::page_of(std::uint64_t offset) const {
  if (starts_.empty()) return offset / kPagePlainBytes;
  return static_cast<std::uint64_t>(std::ranges::upper_bound(starts_, offset) - starts_.begin()) - 1;
}

std::uint64_t EncryptedReader::start_of(std::uint64_t page) const {
  return starts_.empty() ? page * kPagePlainBytes : starts_[page];
}

std::uint64_t EncryptedReader::end_of(std::uint64_t page) const {
  return page + 1 < pages() ? start_of(page + 1) : size_;
}

Error EncryptedReader::damaged_page(std::uint64_t page) const {
  return Error(ErrorCode::kCorruption, "a page of the encrypted file is damaged, was altered, or belongs elsewhere")
      .at_file(path_, place_of(page));
}

Status EncryptedReader::decrypt(Cipher& cipher, const Part& part) const {
  std::array<char, kPagePlainBytes> plain;
  for (std::uint64_t i = 0; i < part.pages; ++i) {
    const std::uint64_t page = part.first_page + i, start = start_of(page), end = end_of(page);
    if (start == end) continue;  // a damaged page of which others say that it holds nothing
    const std::string_view stored = std::string_view(part.stored).substr(i * kPageBytes, kPageBytes);
    const std::uint64_t from = std::max(start, part.offset), to = std::min(end, part.offset + part.into.size());
    // A page that is wanted whole is opened where it is wanted.
    const bool whole = from == start && to == start + kPagePlainBytes;
    char* const wanted = part.into.data() + (from - part.offset);
    char* const opened = whole ? wanted : plain.data();
    LIGHTNING_ASSIGN(const auto head, open_page(cipher, page, stored, opened));
    if (!head || head->start != start || head->bytes != end - start) return damaged_page(page);
    if (!whole) std::memcpy(wanted, plain.data() + (from - start), to - from);
  }
  return {};
}

Status EncryptedReader::read(std::uint64_t offset, std::span<char> into) const {
  Request request{.offset = offset, .into = into};
  read_many({&request, 1});
  return std::move(request.status);
}

void EncryptedReader::read_many(std::span<Request> requests) const {
  // Long reads go piece by piece, so that what is decrypted from takes bounded memory.
  constexpr std::uint64_t kPieceBytes = kPagesPerRead * kPagePlainBytes;
  std::vector<Part> parts;
  std::vector<std::size_t> of;  // which request a part belongs to
  std::vector<Request> below;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Request& request = requests[i];
    request.status = {};
    const std::uint64_t bytes = request.into.size();
    if (request.offset > size_ || bytes > size_ - request.offset) {
      request.status = env::short_file_error(path_, request.offset, bytes, size_);
      continue;
    }
    if (bytes > kPieceBytes) {
      for (std::uint64_t done = 0; done < bytes && request.status; done += kPieceBytes)
        request.status = read(request.offset + done, request.into.subspan(done, std::min(kPieceBytes, bytes - done)));
      continue;
    }
    if (bytes == 0) continue;
    const std::uint64_t first = page_of(request.offset), last = page_of(request.offset + bytes - 1);
    parts.push_back({.first_page = first,
                     .pages = last - first + 1,
                     .offset = request.offset,
                     .into = request.into,
                     .stored = std::string((last - first + 1) * kPageBytes, '\0')});
    of.push_back(i);
  }
  below.reserve(parts.size());
  for (Part& part : parts) below.push_back({.offset = place_of(part.first_page), .into = part.stored});
  if (below.empty()) return;
  below_->read_many(below);
  Result<Cipher> cipher = Cipher::with(key_);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Status& status = requests[of[i]].status;
    if (!below[i].status) {
      status = std::move(below[i].status);
    } else {
      status = cipher ? decrypt(*cipher, parts[i]) : Status(cipher.error());
    }
  }
}

void EncryptedReader::prefetch(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset >= size_ || bytes == 0) return;
  const std::uint64_t first = page_of(offset), last = page_of(offset + std::min(bytes, size_ - offset) - 1);
  below_->prefetch(place_of(first), (last - first + 1) * kPageBytes);
}

}  // namespace lightning::crypto
