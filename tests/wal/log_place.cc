#include "wal/log_place.h"

#include <algorithm>
#include <atomic>
#include <filesystem>

namespace lightning::wal {

namespace {

class PosixPlace final : public LogPlace {
 public:
  PosixPlace() {
    static std::atomic<unsigned> count{0};
    const std::string name =
        "lightning-wal-" + std::to_string(PosixPlace::env().random.next()) + "-" + std::to_string(++count);
    directory_ = (std::filesystem::temp_directory_path() / name).string();
    must(PosixPlace::env().files.create_directories(directory_));
  }
  ~PosixPlace() override {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  env::Env& env() override { return env::Env::real(); }
};

}  // namespace

std::unique_ptr<LogPlace> make_posix_place() { return std::make_unique<PosixPlace>(); }

std::vector<std::string> Replayed::payloads() const {
  std::vector<std::string> all;
  for (const Commit& commit : commits) all.push_back(commit.payload);
  return all;
}

std::unique_ptr<WriteAheadLog> LogPlace::open(LogOptions options, LogPosition start) {
  return must(WriteAheadLog::create(env(), directory_, kStore, 1, start, options, budget));
}

std::unique_ptr<WriteAheadLog> LogPlace::reopen(LogOptions options) { return open(options, must(replay()).report.end); }

Result<Replayed> LogPlace::replay(ReplayOptions options) {
  Replayed all;
  auto report = wal::replay(env(), directory_, kStore, options, [&](const RecoveredCommit& commit) -> Status {
    all.commits.push_back(
        {commit.first_sequence, commit.operations, commit.commit_time_ns, std::string(commit.payload)});
    return {};
  });
  if (!report) return std::move(report).error();
  all.report = std::move(*report);
  return all;
}

std::vector<std::string> LogPlace::names() { return must(env().files.list(directory_)); }

std::string LogPlace::content(const std::string& path) { return must(env().files.read_file(path, 1 << 30)); }

void LogPlace::overwrite(const std::string& path, std::uint64_t offset, std::string_view bytes) {
  auto file = must(env().files.open_updatable(path, env::FileClass::kOther, 0));
  must(file->write(offset, bytes));
  must(file->sync());
}

void LogPlace::flip(const std::string& path, std::uint64_t offset, unsigned bit) {
  auto file = must(env().files.open_updatable(path, env::FileClass::kOther, 0));
  char byte = 0;
  must(file->read(offset, {&byte, 1}));
  byte = static_cast<char>(byte ^ (1 << bit));
  must(file->write(offset, {&byte, 1}));
  must(file->sync());
}

std::vector<RecordFacts> LogPlace::records(const std::string& path) {
  std::vector<RecordFacts> all;
  const auto visit = [&](const RecordFacts& facts) {
    all.push_back(facts);
    all.back().payload = {};
    return true;
  };
  (void)must(inspect_segment(env(), path, visit));
  return all;
}

WriteAheadLog::Ticket append(WriteAheadLog& log, std::string_view payload, bool sync, std::uint32_t operations) {
  auto ticket = must(log.reserve({.payload = payload, .operations = operations, .sync = sync}));
  log.copy(ticket, payload);
  log.complete(ticket);
  return ticket;
}

std::string payload_of(std::uint64_t n, std::size_t bytes) {
  std::string payload = std::to_string(n) + ":";
  const std::size_t head = payload.size();
  std::uint64_t state = (n + 1) * 0x9e3779b97f4a7c15u;
  while (payload.size() < bytes) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    payload += static_cast<char>(state >> 32);
  }
  payload.resize(std::max(bytes, head));
  return payload;
}

}  // namespace lightning::wal
