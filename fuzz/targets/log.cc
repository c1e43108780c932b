// wal/: a directory of segments, inspected and replayed as it is and with its check values put right. What replay gives
// out are whole commits, one behind the other, and the same the next time.
#include <algorithm>

#include "env/simulated_world.h"
#include "fuzz/support/log_repair.h"
#include "fuzz/support/target.h"
#include "wal/layout.h"
#include "wal/segment_reader.h"
#include "wal/wal.h"

namespace lightning::wal {

namespace {

struct Commit {
  Sequence first = 0, last = 0;
  std::string payload;
  bool operator==(const Commit&) const = default;
};

struct Replayed {
  Result<ReplayReport> report = ReplayReport{};
  std::vector<Commit> commits;
};

Replayed replay_all(env::Env& env, const format::Uid& store, const ReplayOptions& options) {
  Replayed all;
  all.report = replay(env, "/wal", store, options, [&](const RecoveredCommit& commit) -> Status {
    FUZZ_EXPECT(commit.operations > 0 && commit.first_sequence > options.start);
    if (!all.commits.empty()) FUZZ_EXPECT(commit.first_sequence == all.commits.back().last + 1);
    all.commits.push_back(
        {commit.first_sequence, commit.first_sequence + commit.operations - 1, std::string(commit.payload)});
    return {};
  });
  if (!all.report) FUZZ_EXPECT(!all.report.error().to_string().empty());
  return all;
}

bool fuzz_directory(const std::vector<std::string>& segments) {
  env::SimulatedWorld world(1);
  FUZZ_EXPECT(world.files.create_directories("/wal"));
  format::Uid store;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string path = "/wal/" + segment_name(i + 1);
    FUZZ_EXPECT(world.files.put_file(path, segments[i]));
    bytes += segments[i].size();
    std::uint64_t payloads = 0;
    const auto facts = inspect_segment(world.env, path, [&](const RecordFacts& record) {
      payloads += record.payload.size();
      return true;
    });
    FUZZ_EXPECT(payloads <= segments[i].size());
    if (const auto prepared = decode_prepared(segments[i]); i == 0 && prepared) store = prepared->store_id;
  }
  const Replayed all = replay_all(world.env, store, {});
  std::uint64_t payloads = 0;
  for (const Commit& commit : all.commits) payloads += commit.payload.size();
  FUZZ_EXPECT(payloads <= bytes);
  // A second time: after half of it, and on the condition that all of it was durable.
  const Sequence half = all.commits.empty() ? 0 : all.commits[all.commits.size() / 2].last;
  (void)replay_all(world.env, store, {.start = half});
  if (!all.report) return false;
  FUZZ_EXPECT(all.report->commits == all.commits.size());
  if (!all.commits.empty()) FUZZ_EXPECT(all.report->end.last_sequence == all.commits.back().last);
  const Replayed again = replay_all(world.env, store, {.known_durable = all.report->end.last_sequence});
  FUZZ_EXPECT(again.report && again.commits == all.commits);
  FUZZ_EXPECT(!replay_all(world.env, store, {.known_durable = all.report->end.last_sequence + 1}).report);
  return !all.commits.empty();
}

}  // namespace

LIGHTNING_FUZZ_TARGET(log) {
  std::vector<std::string> segments = fuzz::split_segments(input);
  const bool taken = fuzz_directory(segments);
  fuzz::repair_segments(segments);
  return fuzz_directory(segments) || taken;
}

}  // namespace lightning::wal
