// Torn, damaged or whole: what replay makes of bytes that are not as they were written.
#include <gmock/gmock.h>

#include <map>

#include "base/coding.h"
#include "wal/log_place.h"

namespace lightning::wal {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The files of a log's directory, to be changed and put into another place.
using Files = std::map<std::string, std::string>;

Files files_of(LogPlace& place) {
  Files files;
  for (const std::string& name : place.names()) files[name] = place.content(place.directory() + "/" + name);
  return files;
}

Result<Replayed> replay_files(const Files& files, ReplayOptions options = {}) {
  SimulatedPlace place;
  for (const auto& [name, bytes] : files) place.world.files.put_file(place.directory() + "/" + name, bytes);
  return place.replay(std::move(options));
}

// One segment: `durable` Sync commits, then `tail` that nobody synced, as a killed process leaves them.
struct SmallLog {
  explicit SmallLog(int durable, int tail, std::size_t payload = 40) {
    auto log = place.open({.segment_bytes = 8 << 10});
    for (int i = 0; i < durable; ++i) commit_one(*log, payload, true);
    for (int i = 0; i < tail; ++i) commit_one(*log, payload, false);
    end = kHeaderPageBytes + log->counters().bytes;
    files = files_of(place);
    files.erase(segment_name(2));  // prepared ahead, perhaps
    must(log->close());
    sealed = files_of(place);
  }
  void commit_one(WriteAheadLog& log, std::size_t payload, bool sync) {
    written.push_back(payload_of(written.size(), payload));
    commit(log, written.back(), sync);
  }
  std::vector<std::string> prefix(std::size_t count) const { return {written.begin(), written.begin() + count}; }
  std::string& bytes() { return files.begin()->second; }

  SimulatedPlace place;
  std::vector<std::string> written;
  Files files, sealed;
  std::uint64_t end = 0;
};

TEST(Replay, OfAnEmptyDirectoryEndsWhereItStarts) {
  const Replayed replayed = must(replay_files({}, {.start = 7, .anchor = {7, 8}}));
  EXPECT_EQ(replayed.report.end.last_sequence, 7u);
  EXPECT_EQ(replayed.report.end.chain, 8u);
  EXPECT_CODE(kWalMissing, replay_files({}, {.known_durable = 8, .start = 7, .anchor = {7, 8}}));
}

TEST(Replay, CutsATornTailAtTheLastWholeRecordWhereverItIsTorn) {
  SmallLog log(2, 3);
  const std::uint64_t last = log.end - record_bytes(40, false);
  for (std::uint64_t cut = last; cut < log.end; ++cut) {
    Files files = log.files;
    std::fill(files.begin()->second.begin() + static_cast<std::ptrdiff_t>(cut), files.begin()->second.end(), '\0');
    const Replayed replayed = must(replay_files(files));
    const bool whole = cut >= last + kRecordHeaderBytes + 40;
    ASSERT_EQ(replayed.payloads(), log.prefix(whole ? 5 : 4)) << cut;
    ASSERT_EQ(replayed.report.torn_tail.has_value(), cut > last && !whole) << cut;
    if (replayed.report.torn_tail) {
      ASSERT_EQ(replayed.report.torn_tail->offset, last);
      ASSERT_EQ(replayed.report.torn_tail->last_sequence, 4u);
      ASSERT_LE(replayed.report.torn_tail->bytes, log.end - last);
    }
  }
}

TEST(Replay, NeverBelievesAFlippedBit) {
  SmallLog log(4, 3);
  const std::uint64_t record = record_bytes(40, false);
  for (std::uint64_t bit = 0; bit < log.end * 8; ++bit) {
    if (bit / 8 >= kBlockBytes && bit / 8 < kStartBlockOffset) continue;  // means nothing
    if (bit / 8 >= kStartBlockOffset + kBlockBytes && bit / 8 < kHeaderPageBytes) continue;
    Files files = log.files;
    char& byte = files.begin()->second[bit / 8];
    byte = static_cast<char>(byte ^ (1 << bit % 8));
    const auto replayed = replay_files(files);
    if (!replayed) {
      const bool format = bit / 8 < kBlockBytes && replayed.error().code() == ErrorCode::kFormatUnsupported;
      ASSERT_TRUE(replayed.error().code() == ErrorCode::kWalCorrupt || format) << replayed.error().to_string();
      // Damage only where the records say that it was durable: the fourth has the word of those behind it.
      ASSERT_LT(bit / 8, kHeaderPageBytes + 4 * record) << replayed.error().to_string();
      continue;
    }
    ASSERT_EQ(replayed->payloads(), log.prefix(replayed->commits.size())) << bit;
    ASSERT_GE(replayed->commits.size(), 4u) << bit;
  }
}

TEST(Replay, TakesADamagedRecordOfASealedSegmentForDamage) {
  SmallLog log(0, 3);  // never synced before the seal
  for (std::uint64_t at = kHeaderPageBytes; at < log.end; at += 8) {
    Files files = log.sealed;
    files.begin()->second[at] = static_cast<char>(files.begin()->second[at] ^ 4);
    const auto replayed = replay_files(files);
    ASSERT_FALSE(replayed) << at;
    EXPECT_CODE(kWalCorrupt, replayed);
  }
}

TEST(Replay, ReadsASegmentWhoseSealIsDamaged) {
  SmallLog log(1, 2);
  for (std::uint64_t at = kSealBlockOffset; at < kSealBlockOffset + kBlockBytes; ++at) {
    Files files = log.sealed;
    files.begin()->second[at] = static_cast<char>(files.begin()->second[at] ^ 1);
    ASSERT_EQ(must(replay_files(files)).payloads(), log.written);
  }
}

TEST(Replay, DropsWhatFollowsALostRecordThatNobodySynced) {
  SmallLog log(2, 5);
  Files files = log.files;
  const std::uint64_t lost = kHeaderPageBytes + 3 * record_bytes(40, false);
  files.begin()->second.replace(lost, kRecordHeaderBytes, kRecordHeaderBytes, '\0');
  const Replayed replayed = must(replay_files(files));
  EXPECT_EQ(replayed.payloads(), log.prefix(3));
  ASSERT_TRUE(replayed.report.torn_tail);
  EXPECT_EQ(replayed.report.torn_tail->offset, lost);
  EXPECT_EQ(replayed.report.torn_tail->bytes, log.end - lost);
}

TEST(Replay, TakesALostRecordForDamageWhenALaterOneKnewItDurable) {
  SmallLog log(4, 1);
  Files files = log.files;
  const std::uint64_t lost = kHeaderPageBytes + 2 * record_bytes(40, false);
  files.begin()->second.replace(lost, 100, 100, '\0');
  const auto replayed = replay_files(files);
  ASSERT_FALSE(replayed);
  EXPECT_CODE(kWalCorrupt, replayed);
  EXPECT_EQ(replayed.error().context().offset, lost);
  EXPECT_THAT(replayed.error().context().file, HasSubstr(segment_name(1)));
}

TEST(Replay, TakesTheCallersWordForWhatWasDurable) {
  SmallLog log(0, 3);
  Files files = log.files;
  const std::uint64_t lost = kHeaderPageBytes + 2 * record_bytes(40, false);
  files.begin()->second.replace(lost, 100, 100, '\0');
  EXPECT_EQ(must(replay_files(files, {.known_durable = 2})).commits.size(), 2u);
  EXPECT_CODE(kWalCorrupt, replay_files(files, {.known_durable = 3}));
}

TEST(Replay, PassesOverDamageInWhatTheTablesHold) {
  SimulatedPlace place;
  auto log = place.open();
  std::vector<LogPosition> ends;
  for (std::uint64_t i = 0; i < 6; ++i) ends.push_back(append(*log, payload_of(i, 40), true).end());
  must(log->close());
  place.flip(place.path_of(0), kHeaderPageBytes + record_bytes(40, false) + 10);
  EXPECT_CODE(kWalCorrupt, place.replay());
  Files files = files_of(place);
  files.begin()->second.replace(kSealBlockOffset, kBlockBytes, kBlockBytes, '\0');  // whose digest is wrong now
  const Replayed replayed = must(replay_files(files, {.start = ends[3].last_sequence, .anchor = ends[3]}));
  ASSERT_EQ(replayed.commits.size(), 2u);
  EXPECT_EQ(replayed.commits[0].first, 5u);
}

TEST(Replay, NoticesAMissingSegment) {
  SimulatedPlace place;
  auto log = place.open({.segment_bytes = 8 << 10});
  std::vector<LogPosition> ends;
  for (std::uint64_t i = 0; i < 60; ++i) ends.push_back(append(*log, payload_of(i, 400)).end());
  must(log->close());
  const Files whole = files_of(place);
  ASSERT_GE(whole.size(), 5u);
  for (const auto& [name, bytes] : whole) {
    Files files = whole;
    files.erase(name);
    const bool last = name == whole.rbegin()->first;
    // The last one is missed only by somebody who knows.
    EXPECT_CODE(kWalMissing, replay_files(files, {.known_durable = last ? 60u : 0u}));
  }
  Files two_gone = whole;
  two_gone.erase(std::next(two_gone.begin(), 2), std::next(two_gone.begin(), 4));
  EXPECT_CODE(kWalMissing, replay_files(two_gone));
  // What the tables hold may be gone.
  Files rest = whole;
  rest.erase(rest.begin(), std::next(rest.begin(), 2));
  EXPECT_EQ(must(replay_files(rest, {.start = ends[30].last_sequence, .anchor = ends[30]})).commits.size(), 29u);
}

TEST(Replay, NoticesAForeignStoresSegment) {
  SmallLog log(1, 0);
  SimulatedPlace place;
  place.world.files.put_file(place.directory() + "/" + segment_name(1), log.bytes());
  const auto apply = [](const RecoveredCommit&) { return Status{}; };
  const auto report = replay(place.env(), place.directory(), format::Uid{{9}}, {}, apply);
  EXPECT_CODE(kWalCorrupt, report);
  EXPECT_THAT(report.error().message(), HasSubstr("another store"));
}

TEST(Replay, RefusesANewerFormat) {
  SmallLog log(1, 0);
  PreparedBlock prepared = *decode_prepared(log.bytes());
  const auto with = [&](const PreparedBlock& block) {
    Files files = log.files;
    const Block bytes = encode(block);
    files.begin()->second.replace(0, bytes.size(), bytes.data(), bytes.size());
    return replay_files(files);
  };
  EXPECT_TRUE(with(prepared));
  PreparedBlock newer = prepared;
  newer.format_version = 2;
  EXPECT_CODE(kFormatUnsupported, with(newer));
  newer = prepared;
  newer.features.incompatible = 1;
  EXPECT_CODE(kFormatUnsupported, with(newer));
  newer = prepared;
  newer.features.compatible = 1;
  EXPECT_TRUE(with(newer));
  newer = prepared;
  newer.key_id = 1;
  EXPECT_CODE(kFormatUnsupported, with(newer));
}

TEST(Replay, NoticesATruncatedSegment) {
  SmallLog log(3, 0);
  for (const std::uint64_t size : {8191u, 5000u, 4096u}) {
    Files files = log.files;
    files.begin()->second.resize(size);
    EXPECT_CODE(kWalCorrupt, replay_files(files));
  }
}

TEST(Replay, NoticesARenamedSegment) {
  SimulatedPlace place;
  auto log = place.open({.segment_bytes = 8 << 10});
  for (std::uint64_t i = 0; i < 40; ++i) append(*log, payload_of(i, 400));
  must(log->close());
  Files files = files_of(place);
  files[segment_name(90)] = files[segment_name(2)];
  files.erase(segment_name(2));
  EXPECT_CODE(kWalMissing, replay_files(files));
}

TEST(Replay, IgnoresWhatWasPreparedAndNeverStarted) {
  SmallLog log(2, 1);
  PreparedBlock prepared = *decode_prepared(log.bytes());
  prepared.number = 2;
  prepared.segment_uid = {{42}};
  const Block block = encode(prepared);
  std::string next(8192, '\0');
  next.replace(0, block.size(), block.data(), block.size());
  Files files = log.files;
  files[segment_name(2)] = next;
  files[segment_name(3)] = log.bytes();            // renamed for its next use, not yet prepared
  files[segment_name(4)] = std::string(100, 'x');  // not yet of full size
  files[segment_name(5)] = "";
  files["notes.txt"] = "not ours";
  EXPECT_EQ(must(replay_files(files)).payloads(), log.written);
}

TEST(Replay, KeepsACutTailCutInTheNextLife) {
  SmallLog log(2, 3);
  const std::uint64_t lost = kHeaderPageBytes + 3 * record_bytes(40, false);
  log.place.overwrite(log.place.path_of(0), lost, std::string(16, '\0'));
  log.place.overwrite(log.place.path_of(0), kSealBlockOffset, std::string(kBlockBytes, '\0'));
  {
    auto next = log.place.reopen();
    append(*next, "in place of the fourth", true);
    must(next->sync());
    must(next->close());
  }
  auto expected = log.prefix(3);
  expected.emplace_back("in place of the fourth");
  EXPECT_EQ(must(log.place.replay()).payloads(), expected);
  // Even if the disk gives the lost record back.
  const std::string record = log.bytes().substr(lost, 16);
  log.place.overwrite(log.place.path_of(0), lost, record);
  EXPECT_EQ(must(log.place.replay()).payloads(), expected);
}

TEST(Replay, DropsACommitWhoseLastFragmentIsMissing) {
  SimulatedPlace place;
  auto log = place.open({.segment_bytes = 8 << 10});
  append(*log, "whole");
  append(*log, payload_of(1, 30'000), false, 5);
  Files files = files_of(place);
  must(log->close());
  ASSERT_GE(files.size(), 8u);
  // As if nothing of the later segments had been sealed or had reached the disk in full.
  for (auto& [name, bytes] : files) bytes.replace(kSealBlockOffset, kBlockBytes, kBlockBytes, '\0');
  EXPECT_EQ(must(replay_files(files)).commits.size(), 2u);
  for (std::size_t torn = 1; torn < 8; ++torn) {
    Files some = files;
    std::next(some.begin(), static_cast<std::ptrdiff_t>(torn))->second[kHeaderPageBytes + 100] ^= 1;
    const Replayed replayed = must(replay_files(some));
    ASSERT_THAT(replayed.payloads(), ElementsAre("whole")) << torn;
    ASSERT_TRUE(replayed.report.torn_tail);
    EXPECT_EQ(replayed.report.torn_tail->last_sequence, 1u);
    EXPECT_THAT(replayed.report.torn_tail->file, HasSubstr(segment_name(1)));
  }
}

TEST(Replay, RefusesAnotherLogThanTheOneThatTheManifestKnew) {
  SmallLog log(6, 0), fork(6, 0, 41);  // both of the same store, both whole
  const std::vector<RecordFacts> records = log.place.records(log.place.path_of(0));
  const LogPosition known{3, records.at(2).chain};
  for (const Sequence start : {0u, 2u, 3u}) {
    EXPECT_EQ(must(replay_files(log.sealed, {.start = start, .anchor = known})).commits.size(), 6 - start);
    EXPECT_EQ(must(replay_files(fork.sealed, {.start = start})).commits.size(), 6 - start);
    EXPECT_CODE(kWalCorrupt, replay_files(fork.sealed, {.start = start, .anchor = known}));
  }
  // Damage before the start is passed over, and what follows it must still be the log that was known.
  Files damaged = fork.files;
  damaged.begin()->second.at(kHeaderPageBytes + 70) ^= 1;
  damaged.begin()->second.at(kHeaderPageBytes + 20) ^= 1;
  EXPECT_EQ(must(replay_files(damaged, {.start = 2})).commits.size(), 4u);
  EXPECT_CODE(kWalCorrupt, replay_files(damaged, {.start = 2, .anchor = known}));
}

TEST(Replay, RefusesALogThatEndsBeforeWhatTheManifestKnew) {
  SmallLog log(3, 0);
  EXPECT_CODE(kWalCorrupt, replay_files(log.files, {.start = 1, .anchor = {5, 77}}));
  EXPECT_CODE(kWalMissing, replay_files({}, {.start = 1, .anchor = {5, 77}}));
}

TEST(Replay, RefusesAnAnchorInsideACommit) {
  SimulatedPlace place;
  auto log = place.open();
  append(*log, "five", true, 5);
  must(log->close());
  EXPECT_CODE(kWalCorrupt, place.replay({.anchor = {3, 0}}));
}

TEST(Replay, PassesOnTheErrorOfWhoApplies) {
  SmallLog log(2, 0);
  int calls = 0;
  const auto apply = [&](const RecoveredCommit&) -> Status {
    ++calls;
    return Error(ErrorCode::kCancelled, "enough");
  };
  EXPECT_CODE(kCancelled, replay(log.place.env(), log.place.directory(), kStore, {}, apply));
  EXPECT_EQ(calls, 1);
}

TEST(Replay, RefusesAStartInsideACommit) {
  SimulatedPlace place;
  auto log = place.open();
  append(*log, "five", true, 5);
  must(log->close());
  EXPECT_CODE(kWalCorrupt, place.replay({.start = 3}));
}

TEST(Replay, SurvivesHostileSegments) {
  // Random damage to whole directories: right data, a prefix, or a typed error; never anything else.
  SimulatedPlace place;
  auto log = place.open({.segment_bytes = 8 << 10});
  std::vector<std::string> written;
  for (std::uint64_t i = 0; i < 25; ++i) append(*log, written.emplace_back(payload_of(i, 10 + i * 40)), i % 3 == 0);
  must(log->sync());
  must(log->close());
  const Files whole = files_of(place);
  const std::uint64_t seed = 4711;
  env::Dice dice(seed);
  for (int round = 0; round < 1500; ++round) {
    Files files = whole;
    for (std::uint64_t hits = 1 + dice.below(4); hits > 0; --hits) {
      std::string& bytes = std::next(files.begin(), static_cast<std::ptrdiff_t>(dice.below(files.size())))->second;
      const std::uint64_t at = dice.one_in(2) ? dice.below(bytes.size()) : dice.below(1200) % bytes.size();
      const std::uint64_t size = std::min<std::uint64_t>(1 + dice.below(64), bytes.size() - at);
      switch (dice.below(3)) {
        case 0:
          for (std::uint64_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(dice.next());
          break;
        case 1:
          bytes.replace(at, size, size, '\0');
          break;
        default:
          bytes.replace(at, size, bytes, dice.below(bytes.size() - size + 1), size);
      }
    }
    const auto replayed = replay_files(files);
    if (!replayed) continue;
    ASSERT_LE(replayed->commits.size(), written.size());
    const std::vector<std::string> prefix(written.begin(),
                                          written.begin() + static_cast<std::ptrdiff_t>(replayed->commits.size()));
    ASSERT_EQ(replayed->payloads(), prefix) << "seed " << seed << ", round " << round;
  }
}

}  // namespace
}  // namespace lightning::wal
