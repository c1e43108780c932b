// What damage of one file means for the rest of the store: corruption_action and fail_on_corruption. And by which
// algorithm it would be found: checksum_algorithm.
#include <algorithm>

#include "engine/simulated_store.h"
#include "lightning/transaction.h"
#include "sstable/table.h"

namespace lightning::engine {
namespace {

constexpr int kKeys = 60, kDamaged = 30;

std::string key(int n) { return "key" + std::to_string(100 + n); }
std::string value(int n) { return key(n) + std::string(500, static_cast<char>('a' + n % 26)); }
std::string large_value() { return "large" + std::string(8000, 'L'); }

class CorruptionActionTest : public SimulatedStore {
 protected:
  CorruptionActionTest() {
    config_.cache_size = 8 << 20;
    config_.memtable_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
    config_.block_bytes = 1 << 10;
    config_.compression_enabled = false;
    config_.ballast_bytes = 0;
  }
  void fill() {
    life([&] {
      for (int n = 0; n < kKeys; ++n) put(key(n), value(n));
      put("large", large_value());
      ok(db().compact_range());
      ok(db().close());
    });
  }
  // The file in which `bytes` lie, and where.
  std::string find(const std::string& bytes, std::uint64_t& offset) {
    for (const std::string& path : world_.files.files_below("/db")) {
      const bool of_data = path.starts_with("/db/tables/") || path.starts_with("/db/blobs/");
      const std::size_t at = of_data ? world_.files.content(path).find(bytes) : std::string::npos;
      if (at == std::string::npos) continue;
      offset = at;
      return path;
    }
    ADD_FAILURE() << "not found";
    return {};
  }
  std::string damage(const std::string& bytes) {
    std::uint64_t offset = 0;
    std::string path = find(bytes, offset);
    EXPECT_TRUE(world_.files.flip_bit(path, offset + 100));
    return path;
  }
  // In the footer: it can't be opened.
  std::string damage_root(const std::string& bytes) {
    std::uint64_t offset = 0;
    std::string path = find(bytes, offset);
    EXPECT_TRUE(world_.files.flip_bit(path, world_.files.content(path).size() - 60));
    return path;
  }
  // A store with a damaged block, in which `meet` comes upon it.
  void after_meeting(CorruptionAction action, const std::function<void()>& body) {
    fill();
    file_ = damage(value(kDamaged));
    config_.corruption_action = action;
    life([&] {
      ok(db().put("before", "1"));
      EXPECT_EQ(get(key(0)), value(0));
      EXPECT_EQ(db().stats().stopped_by_damage, "");
      EXPECT_CODE(kTableCorrupt, db().get(key(kDamaged)));
      body();
    });
  }
  void expect_refused(const Status& status, ErrorCode code) {
    ASSERT_FALSE(status);
    const Error& error = status.error();
    EXPECT_EQ(error.code(), code) << error.to_string();
    EXPECT_EQ(error.context().file, file_) << error.to_string();
    EXPECT_EQ(error.outcome(), WriteOutcome::kNotApplied);
    EXPECT_NE(error.message().find("corruption_action"), std::string::npos) << error.to_string();
  }
  template <class T>
  void expect_refused(const Result<T>& result, ErrorCode code) {
    expect_refused(result ? Status() : Status(result.error()), code);
  }
  void expect_writes_refused(ErrorCode code) {
    expect_refused(db().put("new", "1"), code);
    expect_refused(db().erase(key(1)), code);
    expect_refused(db().write(WriteBatch().put("new", "1")), code);
    expect_refused(db().flush(), code);
    expect_refused(db().create_keyspace("new"), code);
    if (auto transaction = db().begin()) {
      EXPECT_FALSE(transaction->put("new", "1") && transaction->commit());
    }
  }
  void expect_writable_after_reopening() {
    life([&] {
      EXPECT_EQ(get("before"), "1");
      EXPECT_EQ(get("new"), "nothing");
      put("new", "2");
      EXPECT_EQ(get("new"), "2");
    });
  }

  std::string file_;
};

TEST_F(CorruptionActionTest, IsolateStopsNothingElse) {
  after_meeting(CorruptionAction::kIsolate, [&] {
    put("new", "1");
    EXPECT_EQ(get(key(0)), value(0));
    EXPECT_EQ(db().stats().stopped_by_damage, "");
    EXPECT_EQ(db().stats().damaged_tables.size(), 1u);
  });
}

TEST_F(CorruptionActionTest, ReadOnlyRefusesWritesFromTheFirstDamageOnWhileReadsGoOn) {
  after_meeting(CorruptionAction::kReadOnly, [&] {
    expect_writes_refused(ErrorCode::kReadOnlyMode);
    EXPECT_EQ(get(key(0)), value(0));
    EXPECT_EQ(get("before"), "1");
    EXPECT_EQ(get("large"), large_value());
    Iterator it = db().iterate({.upper_bound = key(10)});
    int seen = 0;
    for (it.seek_to_first(); it.valid(); it.next()) ++seen;
    ok(it.status());
    EXPECT_EQ(seen, 11);
    EXPECT_NE(db().stats().stopped_by_damage.find(file_), std::string::npos);
    EXPECT_NE(db().stats().background_error.find("corruption_action"), std::string::npos);
    ok(db().close());
  });
  expect_writable_after_reopening();
}

TEST_F(CorruptionActionTest, HaltRefusesReadsAndWritesOfEverything) {
  after_meeting(CorruptionAction::kHalt, [&] {
    expect_writes_refused(ErrorCode::kTableCorrupt);
    expect_refused(db().get(key(0)), ErrorCode::kTableCorrupt);
    expect_refused(db().get("before"), ErrorCode::kTableCorrupt);
    expect_refused(db().count(), ErrorCode::kTableCorrupt);
    expect_refused(db().get_stream("large"), ErrorCode::kTableCorrupt);
    Iterator it = db().iterate();
    it.seek_to_first();
    EXPECT_FALSE(it.valid());
    expect_refused(it.status(), ErrorCode::kTableCorrupt);
    EXPECT_NE(db().stats().stopped_by_damage.find(file_), std::string::npos);
    const auto report = db().check();
    ASSERT_OK(report);
    EXPECT_EQ(report->findings.size(), 1u);
    ok(db().close());
  });
  expect_writable_after_reopening();
}

TEST_F(CorruptionActionTest, HaltStopsIteratorsOnTheirWay) {
  fill();
  file_ = damage(value(kDamaged));
  config_.corruption_action = CorruptionAction::kHalt;
  life([&] {
    Iterator forward = db().iterate(), backward = db().iterate();
    forward.seek_to_first();
    backward.seek_to_last();
    ASSERT_TRUE(forward.valid() && backward.valid());
    EXPECT_FALSE(db().get(key(kDamaged)));
    forward.next();
    EXPECT_FALSE(forward.valid());
    expect_refused(forward.status(), ErrorCode::kTableCorrupt);
    backward.prev();
    EXPECT_FALSE(backward.valid());
    expect_refused(backward.status(), ErrorCode::kTableCorrupt);
  });
}

// Whoever meets it.
TEST_F(CorruptionActionTest, FollowsFromEachWayOfMeetingDamage) {
  fill();
  const std::string table = damage(value(kDamaged)), blob = damage(large_value());
  config_.corruption_action = CorruptionAction::kReadOnly;
  const auto scan = [&](const IterateOptions& options) {
    Iterator it = db().iterate(options);
    for (it.seek_to_first(); it.valid(); it.next()) (void)it.value();
    return it.status();
  };
  const std::pair<const char*, std::function<Status()>> ways[] = {
      {"get", [&] { return Status(db().get(key(kDamaged)).error()); }},
      {"multi_get",
       [&] {
         const std::string wanted = key(kDamaged);
         const std::string_view keys[] = {wanted, "other"};
         PinnedValue values[2];
         return db().multi_get(db().default_keyspace(), keys, values);
       }},
      {"scan", [&] { return scan({.lower_bound = key(0), .upper_bound = key(kKeys)}); }},
      {"check", [&] { return Status(db().check()->findings.front().error); }},
      {"compaction", [&] { return db().compact_range({}, {.bottom = BottomLevel::kRewrite}); }},
      {"get of a large value", [&] { return Status(db().get("large").error()); }},
      {"stream of a large value",
       [&] {
         auto stream = db().get_stream("large");
         std::vector<char> bytes(8000);
         return stream ? (*stream)->read(0, bytes) : Status(stream.error());
       }},
      {"scan of large values", [&] { return scan({.lower_bound = "large"}); }},
  };
  for (const auto& [name, meet] : ways) {
    SCOPED_TRACE(name);
    life([&, &meet_it = meet] {
      const Status met = meet_it();
      ASSERT_FALSE(met);
      EXPECT_TRUE(met.error().context().file == table || met.error().context().file == blob) << met.error().to_string();
      EXPECT_CODE(kReadOnlyMode, db().put("new", "1"));
    });
  }
}

TEST_F(CorruptionActionTest, FollowsFromWhatOpeningFindsToo) {
  fill();
  file_ = damage_root(value(kDamaged));
  config_.corruption_action = CorruptionAction::kReadOnly;
  life([&] {
    expect_refused(db().put("new", "1"), ErrorCode::kReadOnlyMode);
    EXPECT_EQ(get("absent"), "nothing");
  });
  config_.corruption_action = CorruptionAction::kHalt;
  life([&] {
    expect_refused(db().put("new", "1"), ErrorCode::kTableCorrupt);
    expect_refused(db().get("absent"), ErrorCode::kTableCorrupt);
    EXPECT_EQ(db().check()->findings.size(), 1u);
  });
  process([&] {
    const auto reader = try_open({}, true);
    ASSERT_OK(reader);
    expect_refused(reader->get("absent"), ErrorCode::kTableCorrupt);
  });
}

// What stopped writes for a reason that passes is lifted when it has passed; what damage stopped is not.
TEST_F(CorruptionActionTest, OutlastsOtherReasonsToStop) {
  fill();
  file_ = damage(value(kDamaged));
  config_.corruption_action = CorruptionAction::kReadOnly;
  life([&] {
    put("before", "1");
    world_.files.add_fault({.kind = env::IoKind::kCreate, .path_part = "/tables/", .sticky = true, .os_error = 28});
    EXPECT_CODE(kNoSpace, db().flush());
    EXPECT_FALSE(db().get(key(kDamaged)));
    world_.files.clear_faults();
    base::sleep_for(std::chrono::seconds(10));
    expect_refused(db().put("new", "1"), ErrorCode::kReadOnlyMode);
  });
  expect_writable_after_reopening();
}

TEST_F(CorruptionActionTest, FailOnCorruptionRefusesToOpenAndChangesNothing) {
  fill();
  const std::string table = damage_root(value(kDamaged));
  config_.fail_on_corruption = true;
  const auto expect_refuses = [&](ErrorCode code, const std::string& file) {
    for (const bool read_only : {false, true}) {
      process([&] {
        const auto opened = try_open({}, read_only);
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code(), code) << opened.error().to_string();
        EXPECT_EQ(opened.error().context().file, file);
        EXPECT_NE(opened.error().message().find("fail_on_corruption"), std::string::npos);
      });
    }
  };
  expect_refuses(ErrorCode::kTableCorrupt, table);
  ASSERT_TRUE(world_.files.flip_bit(table, world_.files.content(table).size() - 60));
  life([&] { EXPECT_EQ(get(key(kDamaged)), value(kDamaged)); });

  const std::string whole = world_.files.content(table);
  ASSERT_TRUE(world_.files.delete_file(table));
  expect_refuses(ErrorCode::kTableMissing, table);
  ASSERT_TRUE(world_.files.put_file(table, whole));

  const std::string blob = damage_root(large_value());
  expect_refuses(ErrorCode::kBlobCorrupt, blob);
  config_.fail_on_corruption = false;
  life([&] { EXPECT_EQ(get(key(kDamaged)), value(kDamaged)); });
}

// A streamed value of which no manifest knows yet.
TEST_F(CorruptionActionTest, FailOnCorruptionCountsWhatOnlyTheLogNames) {
  std::string blob;
  life([&] {
    auto stream = db().put_stream("streamed");
    ASSERT_OK(stream);
    ok(stream->append(std::string(3 << 20, 's')));
    ok(stream->commit());
    for (const std::string& path : world_.files.files_below("/db/blobs")) blob = path;
  });
  ASSERT_NE(blob, "");
  ASSERT_TRUE(world_.files.flip_bit(blob, world_.files.content(blob).size() - 60));
  config_.fail_on_corruption = true;
  process([&] {
    const auto opened = try_open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ErrorCode::kBlobCorrupt) << opened.error().to_string();
    EXPECT_EQ(opened.error().context().file, blob);
  });
}

class ChecksumAlgorithmTest : public CorruptionActionTest {
 protected:
  base::TagAlgorithm written() {
    fill();
    std::optional<base::TagAlgorithm> tags;
    for (const std::string& path : world_.files.files_below("/db/tables")) {
      const auto table = sstable::describe_table(world_.env, path);
      EXPECT_OK(table);
      if (table) tags = table->meta.tags;
    }
    return tags.value();
  }
};

TEST_F(ChecksumAlgorithmTest, FollowsTheLevelIfNotChosen) {
  config_.integrity_validation_level = IntegrityLevel::kBasic;
  EXPECT_EQ(written(), base::TagAlgorithm::kXxh3);
  config_.integrity_validation_level = IntegrityLevel::kStandard;
  life([&] { ok(db().compact_range({}, {.bottom = BottomLevel::kRewrite})); });
  EXPECT_EQ(written(), base::TagAlgorithm::kBlake3);
}

TEST_F(ChecksumAlgorithmTest, IsTheOneChosenWhateverTheLevel) {
  config_.integrity_validation_level = IntegrityLevel::kBasic;
  config_.checksum_algorithm = ChecksumAlgorithm::kBlake3;
  EXPECT_EQ(written(), base::TagAlgorithm::kBlake3);
  config_.integrity_validation_level = IntegrityLevel::kParanoid;
  config_.checksum_algorithm = ChecksumAlgorithm::kXxh3;
  life([&] { ok(db().compact_range({}, {.bottom = BottomLevel::kRewrite})); });
  EXPECT_EQ(written(), base::TagAlgorithm::kXxh3);
  life([&] { EXPECT_EQ(get(key(7)), value(7)); });
}

}  // namespace
}  // namespace lightning::engine
