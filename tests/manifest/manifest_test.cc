// The manifest and its superblock: what was appended comes back, what was torn never counted, what was damaged is
// refused.
#include "manifest/manifest.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "env/simulated_world.h"
#include "support/expect.h"

namespace lightning::manifest {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().to_string());
}

sstable::TableMeta table(format::FileNumber number, std::string smallest, std::string largest, Sequence last = 0) {
  sstable::TableMeta meta;
  meta.number = number;
  meta.uid.bytes.fill(static_cast<std::uint8_t>(number));
  meta.file_bytes = 1000 + number;
  meta.root.bytes.fill(static_cast<std::uint8_t>(number + 1));
  meta.smallest_key = std::move(smallest);
  meta.largest_key = std::move(largest);
  meta.smallest_sequence = 1;
  meta.largest_sequence = last == 0 ? number * 10 : last;
  meta.entries = 7;
  meta.tombstones = 2;
  meta.data_bytes = 900;
  meta.blob_bytes = 77'000 + number;
  return meta;
}

blob::FileMeta blob_file(format::FileNumber number, std::vector<format::FileNumber> origins = {}) {
  blob::FileMeta meta;
  meta.number = number;
  meta.uid.bytes.fill(static_cast<std::uint8_t>(number));
  meta.file_bytes = 100'000;
  meta.root.bytes.fill(static_cast<std::uint8_t>(number + 1));
  meta.records = 10;
  meta.record_bytes = 90'000;
  meta.origins = std::move(origins);
  return meta;
}

// What a state is, as one string: its snapshot's bytes.
std::string text_of(const State& state) { return state.snapshot().encode(); }

VersionEdit full_edit() {
  VersionEdit edit;
  edit.next_file = 300;
  edit.next_keyspace = 5;
  edit.durable = 1ull << 40;
  edit.log_floor = 77;
  edit.log_anchor = {{.last_sequence = 78, .chain = 0xfedcba9876543210}};
  edit.epoch = 3;
  edit.time_ms = 1'767'225'600'000;
  edit.add_keyspaces = {{0, "default"},
                        {4,
                         std::string("odd \0 name", 10),
                         {.merge_operator = "add", .default_ttl = std::chrono::hours(3), .counted = true}}};
  edit.drop_keyspaces = {4};
  edit.add_tables = {{0, 0, table(1, "a", "m")}, {0, 6, table(2, std::string(1, '\0'), std::string(1, '\xff'))}};
  edit.add_tables.push_back({0, 1, table(3, "", "")});  // an erased range over everything
  edit.add_tables.back().meta.largest_open = true;
  edit.add_tables.back().meta.range_tombstones = 3;
  edit.add_tables.back().meta.tombstone_run = 5;
  edit.drop_tables = {{0, 0, 1}};
  edit.add_blobs = {{0, blob_file(7)}, {0, blob_file(9, {3, 5})}};
  edit.drop_blobs = {{0, 3}};
  edit.blob_garbage = {{0, 7, 2, 1000}};
  edit.flushed = {{0, 12345}};
  edit.counts = {{0, 1ull << 33}};
  edit.archive = {{.on = true, .next_file = 12, .position = {.last_sequence = 70, .chain = 5}, .changes = 1}};
  edit.changes = {{.after = 71, .time_ns = 99, .edit = "what"}, {.after = 72, .time_ns = 100, .edit = ""}};
  return edit;
}

TEST(VersionEdit, ComesBackAsItWasWritten) {
  const VersionEdit edit = full_edit();
  const VersionEdit back = must(VersionEdit::decode(edit.encode()));
  EXPECT_EQ(back.encode(), edit.encode());
  EXPECT_EQ(back.next_file, edit.next_file);
  EXPECT_EQ(back.durable, edit.durable);
  EXPECT_EQ(back.log_floor, edit.log_floor);
  EXPECT_EQ(back.time_ms, edit.time_ms);
  EXPECT_EQ(back.log_anchor.value().last_sequence, 78u);
  EXPECT_EQ(back.log_anchor.value().chain, 0xfedcba9876543210u);
  EXPECT_EQ(back.add_keyspaces.at(1).name, edit.add_keyspaces[1].name);
  EXPECT_EQ(back.add_keyspaces[0].options, KeyspaceOptions{});
  EXPECT_EQ(back.add_keyspaces[1].options, edit.add_keyspaces[1].options);
  EXPECT_EQ(back.drop_keyspaces, edit.drop_keyspaces);
  const sstable::TableMeta &a = edit.add_tables[1].meta, &b = back.add_tables.at(1).meta;
  EXPECT_EQ(b.number, a.number);
  EXPECT_EQ(b.uid, a.uid);
  EXPECT_EQ(b.root.bytes, a.root.bytes);
  EXPECT_EQ(b.smallest_key, a.smallest_key);
  EXPECT_EQ(b.largest_key, a.largest_key);
  EXPECT_EQ(b.largest_sequence, a.largest_sequence);
  EXPECT_EQ(b.tombstones, a.tombstones);
  EXPECT_EQ(b.blob_bytes, a.blob_bytes);
  EXPECT_EQ(back.add_blobs.at(0).meta, edit.add_blobs[0].meta);
  EXPECT_EQ(back.add_blobs.at(1).meta, edit.add_blobs[1].meta);
  EXPECT_EQ(back.drop_blobs.at(0).number, 3u);
  EXPECT_EQ(back.blob_garbage.at(0).bytes, 1000u);
  EXPECT_FALSE(b.largest_open);
  const sstable::TableMeta& ranges = back.add_tables.at(2).meta;
  EXPECT_TRUE(ranges.largest().unbounded());
  EXPECT_EQ(ranges.range_tombstones, 3u);
  EXPECT_EQ(ranges.tombstone_run, 5u);
  EXPECT_EQ(back.flushed.at(0).sequence, 12345u);
  EXPECT_EQ(back.counts.at(0).records, 1ull << 33);
  EXPECT_TRUE(back.archive.value().on);
  EXPECT_EQ(back.archive.value().next_file, 12u);
  EXPECT_EQ(back.archive.value().position.chain, 5u);
  EXPECT_EQ(back.archive.value().changes, 1u);
  EXPECT_EQ(back.changes.at(0).edit, "what");
  EXPECT_EQ(back.changes.at(1).after, 72u);
}

TEST(State, KeepsChangesUntilTheyAreArchived) {
  State state;
  VersionEdit edit;
  edit.archive = {{.on = true, .position = {.last_sequence = 10, .chain = 1}}};
  edit.changes = {{.after = 11, .time_ns = 1, .edit = "a"}, {.after = 12, .time_ns = 2, .edit = "b"}};
  EXPECT_OK(state.apply(edit));
  State again;
  EXPECT_OK(again.apply(state.snapshot()));
  EXPECT_EQ(text_of(again), text_of(state));
  EXPECT_EQ(again.changes.size(), 2u);
  VersionEdit archived;
  archived.archive = {{.on = true, .next_file = 2, .position = {.last_sequence = 11, .chain = 2}, .changes = 1}};
  EXPECT_OK(again.apply(archived));
  ASSERT_EQ(again.changes.size(), 1u);
  EXPECT_EQ(again.changes[0].edit, "b");
  archived.archive->changes = 2;
  EXPECT_CODE(kManifestCorrupt, again.apply(archived));
  archived.archive->on = false;
  archived.archive->changes = 0;
  EXPECT_OK(again.apply(archived));
  EXPECT_TRUE(again.changes.empty());
}

TEST(VersionEdit, AnyCutOrFlipIsAnEditOrAnErrorAndNothingElse) {
  const std::string bytes = full_edit().encode();
  const auto look = [](std::string_view damaged) {
    const auto edit = VersionEdit::decode(damaged);
    if (edit) return;
    EXPECT_TRUE(edit.error().code() == ErrorCode::kManifestCorrupt ||
                edit.error().code() == ErrorCode::kFormatUnsupported);
  };
  for (std::size_t end = 0; end < bytes.size(); ++end) look(std::string_view(bytes).substr(0, end));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      look(flipped);
    }
  }
}

TEST(VersionEdit, UnknownFieldsAreRefusedUnlessMarkedAsOptional) {
  std::string known = full_edit().encode(), optional = known, required = known;
  base::append_varint(optional, 200);
  base::append_length_prefixed(optional, "whatever");
  EXPECT_EQ(must(VersionEdit::decode(optional)).encode(), known);
  base::append_varint(required, 100);
  base::append_length_prefixed(required, "whatever");
  EXPECT_EQ(VersionEdit::decode(required).error().code(), ErrorCode::kFormatUnsupported);
}

// What such a state was written to, a new manifest, could not be read again.
TEST(State, KeepsTheOwnerOfWhatIsAttached) {
  State state;
  must(state.apply({.add_keyspaces = {{0, "default"}, {1, "owner"}, {2, "attached"}}, .attach = {{2, 1, "why"}}}));
  State copy = state;
  EXPECT_EQ(copy.apply({.drop_keyspaces = {1}}).error().code(), ErrorCode::kManifestCorrupt);
  must(state.apply({.drop_keyspaces = {1, 2}}));
  State again;
  must(again.apply(state.snapshot()));
}

// A trailer has no room for them: writes that followed would have been ordered wrongly.
TEST(VersionEdit, SequencesBeyond56BitsAreDamage) {
  const auto refused = [](const VersionEdit& edit) {
    const auto decoded = VersionEdit::decode(edit.encode());
    return !decoded && decoded.error().code() == ErrorCode::kManifestCorrupt;
  };
  constexpr Sequence kBeyond = format::kSequenceMax + 1;
  EXPECT_FALSE(refused({.durable = kBeyond - 1}));
  EXPECT_TRUE(refused({.durable = kBeyond}));
  EXPECT_TRUE(refused({.log_floor = kBeyond}));
  EXPECT_TRUE(refused({.log_anchor = {{.last_sequence = kBeyond, .chain = 1}}}));
  EXPECT_TRUE(refused({.flushed = {{0, kBeyond}}}));
  EXPECT_TRUE(refused({.add_tables = {{0, 1, table(1, "a", "b", kBeyond)}}}));
}

TEST(State, RefusesEditsThatContradictIt) {
  State state;
  VersionEdit first;
  first.add_keyspaces = {{0, "default"}};
  first.add_tables = {{0, 1, table(1, "a", "b")}};
  must(state.apply(first));
  const auto refused = [&](const char* what, const std::function<void(VersionEdit&)>& fill) {
    VersionEdit edit;
    fill(edit);
    State copy = state;
    const Status applied = copy.apply(edit);
    ASSERT_FALSE(applied) << what;
    EXPECT_EQ(applied.error().code(), ErrorCode::kManifestCorrupt) << what;
  };
  refused("keyspace without a number", [](VersionEdit& e) { e.add_keyspaces = {{format::kNoKeyspace, "none"}}; });
  refused("keyspace twice", [](VersionEdit& e) { e.add_keyspaces = {{0, "again"}}; });
  refused("unknown keyspace dropped", [](VersionEdit& e) { e.drop_keyspaces = {9}; });
  refused("table into an unknown keyspace", [](VersionEdit& e) { e.add_tables = {{9, 0, table(5, "a", "b")}}; });
  refused("table twice", [](VersionEdit& e) { e.add_tables = {{0, 1, table(1, "x", "y")}}; });
  refused("drop of an unknown table", [](VersionEdit& e) { e.drop_tables = {{0, 1, 5}}; });
  refused("drop from the wrong level", [](VersionEdit& e) { e.drop_tables = {{0, 2, 1}}; });
  refused("drop from an unknown keyspace", [](VersionEdit& e) { e.drop_tables = {{9, 1, 1}}; });
  refused("log let go beyond its anchor", [](VersionEdit& e) { e.log_floor = 1; });
  refused("unknown keyspace flushed", [](VersionEdit& e) { e.flushed = {{9, 1}}; });
}

TEST(State, AddsUpTheGarbageOfBlobFilesAndRefusesWhatCannotBe) {
  State state;
  must(state.apply({.add_keyspaces = {{0, "default"}}, .add_blobs = {{0, blob_file(7)}}}));
  EXPECT_EQ(state.next_file, 8u);
  must(state.apply({.blob_garbage = {{0, 7, 3, 20'000}}}));
  must(state.apply({.blob_garbage = {{0, 7, 2, 30'000}}}));
  EXPECT_EQ(state.keyspaces[0].blobs[7].live_records(), 5u);
  EXPECT_EQ(state.keyspaces[0].blobs[7].live_bytes(), 40'000u);

  const std::string before = text_of(state);
  const auto refused = [&](const VersionEdit& edit) {
    State other = state;
    const Status status = other.apply(edit);
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code(), ErrorCode::kManifestCorrupt);
  };
  refused({.add_blobs = {{0, blob_file(7)}}});
  refused({.add_blobs = {{1, blob_file(8)}}});
  refused({.add_blobs = {{0, blob_file(9, {7})}}});  // the records of 7 are in 7
  refused({.drop_blobs = {{0, 8}}});
  refused({.blob_garbage = {{0, 7, 6, 1}}});
  refused({.blob_garbage = {{0, 7, 1, 40'001}}});
  refused({.blob_garbage = {{0, 8, 1, 1}}});

  // Moving: one goes, one comes, and what is written anew says the same.
  must(state.apply({.add_blobs = {{0, blob_file(9, {7})}}, .drop_blobs = {{0, 7}}, .blob_garbage = {{0, 9, 1, 1}}}));
  EXPECT_EQ(state.keyspaces[0].blob_of(7), &state.keyspaces[0].blobs[9]);
  EXPECT_EQ(state.keyspaces[0].blob_of(9), nullptr);
  State again;
  must(again.apply(state.snapshot()));
  EXPECT_EQ(text_of(again), text_of(state));
  EXPECT_NE(text_of(state), before);
  refused({.add_blobs = {{0, blob_file(7)}}});
}

TEST(State, KeepsLevelZeroNewestFirstAndTheOthersByKey) {
  State state;
  VersionEdit edit;
  edit.add_keyspaces = {{0, "default"}};
  edit.add_tables = {{0, 0, table(1, "a", "z", 10)},
                     {0, 0, table(2, "a", "z", 30)},
                     {0, 0, table(3, "a", "z", 20)},
                     {0, 3, table(4, "m", "n")},
                     {0, 3, table(5, "a", "b")}};
  must(state.apply(edit));
  const auto numbers = [&](std::uint32_t level) {
    std::vector<format::FileNumber> found;
    for (const auto& meta : state.keyspaces.at(0).levels[level]) found.push_back(meta.number);
    return found;
  };
  EXPECT_EQ(numbers(0), (std::vector<format::FileNumber>{2, 3, 1}));
  EXPECT_EQ(numbers(3), (std::vector<format::FileNumber>{5, 4}));
  EXPECT_EQ(state.next_file, 6u);
}

TEST(State, MarksOnlyRise) {
  State state;
  VersionEdit high, low;
  high.durable = high.log_floor = high.next_file = 100;
  high.log_anchor = {{.last_sequence = 120, .chain = 1}};
  low.durable = low.log_floor = low.next_file = 50;
  low.log_anchor = {{.last_sequence = 110, .chain = 2}};
  must(state.apply(high));
  must(state.apply(low));
  EXPECT_EQ(state.durable, 100u);
  EXPECT_EQ(state.log_floor, 100u);
  EXPECT_EQ(state.log_anchor.last_sequence, 120u);
  EXPECT_EQ(state.log_anchor.chain, 1u);
  EXPECT_EQ(state.next_file, 100u);
}

// A manifest of a few edits in "/db" of a simulated disk, and the state after each of them.
class Store : public testing::Test {
 protected:
  void SetUp() override {
    must(files().create_directories(kDirectory));
    superblock_.store_id.bytes.fill(7);
    VersionEdit first;
    first.add_keyspaces = {{0, "default"}};
    must(state_.apply(first));
    manifest_ = must(Manifest::create(env(), kDirectory, superblock_, state_));
    note();
  }
  env::Env& env() { return world_.env; }
  env::SimulatedFileSystem& files() { return world_.files; }
  void append(const VersionEdit& edit) {
    must(manifest_->append(edit));
    must(state_.apply(edit));
    note();
  }
  void append_some() {
    for (format::FileNumber number = 1; number <= 5; ++number) {
      VersionEdit edit;
      edit.add_tables = {{0, 0, table(number, "a", "z")}};
      edit.flushed = {{0, number * 10}};
      append(edit);
    }
    VersionEdit drop;
    drop.drop_tables = {{0, 0, 1}, {0, 0, 2}};
    append(drop);
  }
  Result<State> load_now(LoadReport& report) {
    LIGHTNING_ASSIGN(const Superblock superblock, read_superblock(env(), kDirectory));
    return load(env(), kDirectory, superblock, report);
  }
  Result<State> load_now() {
    LoadReport report;
    return load_now(report);
  }
  // Rolls until a crash at the nth call from now, loses power, and looks whether the state is there. True if the roll
  // came through.
  bool rolls_past_crash(std::uint64_t nth) {
    files().set_crash_at(nth, static_cast<env::CrashStage>(nth % 3));
    const Status rolled = manifest_->roll(state_);
    files().cancel_crash();
    files().crash(env::CrashMode::kRandom);
    const auto loaded = load_now();
    if (!loaded) throw std::runtime_error("crash at call " + std::to_string(nth) + ": " + loaded.error().to_string());
    EXPECT_EQ(text_of(*loaded), states_.back()) << "crash at call " << nth;
    manifest_ = must(Manifest::create(env(), kDirectory, must(read_superblock(env(), kDirectory)), *loaded));
    return rolled.has_value();
  }
  std::string path() const {
    return std::string(kDirectory) + "/" + manifest_name(manifest_->superblock().manifest_number);
  }
  static std::string superblock_path() { return std::string(kDirectory) + "/" + std::string(kSuperblockName); }
  void note() {
    states_.push_back(text_of(state_));
    ends_.push_back(manifest_->bytes());
  }

  static constexpr const char* kDirectory = "/db";
  env::SimulatedWorld world_{1};
  Superblock superblock_;
  State state_;
  std::unique_ptr<Manifest> manifest_;
  std::vector<std::string> states_;  // after each record
  std::vector<std::uint64_t> ends_;  // and where it ended
};

TEST_F(Store, GivesBackWhatWasAppended) {
  append_some();
  LoadReport report;
  EXPECT_EQ(text_of(must(load_now(report))), states_.back());
  EXPECT_EQ(report.records, states_.size());
  EXPECT_EQ(report.torn_bytes, 0u);
  std::size_t seen = 0;
  must(inspect(env(), path(), [&](std::uint64_t, const VersionEdit&) { ++seen; }));
  EXPECT_EQ(seen, states_.size());
}

TEST_F(Store, ACutManifestIsTheStateOfItsWholeRecords) {
  append_some();
  const std::string whole = files().content(path());
  for (std::uint64_t size = 0; size < whole.size(); ++size) {
    ASSERT_TRUE(files().put_file(path(), whole.substr(0, size)));
    LoadReport report;
    const auto loaded = load_now(report);
    if (size < ends_.front()) {
      ASSERT_FALSE(loaded) << "cut at " << size;
      EXPECT_EQ(loaded.error().code(), ErrorCode::kManifestCorrupt);
      continue;
    }
    std::size_t records = 0;
    while (records < ends_.size() && ends_[records] <= size) ++records;
    ASSERT_TRUE(loaded) << "cut at " << size << ": " << loaded.error().to_string();
    EXPECT_EQ(text_of(*loaded), states_[records - 1]) << "cut at " << size;
    EXPECT_EQ(report.records, records);
    EXPECT_EQ(report.torn_bytes, size - ends_[records - 1]);
  }
}

TEST_F(Store, AFlippedBitIsRefusedOrATornLastRecord) {
  append_some();
  const std::string whole = files().content(path());
  const std::uint64_t last_begins = ends_[ends_.size() - 2];
  for (std::uint64_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    ASSERT_TRUE(files().put_file(path(), flipped));
    const auto loaded = load_now();
    if (at < last_begins) {
      ASSERT_FALSE(loaded) << "byte " << at;
      EXPECT_EQ(loaded.error().code(), ErrorCode::kManifestCorrupt) << loaded.error().to_string();
      EXPECT_EQ(loaded.error().context().file, path());
    } else {
      ASSERT_TRUE(loaded) << "byte " << at << ": " << loaded.error().to_string();
      EXPECT_EQ(text_of(*loaded), states_[states_.size() - 2]);
    }
  }
}

TEST_F(Store, AnotherStoresOrAnOlderManifestIsRefused) {
  append_some();
  const std::string old = files().content(path());
  must(manifest_->roll(state_));
  ASSERT_TRUE(files().put_file(path(), old));  // swapped back under the new name
  EXPECT_EQ(load_now().error().code(), ErrorCode::kManifestCorrupt);
}

TEST_F(Store, ALostManifestIsNamed) {
  ASSERT_TRUE(files().delete_file(path()));
  const auto loaded = load_now();
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().to_string().find(manifest_name(1)), std::string::npos) << loaded.error().to_string();
}

TEST_F(Store, WhatWasAppendedSurvivesAPowerCut) {
  append_some();
  files().crash(env::CrashMode::kDropAll);
  EXPECT_EQ(text_of(must(load_now())), states_.back());
}

TEST_F(Store, AFailedAppendIsTheLastOneUntilARoll) {
  append_some();
  VersionEdit edit;
  edit.add_tables = {{0, 0, table(50, "a", "z")}};
  files().add_fault({.kind = env::IoKind::kSync, .file_class = env::FileClass::kManifest});
  EXPECT_FALSE(manifest_->append(edit));
  EXPECT_TRUE(manifest_->failed());
  EXPECT_EQ(manifest_->append(edit).error().code(), ErrorCode::kReadOnlyMode);
  must(manifest_->roll(state_));
  EXPECT_EQ(text_of(must(load_now())), states_.back()) << "the edit that failed is not part of the new manifest";
  must(manifest_->append(edit));
  must(state_.apply(edit));
  EXPECT_EQ(text_of(must(load_now())), text_of(state_));
}

TEST_F(Store, ARollKeepsTheStateAndRemovesTheOldFile) {
  append_some();
  const std::string old = path();
  must(manifest_->roll(state_));
  EXPECT_NE(path(), old);
  EXPECT_FALSE(must(files().exists(old)));
  files().crash(env::CrashMode::kDropAll);
  EXPECT_EQ(text_of(must(load_now())), states_.back());
}

TEST_F(Store, WantsARollOnlyWhenItHasGrownFarBeyondItsState) {
  EXPECT_FALSE(manifest_->wants_roll());
  VersionEdit add, drop;
  add.add_tables = {{0, 0, table(1, std::string(60'000, 'a'), std::string(60'000, 'b'))}};
  drop.drop_tables = {{0, 0, 1}};
  for (int i = 0; i < 12; ++i) {
    append(add);
    append(drop);
  }
  EXPECT_TRUE(manifest_->wants_roll());
  must(manifest_->roll(state_));
  EXPECT_FALSE(manifest_->wants_roll());
}

TEST_F(Store, SaysHowMuchOfItIsDurable) {
  const wal::ManifestPosition first = manifest_->position();
  EXPECT_EQ(first.generation, manifest_->superblock().generation);
  EXPECT_EQ(first.records, 1u);
  VersionEdit edit;
  edit.next_file = 17;
  append(edit);
  EXPECT_EQ(manifest_->position().records, 2u);
  LoadReport report;
  must(load(env(), kDirectory, must(read_superblock(env(), kDirectory)), report));
  EXPECT_EQ(report.records, 2u);
  EXPECT_EQ(report.end, manifest_->bytes());
  must(manifest_->roll(state_));
  EXPECT_EQ(manifest_->position().generation, first.generation + 1);
  EXPECT_EQ(manifest_->position().records, 1u);
}

// Every crash inside a roll, with everything that a power cut may leave: the state is there, by one file or the other.
TEST_F(Store, ACrashAnywhereInARollLosesNothing) {
  append_some();
  for (std::uint64_t nth = 1; nth < 100; ++nth)
    if (rolls_past_crash(nth)) return;
  ADD_FAILURE() << "no roll ever came through";
}

// The superblock's write failed, so it may name the new manifest: what comes next must not take that file away.
TEST_F(Store, ACrashInTheRollAfterAFailedOneLosesNothing) {
  append_some();
  for (std::uint64_t nth = 1; nth < 100; ++nth) {
    files().add_fault({.kind = env::IoKind::kSyncDirectory, .nth = 2});  // the last step of writing the superblock
    EXPECT_FALSE(manifest_->roll(state_));
    files().clear_faults();
    EXPECT_EQ(text_of(must(load_now())), states_.back());
    if (rolls_past_crash(nth)) return;
  }
  ADD_FAILURE() << "no roll ever came through";
}

// --- superblock -----------------------------------------------------------------------------------------------------

constexpr std::uint64_t kSlotBytes = 4096;

// Changes bytes of a slot and makes its tag right again.
std::string with_field(std::string file, std::size_t slot, std::uint64_t offset, std::string_view bytes) {
  file.replace(slot * kSlotBytes + offset, bytes.size(), bytes);
  const std::string body = file.substr(slot * kSlotBytes, kSlotBytes - 16);
  file.replace(slot * kSlotBytes + kSlotBytes - 16, 16,
               base::as_bytes(base::tag_of(base::TagAlgorithm::kBlake3, body).bytes));
  return file;
}

TEST_F(Store, ATornSuperblockSlotFallsBackToTheOther) {
  append_some();
  must(manifest_->roll(state_));  // generation 2, slot 0
  const std::string before = files().content(superblock_path());
  const Superblock present = must(read_superblock(env(), kDirectory));
  for (std::uint64_t at = 0; at < kSlotBytes; at += 37) {
    std::string torn = before;
    torn[kSlotBytes + at] = static_cast<char>(torn[kSlotBytes + at] ^ 0x10);  // the older slot
    ASSERT_TRUE(files().put_file(superblock_path(), torn));
    EXPECT_EQ(must(read_superblock(env(), kDirectory)).generation, present.generation);
    torn = before;
    torn[at] = static_cast<char>(torn[at] ^ 0x10);
    ASSERT_TRUE(files().put_file(superblock_path(), torn));
    EXPECT_EQ(must(read_superblock(env(), kDirectory)).generation, present.generation - 1);
  }
}

TEST_F(Store, TwoBadSuperblockSlotsAreRefused) {
  must(manifest_->roll(state_));
  std::string bad = files().content(superblock_path());
  bad[100] = static_cast<char>(bad[100] ^ 1);
  bad[kSlotBytes + 100] = static_cast<char>(bad[kSlotBytes + 100] ^ 1);
  ASSERT_TRUE(files().put_file(superblock_path(), bad));
  EXPECT_EQ(read_superblock(env(), kDirectory).error().code(), ErrorCode::kManifestCorrupt);
}

TEST_F(Store, ASuperblockOfTheWrongSizeIsRefused) {
  must(manifest_->roll(state_));
  const std::string whole = files().content(superblock_path());
  for (const std::string& wrong : {whole.substr(0, 5000), whole.substr(0, kSlotBytes), whole + "x"}) {
    ASSERT_TRUE(files().put_file(superblock_path(), wrong));
    EXPECT_EQ(read_superblock(env(), kDirectory).error().code(), ErrorCode::kManifestCorrupt);
  }
}

TEST_F(Store, ACreationThatWasCutShortIsNoDatabase) {
  const std::string first = files().content(superblock_path());  // generation 1, slot 1; slot 0 is empty
  ASSERT_EQ(first.substr(0, kSlotBytes), std::string(kSlotBytes, '\0'));
  for (const std::string& cut : {std::string(), std::string(2 * kSlotBytes, '\0'), first.substr(0, kSlotBytes + 512),
                                 first.substr(0, kSlotBytes + 512) + std::string(kSlotBytes - 512, '\0')}) {
    ASSERT_TRUE(files().put_file(superblock_path(), cut));
    EXPECT_EQ(read_superblock(env(), kDirectory).error().code(), ErrorCode::kDatabaseNotFound) << cut.size();
  }
  ASSERT_TRUE(files().delete_file(superblock_path()));
  EXPECT_EQ(read_superblock(env(), kDirectory).error().code(), ErrorCode::kDatabaseNotFound);
}

TEST_F(Store, ANewerFormatAndUnknownFeaturesAreRefused) {
  const std::string whole = files().content(superblock_path());
  std::string version, feature;
  base::append_le(version, format::kFormatVersion + 1);
  base::append_le(feature, std::uint64_t{1} << 40);
  const auto code_with = [&](std::uint64_t offset, std::string_view bytes) {
    EXPECT_TRUE(files().put_file(superblock_path(), with_field(whole, 1, offset, bytes)));
    const auto read = read_superblock(env(), kDirectory);
    return read ? ErrorCode::kInternal : read.error().code();
  };
  EXPECT_EQ(code_with(8, version), ErrorCode::kFormatUnsupported);
  EXPECT_EQ(code_with(16, feature), ErrorCode::kFormatUnsupported);
  EXPECT_EQ(code_with(24, feature), ErrorCode::kFormatUnsupported);
  EXPECT_EQ(code_with(32, feature), ErrorCode::kInternal) << "a feature that may be ignored is ignored";
}

}  // namespace
}  // namespace lightning::manifest
