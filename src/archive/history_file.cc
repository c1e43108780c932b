#include "archive/history_file.h"

#include <algorithm>
#include <cstdio>

#include "base/coding.h"
#include "format/entry.h"
#include "lightning/types.h"
#include "wal/layout.h"

namespace lightning::archive {

namespace {

constexpr std::uint64_t kMagic = 0x31'54'53'49'48'42'44'4CULL;  // "LDBHIST1"
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeadBytes = 64, kItemBytes = 40, kEndBytes = 112, kDigestBytes = 32;
constexpr std::uint32_t kCommit = 1, kChange = 2, kEnd = 3;
constexpr std::uint64_t kPieceBytes = 1 << 20;

std::string numbered(std::uint64_t number, const char* ending) {
  char name[40];
  std::snprintf(name, sizeof name, "%012llu%s", static_cast<unsigned long long>(number), ending);
  return name;
}

std::optional<std::uint64_t> number_of(std::string_view name, std::string_view ending) {
  if (name.size() != 12 + ending.size() || !name.ends_with(ending)) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : name.substr(0, 12)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  return number;
}

std::string encode_head(const HistoryInfo& info) {
  std::string head;
  base::append_le(head, kMagic);
  base::append_le(head, kVersion);
  base::append_le(head, info.epoch);
  head += base::as_bytes(info.store_id.bytes);
  base::append_le(head, info.number);
  base::append_le(head, info.start.last_sequence);
  base::append_le(head, info.start.chain);
  base::append_le(head, base::hash64(head));
  return head;
}

std::string encode_end(const HistoryInfo& info) {
  std::string end;
  base::append_le(end, kEnd);
  base::append_le(end, std::uint32_t{0});
  base::append_le(end, info.end.last_sequence);
  base::append_le(end, info.end.chain);
  base::append_le(end, info.first_time_ns);
  base::append_le(end, info.last_time_ns);
  base::append_le(end, info.known_until_ns);
  base::append_le(end, info.commits);
  base::append_le(end, info.changes);
  base::append_le(end, info.file_bytes);
  return end;
}

// Reads a file from its beginning to its end, in pieces.
class Reader {
 public:
  explicit Reader(std::unique_ptr<env::RandomAccessFile> file) : file_(std::move(file)), size_(file_->size()) {}
  std::uint64_t offset() const { return offset_; }
  std::uint64_t rest() const { return size_ - offset_; }
  // The next bytes, good until the next call; no more than rest().
  Result<std::string_view> take(std::uint64_t bytes) {
    if (offset_ + bytes > window_offset_ + window_.size()) {
      window_offset_ = offset_;
      window_.resize(static_cast<std::size_t>(std::min(std::max(bytes, kPieceBytes), rest())));
      LIGHTNING_TRY(file_->read(offset_, window_));
    }
    const std::string_view taken = std::string_view(window_).substr(offset_ - window_offset_, bytes);
    offset_ += bytes;
    return taken;
  }

 private:
  std::unique_ptr<env::RandomAccessFile> file_;
  const std::uint64_t size_;
  std::string window_;
  std::uint64_t window_offset_ = 0, offset_ = 0;
};

}  // namespace

std::string history_name(std::uint64_t number) { return numbered(number, ".history"); }
std::optional<std::uint64_t> history_number(std::string_view name) { return number_of(name, ".history"); }
std::string blob_name(format::FileNumber number) { return numbered(number, ".blob"); }
std::optional<format::FileNumber> blob_number(std::string_view name) { return number_of(name, ".blob"); }

Error damaged_history(const std::string& path, std::uint64_t offset, std::string_view what) {
  return Error(ErrorCode::kBackupCorrupt, "a file of the archive " + std::string(what)).at_file(path, offset);
}

bool HistoryInfo::follows(const HistoryInfo& before) const {
  return number == before.number + 1 && store_id == before.store_id && epoch == before.epoch &&
         start.last_sequence == before.end.last_sequence && start.chain == before.end.chain;
}

// --- writing --------------------------------------------------------------------------------------------------------

HistoryWriter::HistoryWriter(std::unique_ptr<env::WritableFile> file, std::uint64_t number, const format::Uid& store_id,
                             std::uint32_t epoch, wal::LogPosition start)
    : file_(std::move(file)) {
  info_.number = number;
  info_.store_id = store_id;
  info_.epoch = epoch;
  info_.start = info_.end = start;
}

Status HistoryWriter::append(std::string_view bytes) {
  digest_.add(bytes);
  return file_->append(bytes);
}

Status HistoryWriter::begin() {
  if (begun_) return {};
  begun_ = true;
  return append(encode_head(info_));
}

Status HistoryWriter::add_item(std::uint32_t kind, std::uint32_t operations, std::uint64_t sequence,
                               std::uint64_t time_ns, std::string_view payload) {
  LIGHTNING_TRY(begin());
  std::string item;
  base::append_le(item, kind);
  base::append_le(item, operations);
  base::append_le(item, sequence);
  base::append_le(item, time_ns);
  base::append_le(item, std::uint64_t{payload.size()});
  base::append_le(item, base::hash64(payload, base::hash64(item)));
  LIGHTNING_TRY(append(item));
  LIGHTNING_TRY(append(payload));
  if (info_.commits + info_.changes == 0) info_.first_time_ns = time_ns;
  info_.last_time_ns = time_ns;
  return {};
}

Status HistoryWriter::add(const wal::RecoveredCommit& commit) {
  LIGHTNING_TRY(add_item(kCommit, commit.operations, commit.first_sequence, commit.commit_time_ns, commit.payload));
  info_.end = {.last_sequence = commit.last_sequence(), .chain = commit.chain};
  ++info_.commits;
  return {};
}

Status HistoryWriter::add(const manifest::VersionEdit::KeyspaceChange& change) {
  LIGHTNING_TRY(add_item(kChange, 0, change.after, change.time_ns, change.edit));
  ++info_.changes;
  return {};
}

Result<HistoryInfo> HistoryWriter::finish(std::uint64_t known_until_ns) {
  LIGHTNING_TRY(begin());
  info_.known_until_ns = known_until_ns;
  info_.file_bytes = file_->size() + kEndBytes;
  std::string end = encode_end(info_);
  digest_.add(end);
  end += base::as_bytes(digest_.finish());
  base::append_le(end, base::hash64(end));
  LIGHTNING_TRY(file_->append(end));
  LIGHTNING_TRY(file_->sync());
  LIGHTNING_TRY(file_->close());
  return info_;
}

// --- reading --------------------------------------------------------------------------------------------------------

Result<HistoryInfo> describe_history(env::Env& env, const std::string& path) {
  LIGHTNING_ASSIGN(const auto file, env.files.open_random_access(path, env::FileClass::kOther));
  if (file->size() < kHeadBytes + kEndBytes) return damaged_history(path, file->size(), "is cut short");
  std::string head(kHeadBytes, '\0'), end(kEndBytes, '\0');
  const std::uint64_t end_at = file->size() - kEndBytes;
  LIGHTNING_TRY(file->read(0, head));
  LIGHTNING_TRY(file->read(end_at, end));

  HistoryInfo info;
  std::string_view rest = head, uid;
  std::uint64_t magic = 0, check = 0;
  std::uint32_t version = 0, kind = 0, reserved = 0;
  (void)(base::get_le(rest, magic) && base::get_le(rest, version) && base::get_le(rest, info.epoch) &&
         base::get_bytes(rest, info.store_id.bytes.size(), uid) && base::get_le(rest, info.number) &&
         base::get_le(rest, info.start.last_sequence) && base::get_le(rest, info.start.chain) &&
         base::get_le(rest, check));
  if (magic != kMagic) return damaged_history(path, 0, "does not begin as one");
  if (check != base::hash64(std::string_view(head).substr(0, kHeadBytes - 8)))
    return damaged_history(path, 0, "has a beginning that does not verify");
  if (version > kVersion)
    return Error(ErrorCode::kFormatUnsupported, "a file of the archive has format version " + std::to_string(version) +
                                                    ", this build reads up to " + std::to_string(kVersion))
        .at_file(path);
  __builtin_memcpy(info.store_id.bytes.data(), uid.data(), uid.size());

  rest = end;
  (void)(base::get_le(rest, kind) && base::get_le(rest, reserved) && base::get_le(rest, info.end.last_sequence) &&
         base::get_le(rest, info.end.chain) && base::get_le(rest, info.first_time_ns) &&
         base::get_le(rest, info.last_time_ns) && base::get_le(rest, info.known_until_ns) &&
         base::get_le(rest, info.commits) && base::get_le(rest, info.changes) && base::get_le(rest, info.file_bytes));
  if (base::load_le<std::uint64_t>(end.data() + kEndBytes - 8) !=
      base::hash64(std::string_view(end).substr(0, kEndBytes - 8)))
    return damaged_history(path, end_at, "is cut short, or has an end that does not verify");
  if (kind != kEnd || info.file_bytes != file->size() || info.end.last_sequence < info.start.last_sequence ||
      info.end.last_sequence > format::kSequenceMax)
    return damaged_history(path, end_at, "has an end that is not its own");
  return info;
}

Status read_history(env::Env& env, const std::string& path, const HistoryInfo& info, const HistoryVisitor& visitor) {
  LIGHTNING_ASSIGN(auto file, env.files.open_random_access(path, env::FileClass::kOther));
  if (file->size() != info.file_bytes) return damaged_history(path, file->size(), "has changed its size");
  Reader reader(std::move(file));
  base::DigestBuilder digest;
  LIGHTNING_ASSIGN(const std::string_view head, reader.take(kHeadBytes));
  if (head != encode_head(info)) return damaged_history(path, 0, "has changed");
  digest.add(head);
  wal::LogPosition at = info.start;
  std::uint64_t commits = 0, changes = 0;
  while (reader.rest() > kEndBytes) {
    const std::uint64_t offset = reader.offset();
    const auto bad = [&](std::string_view what) { return damaged_history(path, offset, what); };
    if (reader.rest() < kEndBytes + kItemBytes) return bad("holds bytes that are no record");
    LIGHTNING_ASSIGN(const std::string_view taken, reader.take(kItemBytes));
    const std::string item(taken);
    digest.add(item);
    const auto kind = base::load_le<std::uint32_t>(item.data());
    const auto operations = base::load_le<std::uint32_t>(item.data() + 4);
    const auto sequence = base::load_le<std::uint64_t>(item.data() + 8);
    const auto time_ns = base::load_le<std::uint64_t>(item.data() + 16);
    const auto bytes = base::load_le<std::uint64_t>(item.data() + 24);
    if (bytes > reader.rest() - kEndBytes) return bad("holds a record that ends beyond it");
    LIGHTNING_ASSIGN(const std::string_view payload, reader.take(bytes));
    digest.add(payload);
    if (base::load_le<std::uint64_t>(item.data() + 32) !=
        base::hash64(payload, base::hash64(std::string_view(item).substr(0, 32))))
      return bad("holds a record that does not verify");
    if (visitor.read) LIGHTNING_TRY(visitor.read(kItemBytes + bytes));
    if (kind == kChange) {
      if (sequence > at.last_sequence || operations != 0) return bad("holds a change of keyspaces at a wrong place");
      ++changes;
      if (visitor.change)
        LIGHTNING_TRY(visitor.change({.after = sequence, .time_ns = time_ns, .edit = std::string(payload)}));
      continue;
    }
    if (kind != kCommit || operations == 0 || sequence != at.last_sequence + 1 ||
        at.last_sequence + operations > info.end.last_sequence)
      return bad("holds a commit at a wrong place");
    at.last_sequence += operations;
    at.chain = wal::extend_chain(at.chain, {.payload_hash = base::hash64(payload),
                                            .first_sequence = sequence,
                                            .commit_time_ns = time_ns,
                                            .payload_bytes = bytes,
                                            .operations = operations,
                                            .epoch = info.epoch});
    ++commits;
    if (!visitor.commit) continue;
    LIGHTNING_TRY(visitor.commit({.first_sequence = sequence,
                                  .operations = operations,
                                  .commit_time_ns = time_ns,
                                  .chain = at.chain,
                                  .epoch = info.epoch,
                                  .payload = payload}));
  }
  const std::uint64_t end_at = reader.offset();
  if (at.last_sequence != info.end.last_sequence || at.chain != info.end.chain || commits != info.commits ||
      changes != info.changes)
    return damaged_history(path, end_at, "does not hold the history that its end tells of");
  LIGHTNING_ASSIGN(const std::string_view end, reader.take(kEndBytes));
  digest.add(end.substr(0, kEndBytes - kDigestBytes - 8));
  if (end.substr(kEndBytes - kDigestBytes - 8, kDigestBytes) != base::as_bytes(digest.finish()))
    return damaged_history(path, end_at, "does not agree with its digest");
  return {};
}

}  // namespace lightning::archive
