#include "backup/stream.h"

#include <algorithm>
#include <map>
#include <span>

#include "backup/new_database.h"
#include "backup/transfer.h"
#include "base/coding.h"

namespace lightning::backup {

namespace {

using Kind = engine::CheckpointTarget::Kind;

constexpr std::uint64_t kStreamMagic = 0x314D'5254'5342'444CULL;  // "LDBSTRM1"
constexpr std::uint32_t kStreamVersion = 1;
constexpr std::size_t kStreamHeaderBytes = 16, kFrameHeaderBytes = 24;
constexpr std::size_t kFrameBytesMax = 1 << 20;

enum class FrameType : std::uint8_t { kTableData = 1, kTableEnd, kBlobData, kBlobEnd, kCatalogue, kEnd };

// Header: type, 3 zero bytes, payload bytes, file number; then the check, over all of the frame but itself.
std::uint64_t check_of(std::string_view head, std::string_view payload) {
  return base::hash64(payload, base::hash64(head));
}

// --- sending
// ----------------------------------------------------------------------------------------------------------

class Sender {
 public:
  explicit Sender(const BackupSink& sink) : sink_(sink) {}
  Status begin() {
    std::string header;
    base::append_le(header, kStreamMagic);
    base::append_le(header, kStreamVersion);
    base::append_le(header, std::uint32_t{0});
    return sink_(header);
  }
  Status frame(FrameType type, format::FileNumber number, std::string_view payload) {
    do {
      const std::string_view piece = payload.substr(0, kFrameBytesMax);
      payload.remove_prefix(piece.size());
      std::string header;
      base::append_le(header, static_cast<std::uint32_t>(type));
      base::append_le(header, static_cast<std::uint32_t>(piece.size()));
      base::append_le(header, number);
      base::append_le(header, check_of(header, piece));
      LIGHTNING_TRY(sink_(header));
      if (!piece.empty()) LIGHTNING_TRY(sink_(piece));
    } while (!payload.empty());
    return {};
  }
  std::map<format::FileNumber, base::Digest> digests;  // of the files that have been sent

 private:
  const BackupSink& sink_;
};

// A file that is written into the stream.
class SentFile final : public env::WritableFile {
 public:
  SentFile(Sender& sender, Kind kind, format::FileNumber number) : sender_(sender), kind_(kind), number_(number) {}
  Status append(std::string_view bytes) override {
    size_ += bytes.size();
    digest_.add(bytes);
    buffer_ += bytes;
    return buffer_.size() < kFrameBytesMax / 4 ? Status{} : flush();
  }
  Status flush() override {
    if (buffer_.empty()) return {};
    const FrameType type = kind_ == Kind::kBlob ? FrameType::kBlobData : FrameType::kTableData;
    LIGHTNING_TRY(sender_.frame(type, number_, buffer_));
    buffer_.clear();
    return {};
  }
  Status sync() override { return flush(); }
  Status close() override {
    LIGHTNING_TRY(flush());
    sender_.digests[number_] = digest_.finish();
    return sender_.frame(kind_ == Kind::kBlob ? FrameType::kBlobEnd : FrameType::kTableEnd, number_, {});
  }
  std::uint64_t size() const override { return size_; }

 private:
  Sender& sender_;
  const Kind kind_;
  const format::FileNumber number_;
  std::string buffer_;
  base::DigestBuilder digest_;
  std::uint64_t size_ = 0;
};

Status send_file(engine::Engine& engine, Sender& sender, const StoredFile& file, Transfer& transfer) {
  const std::string path = file.is_blob ? engine.blob_path(file.number()) : engine.table_path(file.number());
  bool stopped = false;
  const auto before_read = [&](std::uint64_t) {
    stopped = stopped || !transfer.wait_for(0);
    return !stopped;
  };
  const Status whole = file.is_blob ? engine.check_copy(*file.blob, path, before_read)
                                    : engine.check_copy(*file.table, path, before_read);
  if (stopped) return Transfer::cancelled();
  LIGHTNING_TRY(whole);
  SentFile sent(sender, file.is_blob ? Kind::kBlob : Kind::kTable, file.number());
  LIGHTNING_TRY(transfer.read(path, file.is_blob ? env::FileClass::kBlob : env::FileClass::kTable, file.bytes(),
                              [&](std::string_view piece) { return sent.append(piece); }));
  LIGHTNING_TRY(sent.close());
  return transfer.file_done();
}

// --- receiving
// --------------------------------------------------------------------------------------------------------

struct Frame {
  FrameType type = FrameType::kEnd;
  format::FileNumber number = 0;
  std::string payload;
};

class Receiver {
 public:
  explicit Receiver(const BackupSource& source) : source_(source) {}

  Status begin() {
    std::string header(kStreamHeaderBytes, '\0');
    LIGHTNING_TRY(read(header, "the stream of a backup is empty or cut short"));
    if (base::load_le<std::uint64_t>(header.data()) != kStreamMagic)
      return damaged("this is not the stream of a backup", 0);
    const auto version = base::load_le<std::uint32_t>(header.data() + 8);
    if (version > kStreamVersion)
      return Error(ErrorCode::kFormatUnsupported, "the stream has format version " + std::to_string(version) +
                                                      ", this build reads up to " + std::to_string(kStreamVersion));
    if (version != kStreamVersion || base::load_le<std::uint32_t>(header.data() + 12) != 0)
      return damaged("the header does not verify", 0);
    return {};
  }
  Status next(Frame& frame) {
    const std::uint64_t at = offset_;
    std::string header(kFrameHeaderBytes, '\0');
    LIGHTNING_TRY(read(header, "the stream of a backup ends early"));
    const auto type = base::load_le<std::uint32_t>(header.data());
    const auto bytes = base::load_le<std::uint32_t>(header.data() + 4);
    if (type < 1 || type > static_cast<std::uint32_t>(FrameType::kEnd) || bytes > kFrameBytesMax)
      return damaged("a frame of the stream does not verify", at);
    frame.type = static_cast<FrameType>(type);
    frame.number = base::load_le<std::uint64_t>(header.data() + 8);
    frame.payload.resize(bytes);
    LIGHTNING_TRY(read(frame.payload, "the stream of a backup ends early"));
    if (base::load_le<std::uint64_t>(header.data() + 16) !=
        check_of(std::string_view(header).substr(0, 16), frame.payload))
      return damaged("a frame of the stream does not verify", at);
    return {};
  }
  // Nothing may follow.
  Status end() {
    char more = 0;
    LIGHTNING_ASSIGN(const std::size_t bytes, source_({&more, 1}));
    return bytes == 0 ? Status{} : damaged("something follows the end of the stream", offset_);
  }
  static Error damaged(std::string_view what, std::uint64_t offset) {
    return Error(ErrorCode::kBackupCorrupt, std::string(what) + ", at byte " + std::to_string(offset))
        .with_advice("take the stream again, or use another backup");
  }
  std::uint64_t offset() const { return offset_; }

 private:
  Status read(std::span<char> into, std::string_view if_short) {
    while (!into.empty()) {
      LIGHTNING_ASSIGN(const std::size_t bytes, source_(into));
      if (bytes == 0) return damaged(if_short, offset_);
      offset_ += bytes;
      into = into.subspan(bytes);
    }
    return {};
  }
  const BackupSource& source_;
  std::uint64_t offset_ = 0;
};

// The files of a new database as they come.
class Arrivals {
 public:
  Arrivals(env::Env& env, const NewDatabase& target, Transfer& transfer)
      : env_(env), target_(target), transfer_(transfer) {}

  Status data(bool is_blob, const Frame& frame) {
    LIGHTNING_ASSIGN(Open* const open, open_file(is_blob, frame.number));
    if (!transfer_.wait_for(frame.payload.size())) return Transfer::cancelled();
    open->digest.add(frame.payload);
    open->bytes += frame.payload.size();
    LIGHTNING_TRY(open->file->append(frame.payload));
    return transfer_.passed(frame.payload.size());
  }
  Status end(bool is_blob, format::FileNumber number) {
    LIGHTNING_ASSIGN(Open* const open, open_file(is_blob, number));
    LIGHTNING_TRY(open->file->sync());
    LIGHTNING_TRY(open->file->close());
    if (!whole_.emplace(number, Whole{is_blob, open->bytes, open->digest.finish()}).second)
      return Error(ErrorCode::kBackupCorrupt, "the stream holds file " + std::to_string(number) + " twice");
    open_.erase(number);
    return transfer_.file_done();
  }
  // That they are what the catalogue names, all of it and nothing else.
  Status compare(const Catalogue& catalogue) const {
    const std::vector<StoredFile> files = files_of(catalogue.state);
    if (!open_.empty() || files.size() != whole_.size())
      return Error(ErrorCode::kBackupCorrupt, "the stream does not hold the files that its catalogue names");
    for (std::size_t i = 0; i < files.size(); ++i) {
      const auto found = whole_.find(files[i].number());
      if (found == whole_.end() || found->second.is_blob != files[i].is_blob ||
          found->second.bytes != files[i].bytes() || found->second.digest != catalogue.digests[i])
        return Error(ErrorCode::kBackupCorrupt, "a file of the stream is not the one that its catalogue names")
            .at_file(target_.path_of(files[i].is_blob, files[i].number()));
    }
    return {};
  }

 private:
  struct Open {
    bool is_blob = false;
    std::unique_ptr<env::WritableFile> file;
    base::DigestBuilder digest;
    std::uint64_t bytes = 0;
  };
  struct Whole {
    bool is_blob = false;
    std::uint64_t bytes = 0;
    base::Digest digest{};
  };
  Result<Open*> open_file(bool is_blob, format::FileNumber number) {
    constexpr std::size_t kOpenMax = 16;  // a sender has a table and a blob file in hand
    if (const auto found = open_.find(number); found != open_.end()) {
      if (found->second.is_blob == is_blob) return &found->second;
      return Error(ErrorCode::kBackupCorrupt, "the stream holds file " + std::to_string(number) + " as two things");
    }
    if (whole_.contains(number) || open_.size() >= kOpenMax)
      return Error(ErrorCode::kBackupCorrupt, "the stream goes on with a file that it has ended, or begins too many");
    LIGHTNING_ASSIGN(auto file, env_.files.create_writable(target_.path_of(is_blob, number),
                                                           is_blob ? env::FileClass::kBlob : env::FileClass::kTable));
    Open& open = open_[number];
    open.is_blob = is_blob;
    open.file = std::move(file);
    return &open;
  }

  env::Env& env_;
  const NewDatabase& target_;
  Transfer& transfer_;
  std::map<format::FileNumber, Open> open_;
  std::map<format::FileNumber, Whole> whole_;
};

Result<Catalogue> receive_all(Receiver& receiver, Arrivals& arrivals) {
  std::string encoded;
  for (Frame frame;;) {
    LIGHTNING_TRY(receiver.next(frame));
    switch (frame.type) {
      case FrameType::kTableData:
      case FrameType::kBlobData:
        LIGHTNING_TRY(arrivals.data(frame.type == FrameType::kBlobData, frame));
        break;
      case FrameType::kTableEnd:
      case FrameType::kBlobEnd:
        LIGHTNING_TRY(arrivals.end(frame.type == FrameType::kBlobEnd, frame.number));
        break;
      case FrameType::kCatalogue:
        encoded += frame.payload;
        if (encoded.size() > kCatalogueBytesMax)
          return Receiver::damaged("the catalogue of the stream has no end", receiver.offset());
        break;
      case FrameType::kEnd:
        LIGHTNING_TRY(receiver.end());
        LIGHTNING_ASSIGN(Catalogue catalogue, Catalogue::decode(encoded, "the stream"));
        LIGHTNING_TRY(arrivals.compare(catalogue));
        return catalogue;
    }
  }
}

}  // namespace

Result<BackupInfo> send(env::Env& env, const std::shared_ptr<engine::Engine>& engine, const BackupSink& sink,
                        const BackupOptions& options) {
  const auto run = [&]() -> Result<BackupInfo> {
    if (!engine->is_read_only() && engine->check_writable() && !engine->flush() && engine->is_closing())
      return Transfer::cancelled();
    LIGHTNING_ASSIGN(const auto checkpoint, engine->checkpoint());
    Transfer transfer(env, options.bytes_per_second, options.progress, [&] { return engine->is_closing(); });
    Sender sender(sink);
    LIGHTNING_TRY(sender.begin());
    engine::CheckpointTarget target;
    target.create = [&](Kind kind, format::FileNumber number) -> Result<std::unique_ptr<env::WritableFile>> {
      return std::make_unique<SentFile>(sender, kind, number);
    };
    target.discard = [](Kind, format::FileNumber) {};  // the stream as a whole is of no use then
    target.progress = [&](std::uint64_t bytes) -> Status {
      if (!transfer.wait_for(bytes)) return Transfer::cancelled();
      return {};
    };
    LIGHTNING_TRY(engine->write_out(*checkpoint, target));
    Catalogue catalogue;
    catalogue.superblock = checkpoint->superblock;
    catalogue.taken_ns = checkpoint->taken_ns;
    catalogue.state = checkpoint->state;
    const std::vector<StoredFile> files = files_of(catalogue.state);
    for (const StoredFile& file : files) {
      catalogue.new_files += 1;
      catalogue.new_bytes += file.bytes();
    }
    transfer.expect(catalogue.new_files, catalogue.new_bytes);
    for (const StoredFile& file : files) {
      if (sender.digests.contains(file.number())) {
        LIGHTNING_TRY(transfer.file_done(file.bytes()));
      } else {
        LIGHTNING_TRY(send_file(*engine, sender, file, transfer));
      }
      catalogue.digests.push_back(sender.digests[file.number()]);
    }
    LIGHTNING_TRY(sender.frame(FrameType::kCatalogue, 0, catalogue.encode()));
    LIGHTNING_TRY(sender.frame(FrameType::kEnd, 0, {}));
    return catalogue.info();
  };
  Result<BackupInfo> sent = run();
  if (!sent && engine->is_beside_writer() &&
      (sent.error().code() == ErrorCode::kTableMissing || sent.error().code() == ErrorCode::kBlobMissing))
    return std::move(sent)
        .error()
        .while_doing("streaming " + engine->path())
        .with_advice("the process that writes has replaced the file meanwhile: try again, or back up to a directory");
  if (!sent) return std::move(sent).error().while_doing("streaming " + engine->path());
  return sent;
}

Result<BackupInfo> receive(env::Env& env, const BackupSource& source, const std::string& path,
                           const RestoreOptions& options) {
  if (path.empty()) return Error(ErrorCode::kInvalidArgument, "the path to restore to is empty");
  if (options.replace || options.number != 0 || !options.keyspaces.empty())
    return Error(ErrorCode::kInvalidArgument, "a stream has no number, replaces no database and is restored whole")
        .with_advice("restore it into a new directory: whether it is good shows at its end");
  const auto run = [&]() -> Result<BackupInfo> {
    Transfer transfer(env, options.bytes_per_second, options.progress);
    Receiver receiver(source);
    LIGHTNING_TRY(receiver.begin());
    NewDatabase target(env, path);
    LIGHTNING_TRY(target.claim(false));
    Arrivals arrivals(env, target, transfer);
    LIGHTNING_ASSIGN(const Catalogue catalogue, receive_all(receiver, arrivals));
    LIGHTNING_TRY(target.finish(catalogue));
    return catalogue.info();
  };
  Result<BackupInfo> received = run();
  if (!received) return std::move(received).error().while_doing("restoring a stream to " + path);
  return received;
}

}  // namespace lightning::backup
