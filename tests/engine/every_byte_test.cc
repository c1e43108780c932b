// Each byte of a small store in turn is another one, each file is cut at each length, and each is gone: whatever is
// read is right, or an error that names the damage, and what does not touch the damage goes on.
//
// An ordinary run takes a sample, from where LIGHTNING_TEST_SEED says. `./dev every-byte` takes all of them.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "engine/scrub.h"
#include "index/world.h"
#include "manifest/manifest.h"
#include "support/must.h"
#include "support/simulated_seeds.h"

namespace lightning::engine {
namespace {

using Records = std::map<std::string, std::string>;
using Files = std::map<std::string, std::string>;

constexpr const char* kStore = "/store";
constexpr std::chrono::milliseconds kYear2100{4'102'444'800'000};

// What the store holds.
struct Model {
  std::map<std::string, Records> keyspaces;
  index::Pairs by_city;
};

bool takes_all() { return std::getenv("LIGHTNING_EVERY_BYTE") != nullptr; }

std::string key(int n) { return "key/" + std::to_string(1000 + n); }
std::string value(int n) {
  const std::string number = std::to_string(n);
  if (n % 17 == 5) return number + std::string(1100, static_cast<char>('a' + n % 26));  // large
  return n % 3 == 0 ? number + " and the same words again and again" : number;
}

bool is_data(const std::string& path) {
  return path.find("/tables/") != std::string::npos || path.find("/blobs/") != std::string::npos;
}
// Nothing that a store holds depends on these.
bool is_beside(const std::string& path) {
  return path.ends_with("/LOCK") || path.ends_with("/RECOVERY") || path.ends_with("/BALLAST") ||
         path.ends_with("/SCRUB") || path.find("/lost+found/") != std::string::npos;
}

bool tells_of_damage(ErrorCode code) {
  switch (code) {
    case ErrorCode::kFormatUnsupported:
    case ErrorCode::kCorruption:
    case ErrorCode::kTableMissing:
    case ErrorCode::kTableCorrupt:
    case ErrorCode::kWalMissing:
    case ErrorCode::kWalCorrupt:
    case ErrorCode::kManifestCorrupt:
    case ErrorCode::kBlobMissing:
    case ErrorCode::kBlobCorrupt:
    case ErrorCode::kStaleStore:
      return true;
    default:
      return false;
  }
}

// Reads all of a store in every way there is, and compares it with the model.
class Look {
 public:
  Look(std::string damaged, const Model& model) : damaged_(std::move(damaged)), model_(model) {}

  std::uint64_t errors() const { return errors_; }
  void judge(const Error& error, const std::string& doing) {
    ++errors_;
    EXPECT_TRUE(tells_of_damage(error.code())) << doing << ": " << error.to_string();
    EXPECT_FALSE(error.advice().empty()) << doing;
    if (is_data(damaged_)) {
      EXPECT_EQ(error.context().file, damaged_) << doing << ": " << error.to_string();
    } else {
      EXPECT_TRUE(error.context().file.starts_with(kStore)) << doing << ": " << error.to_string();
      EXPECT_FALSE(is_beside(damaged_)) << doing << ": " << error.to_string();
    }
  }

  void at(const Database& db) {
    for (const auto& [name, records] : model_.keyspaces) {
      const auto keyspace = db.keyspace(name);
      ASSERT_TRUE(keyspace) << keyspace.error().to_string();
      forward(db, *keyspace, records);
      backward(db, *keyspace, records);
      one_by_one(db, *keyspace, records);
    }
    together(db);
    index(db);
    const auto counted = db.count(*db.keyspace("counted"));
    if (!counted) return judge(counted.error(), "count");
    EXPECT_TRUE(counted->exact);
    EXPECT_EQ(counted->records, model_.keyspaces.at("counted").size());
  }
  // A check finds whatever any of the others found, and of data each byte.
  void check(const Database& db) {
    const std::uint64_t met = errors_;
    const auto report = db.check();
    ASSERT_TRUE(report) << report.error().to_string();
    for (const CheckFinding& finding : report->findings) judge(finding.error, "check");
    EXPECT_TRUE(!report->findings.empty() || (met == 0 && !is_data(damaged_))) << "the check finds nothing";
  }

 private:
  // False at an error.
  bool stands_well(const Iterator& it, const std::string& doing) {
    const Status status = it.status();
    if (!status) judge(status.error(), doing);
    return status.has_value();
  }
  void forward(const Database& db, const Keyspace& keyspace, const Records& records) {
    Iterator it = db.iterate(keyspace);
    auto expected = records.begin();
    for (it.seek_to_first(); it.valid(); it.next(), ++expected) {
      const std::string found_key(it.key()), found(it.value());
      if (!it.valid()) break;  // a large value is read when it is asked for
      ASSERT_TRUE(expected != records.end()) << "forward: " << found_key << " should not be there";
      ASSERT_EQ(found_key, expected->first) << "forward";
      ASSERT_EQ(found, expected->second) << "forward, " << found_key;
    }
    if (stands_well(it, "forward")) {
      EXPECT_TRUE(expected == records.end()) << "forward: ends before " << expected->first;
    }
  }
  void backward(const Database& db, const Keyspace& keyspace, const Records& records) {
    Iterator it = db.iterate(keyspace);
    auto expected = records.rbegin();
    for (it.seek_to_last(); it.valid(); it.prev(), ++expected) {
      const std::string found_key(it.key()), found(it.value());
      if (!it.valid()) break;
      ASSERT_TRUE(expected != records.rend()) << "backward: " << found_key << " should not be there";
      ASSERT_EQ(found_key, expected->first) << "backward";
      ASSERT_EQ(found, expected->second) << "backward, " << found_key;
    }
    if (stands_well(it, "backward")) {
      EXPECT_TRUE(expected == records.rend()) << "backward: ends behind " << expected->first;
    }
  }
  void one_by_one(const Database& db, const Keyspace& keyspace, const Records& records) {
    const auto expect = [&](const std::string& wanted, const std::optional<std::string>& right) {
      const auto found = db.get(keyspace, wanted);
      if (!found) return judge(found.error(), "get");
      EXPECT_EQ(*found, right) << "get of " << wanted;
    };
    for (const auto& [wanted, right] : records) expect(wanted, right);
    for (int n = 0; n < 40; n += 3)
      if (!records.contains(key(n))) expect(key(n), std::nullopt);
  }
  void together(const Database& db) {
    const Records& records = model_.keyspaces.at("default");
    std::vector<std::string_view> keys;
    for (const auto& [wanted, right] : records) keys.push_back(wanted);
    std::vector<PinnedValue> values(keys.size());
    if (const Status status = db.multi_get(db.default_keyspace(), keys, values); !status)
      return judge(status.error(), "multi_get");
    for (std::size_t i = 0; i < keys.size(); ++i) {
      ASSERT_TRUE(values[i].found()) << "multi_get of " << keys[i];
      EXPECT_EQ(values[i].value(), records.at(std::string(keys[i]))) << "multi_get of " << keys[i];
    }
  }
  void index(const Database& db) {
    index::Pairs all;
    IndexQuery query{.limit = 3};
    do {
      const auto page = db.query_index(*db.keyspace("people"), "by_city", query);
      if (!page) return judge(page.error(), "query of the index");
      for (const IndexMatch& match : page->matches) all.emplace_back(index::text_of(match.value), match.key);
      query.continuation = page->continuation;
    } while (!query.continuation.empty());
    EXPECT_EQ(all, model_.by_city);
  }

  const std::string damaged_;
  const Model& model_;
  std::uint64_t errors_ = 0;
};

class EveryByteOfAStore : public testing::Test {
 protected:
  void SetUp() override {
    const char* given = std::getenv("LIGHTNING_TEST_SEED");
    seed_ = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
    std::printf("LIGHTNING_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    world_.config().wal_segment_bytes = 8 << 10;
    world_.config().level0_compaction_trigger = 4;  // runs stay in level 0
    world_.config().ballast_bytes = 256 << 10;
    world_.run([&](Database& db) { write(db); });
    world_.run([&](Database& db) {
      write_to_the_log(db);
      model_ = model_of(db);
    });
    env::SimulatedFileSystem& disk = world_.env().files;
    // What a failed opening, a job that died and a full disk leave behind.
    ASSERT_TRUE(
        disk.put_file("/store/RECOVERY", "attempt 2\nstage WalDiscovery\nat 1767225600000000000 ns since 1970\n"));
    ASSERT_TRUE(disk.create_directories("/store/lost+found"));
    ASSERT_TRUE(disk.put_file("/store/lost+found/1767225600-000000000002.sst", std::string(100, 'x')));
    ASSERT_TRUE(disk.put_file("/store/BALLAST", std::string(100, '\0')));
    const format::Uid store = must(manifest::read_superblock(world_.env().env, kStore)).store_id;
    ASSERT_TRUE(disk.put_file("/store/SCRUB", encode(ScrubRecord{.round = 2, .next = 3, .end = 9}, store)));
    for (const std::string& path : disk.files_below(kStore)) files_[path] = disk.content(path);
  }

  static void write(Database& db) {
    const Keyspace counted = must(db.create_keyspace("counted", {.counted = true}));
    const Keyspace sums = must(db.create_keyspace("sums", {.merge_operator = "append"}));
    const Keyspace people = must(db.create_keyspace("people"));
    EXPECT_OK(db.create_index(people, "by_city", {.extractor = index::kSecondField}));
    for (int n = 0; n < 40; ++n) EXPECT_OK(db.put(key(n), value(n)));
    for (int n = 0; n < 10; ++n) EXPECT_OK(db.put(counted, key(n), "c"));
    EXPECT_OK(db.put(people, "1", "Ada,London"));
    EXPECT_OK(db.put(people, "2", "Emmy,Erlangen"));
    EXPECT_OK(db.merge(sums, "letters", "a"));
    EXPECT_OK(db.compact_range());
    for (int n = 0; n < 40; n += 10) EXPECT_OK(db.erase(key(n)));
    EXPECT_OK(db.put(key(3), "again"));
    EXPECT_OK(db.put("expires", "some day", {.expires_at = kYear2100}));
    EXPECT_OK(db.erase_range(KeyRange{.start = key(11), .end = key(15)}));
    EXPECT_OK(db.put(people, "3", "Alan,London"));
    EXPECT_OK(db.merge(sums, "letters", "b"));
    EXPECT_OK(db.flush());
  }
  // More than one segment of it.
  static void write_to_the_log(Database& db) {
    for (int n = 40; n < 52; ++n) EXPECT_OK(db.put(key(n), value(n) + std::string(600, 'l')));
    EXPECT_OK(db.erase(key(1)));
    EXPECT_OK(db.erase_range(KeyRange{.start = key(31), .end = key(33)}));
    EXPECT_OK(db.erase(*db.keyspace("counted"), key(0)));
    EXPECT_OK(db.put(*db.keyspace("people"), "2", "Emmy,Göttingen"));
    EXPECT_OK(db.merge(*db.keyspace("sums"), "letters", "c"));
  }
  static Model model_of(const Database& db) {
    Model model;
    for (const std::string& name : db.keyspaces()) {
      Iterator it = db.iterate(must(db.keyspace(name)));
      for (it.seek_to_first(); it.valid(); it.next()) model.keyspaces[name].emplace(it.key(), it.value());
      EXPECT_OK(it.status());
    }
    model.by_city = index::expected(db, must(db.keyspace("people")));
    return model;
  }

  // --- one damage, looked at by a reader and by a writer

  using Damage = std::function<void(env::SimulatedFileSystem& disk)>;
  void expect_right_or_named(const std::string& path, const std::string& what, const Damage& damage, bool writes) {
    SCOPED_TRACE(path + ", " + what + (writes ? ", opened for writing" : ""));
    ++looked_;
    if (writes) return open_for_writing(path, damage);
    damage(world_.env().files);
    open_for_reading(world_.env(), path, model_);
    ASSERT_TRUE(world_.env().files.put_file(path, files_.at(path)));
  }
  void open_for_reading(env::SimulatedWorld& world, const std::string& path, const Model& model) {
    Look look(path, model);
    const auto db = DatabaseAccess::open_as_given(world.env, kStore, world_.config(), true);
    if (!db) {
      look.judge(db.error(), "open");
    } else {
      look.at(*db);
      look.check(*db);
    }
    errors_ += look.errors() > 0;
  }
  // The rest goes on: it can be written, and is there at the next opening.
  void open_for_writing(const std::string& path, const Damage& damage) {
    env::SimulatedWorld world(++worlds_);
    for (const char* directory : {"/store/wal", "/store/tables", "/store/blobs", "/store/lost+found"})
      ASSERT_TRUE(world.files.create_directories(directory));
    for (const auto& [file, bytes] : files_) ASSERT_TRUE(world.files.put_file(file, bytes));
    damage(world.files);
    Model later = model_;
    later.keyspaces["default"]["new"] = "1";
    bool opened = false;
    Look look(path, model_);
    base::FiberScheduler fibers(worlds_, {.steps_max = 5'000'000});
    const base::WorldEnd end = fibers.run([&] {
      auto db = DatabaseAccess::open_as_given(world.env, kStore, world_.config());
      if (!db) return look.judge(db.error(), "open");
      opened = true;
      look.at(*db);
      EXPECT_OK(db->put("new", "1"));
      EXPECT_OK(db->flush());
      EXPECT_OK(db->close());
    });
    EXPECT_EQ(end, base::WorldEnd::kFinished) << fibers.report();
    errors_ += look.errors() > 0;
    if (opened && !HasFailure()) open_for_reading(world, path, later);
  }

  // Each place of a file, or a sample; with every so many of them it is opened for writing, too.
  void at_places(const std::string& path, const std::function<void(std::uint64_t at, bool writes)>& look) {
    const std::uint64_t bytes = files_.at(path).size();
    const std::uint64_t stride =
        takes_all() ? 1 : std::min<std::uint64_t>(kStride, 1 + bytes / 8) * 15 / testing_support::simulated_seeds(15);
    for (std::uint64_t at = seed_ % stride, n = seed_ / stride; at < bytes && !HasFailure(); at += stride, ++n) {
      look(at, false);
      if ((takes_all() || n % 5 == 0) && !HasFailure()) look(at, true);
    }
  }
  void tell() const {
    std::printf("%llu times damaged, %llu openings that met it\n", static_cast<unsigned long long>(looked_),
                static_cast<unsigned long long>(errors_));
  }

  static constexpr std::uint64_t kStride = 61;
  txn::World world_;
  std::uint64_t seed_ = 0, worlds_ = 0, looked_ = 0, errors_ = 0;
  Model model_;
  Files files_;
};

TEST_F(EveryByteOfAStore, HasEveryKindOfFileAndRecord) {
  for (const char* name : {"/store/SUPERBLOCK", "/store/LOCK", "/store/RECOVERY", "/store/BALLAST", "/store/SCRUB"})
    EXPECT_TRUE(files_.contains(name)) << name;
  std::uint64_t segments = 0, tables = 0, blobs = 0, manifests = 0;
  for (const auto& [path, bytes] : files_) {
    segments += path.starts_with("/store/wal/");
    tables += path.starts_with("/store/tables/");
    blobs += path.starts_with("/store/blobs/");
    manifests += path.starts_with("/store/MANIFEST-");
  }
  EXPECT_GE(segments, 2u);
  EXPECT_GE(tables, 6u);
  EXPECT_GE(blobs, 1u);
  EXPECT_EQ(manifests, 1u);
  const auto db = must(DatabaseAccess::open_as_given(world_.env().env, kStore, world_.config(), true));
  const Statistics stats = db.stats();
  std::uint64_t ranges = 0, levels = 0;
  for (const KeyspaceStatistics& keyspace : stats.keyspaces) {
    if (keyspace.name == "default") levels = keyspace.levels.size();
    for (const LevelStatistics& level : keyspace.levels) ranges += level.range_tombstones;
  }
  EXPECT_GE(levels, 2u);
  EXPECT_GE(ranges, 1u);
  EXPECT_EQ(must(db.get(must(db.keyspace("sums")), "letters")), "abc");
  EXPECT_EQ(model_.by_city.size(), 3u);
}

TEST_F(EveryByteOfAStore, FlippedGivesWhatWasThereOrAnErrorThatNamesIt) {
  for (const auto& [path, bytes] : files_)
    at_places(path, [&, &file = path](std::uint64_t at, bool writes) {
      expect_right_or_named(
          file, "byte " + std::to_string(at),
          [&](env::SimulatedFileSystem& disk) { ASSERT_TRUE(disk.flip_bit(file, at, (at * 5 + seed_) % 8)); }, writes);
    });
  EXPECT_GT(errors_, looked_ / 5);
  tell();
}

TEST_F(EveryByteOfAStore, CutOffGivesWhatWasThereOrAnErrorThatNamesIt) {
  for (const auto& [path, bytes] : files_)
    at_places(path, [&, &file = path](std::uint64_t at, bool writes) {
      expect_right_or_named(
          file, "cut to " + std::to_string(at),
          [&](env::SimulatedFileSystem& disk) { ASSERT_TRUE(disk.truncate_file(file, at)); }, writes);
    });
  EXPECT_GT(errors_, looked_ / 5);
  tell();
}

TEST_F(EveryByteOfAStore, GoneOrLongerGivesWhatWasThereOrAnErrorThatNamesIt) {
  for (const auto& [path, bytes] : files_)
    for (const bool writes : {false, true}) {
      expect_right_or_named(
          path, "gone", [&, &file = path](env::SimulatedFileSystem& disk) { ASSERT_TRUE(disk.delete_file(file)); },
          writes);
      expect_right_or_named(
          path, "longer",
          [&, &file = path, &whole = bytes](env::SimulatedFileSystem& disk) {
            ASSERT_TRUE(disk.put_file(file, whole + "x"));
          },
          writes);
      if (HasFailure()) return;
    }
  tell();
}

}  // namespace
}  // namespace lightning::engine
