// Everything is read once in a period, from the disk, in the background; what is damaged is found.
#include "engine/scrub.h"

#include "engine/simulated_store.h"

namespace lightning::engine {
namespace {

using namespace std::chrono_literals;

constexpr int kKeys = 400, kDamaged = 200;

std::string key(int n) { return "key" + std::to_string(1000 + n); }
std::string value(int n) {
  env::SeededRandom random(static_cast<std::uint64_t>(n));
  std::string bytes = key(n) + "/";
  while (bytes.size() < 1000) bytes += std::to_string(random.next());
  return bytes;
}
std::string large_value() { return "large" + std::string(8000, 'L'); }

class Scrub : public SimulatedStore {
 protected:
  Scrub() {
    config_.cache_size = 8 << 20;
    config_.memtable_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
    config_.table_bytes = 256 << 10;
    config_.compression_enabled = false;
    config_.ballast_bytes = 0;
    config_.scrub_period = 1h;
  }
  // Two tables and a blob file.
  void fill() {
    life([&] {
      for (int n = 0; n < kKeys; ++n) put(key(n), value(n));
      put("large", large_value());
      ok(db().compact_range());
      ok(db().close());
    });
  }
  std::string find(const std::string& bytes, std::uint64_t& offset) {
    for (const std::string& path : data_files()) {
      const std::size_t at = world_.files.content(path).find(bytes);
      if (at == std::string::npos) continue;
      offset = at;
      return path;
    }
    ADD_FAILURE() << "not found";
    return {};
  }
  std::string damage(const std::string& bytes, std::uint64_t at = 500) {
    std::uint64_t offset = 0;
    std::string path = find(bytes, offset);
    EXPECT_TRUE(world_.files.flip_bit(path, offset + at));
    return path;
  }
  std::vector<std::string> data_files() {
    std::vector<std::string> files = world_.files.files_below("/db/tables");
    for (const std::string& path : world_.files.files_below("/db/blobs")) files.push_back(path);
    return files;
  }
  std::uint64_t data_bytes() {
    std::uint64_t bytes = 0;
    for (const std::string& path : data_files()) bytes += world_.files.content(path).size();
    return bytes;
  }
  std::string manifest_path() {
    for (const std::string& path : world_.files.files_below("/db"))
      if (path.find("/MANIFEST-") != std::string::npos) return path;
    return {};
  }
  ScrubStatistics scrub() { return db().stats().scrub; }
  // Until so many rounds have ended since the opening.
  void wait_for_rounds(std::uint64_t rounds) {
    for (int i = 0; i < 1000 && scrub().rounds < rounds; ++i) base::sleep_for(1min);
    EXPECT_EQ(scrub().rounds, rounds);
  }
};

TEST_F(Scrub, ReadsEverythingOnceInAPeriod) {
  fill();
  life([&] {
    wait_for_rounds(1);
    const std::uint64_t begun_ms = scrub().last_ended_ms;
    EXPECT_EQ(scrub().files_read, data_files().size());
    const std::uint64_t bytes = scrub().bytes_read;
    EXPECT_GT(bytes, data_bytes() / 10 * 9);
    EXPECT_LE(bytes, data_bytes());
    base::sleep_for(10h);
    EXPECT_EQ(scrub().rounds, 11u);
    EXPECT_EQ(scrub().round, 11u);
    EXPECT_EQ(scrub().bytes_read, 11 * bytes);
    EXPECT_EQ(scrub().findings, 0u);
    EXPECT_EQ(scrub().last_finding, "");
    EXPECT_FALSE(scrub().running);
    EXPECT_NEAR(static_cast<double>(scrub().last_ended_ms - begun_ms), 36e6, 1e6);
    EXPECT_GT(scrub().next_due_ms, scrub().last_ended_ms);
  });
}

TEST_F(Scrub, TakesNothingFromTheCacheAndPutsNothingIntoIt) {
  fill();
  life([&] {
    EXPECT_EQ(get(key(1)), value(1));
    wait_for_rounds(1);  // what blocks pass through is kept for the next ones
    const Statistics before = db().stats();
    wait_for_rounds(4);
    const Statistics after = db().stats();
    EXPECT_EQ(after.memory.blocks, before.memory.blocks);
    EXPECT_EQ(after.cache_hits + after.cache_misses, before.cache_hits + before.cache_misses);
    EXPECT_EQ(after.memory.filters_and_indexes, before.memory.filters_and_indexes);
    EXPECT_EQ(get(key(1)), value(1));
    EXPECT_EQ(db().stats().cache_misses, before.cache_misses) << "the block has stayed in the cache";
  });
}

TEST_F(Scrub, FindsDamageThatNobodyHasMet) {
  fill();
  const std::string file = damage(value(kDamaged));
  life([&] {
    EXPECT_TRUE(db().stats().damaged_tables.empty());
    wait_for_rounds(1);
    EXPECT_EQ(scrub().findings, 1u);
    EXPECT_NE(scrub().last_finding.find(file), std::string::npos) << scrub().last_finding;
    const Statistics stats = db().stats();
    ASSERT_EQ(stats.damaged_tables.size(), 1u);
    EXPECT_EQ(stats.damaged_tables[0].file, file);
    EXPECT_EQ(get(key(0)), value(0));
    put("new", "1");
  });
}

// A block that a reader has in memory says nothing about the disk.
TEST_F(Scrub, LooksAtTheDiskThoughTheBlockIsCached) {
  fill();
  life([&] {
    EXPECT_EQ(get(key(kDamaged)), value(kDamaged));
    damage(value(kDamaged));
    EXPECT_EQ(get(key(kDamaged)), value(kDamaged));
    wait_for_rounds(1);
    EXPECT_EQ(scrub().findings, 1u);
  });
}

TEST_F(Scrub, FindsDamageOfFootersIndexesFiltersAndLargeValues) {
  fill();
  life([&] {
    std::uint64_t offset = 0;
    const std::string table = find(value(kDamaged), offset);
    const std::uint64_t bytes = world_.files.content(table).size();
    const std::string blob = damage(large_value());
    for (const std::uint64_t from_end : {10u, 100u, 300u, 700u, 1500u}) {
      ASSERT_TRUE(world_.files.flip_bit(table, bytes - from_end));
      const std::uint64_t before = scrub().findings;
      wait_for_rounds(scrub().rounds + 1);
      EXPECT_EQ(scrub().findings, before + 2) << from_end;
      ASSERT_TRUE(world_.files.flip_bit(table, bytes - from_end));
    }
    ASSERT_EQ(db().stats().damaged_blob_files.size(), 1u);
    EXPECT_EQ(db().stats().damaged_blob_files[0].file, blob);
  });
}

TEST_F(Scrub, FindsAFileWholeAgainThatWasPutBack) {
  fill();
  life([&] {
    const std::string file = damage(value(kDamaged));
    wait_for_rounds(1);
    EXPECT_EQ(db().stats().damaged_tables.size(), 1u);
    damage(value(kDamaged).substr(0, 400));  // the same bit
    ASSERT_NE(file, "");
    wait_for_rounds(2);
    EXPECT_TRUE(db().stats().damaged_tables.empty());
    EXPECT_EQ(scrub().findings, 1u);
  });
}

TEST_F(Scrub, ActsOnWhatItFinds) {
  fill();
  damage(value(kDamaged));
  config_.corruption_action = CorruptionAction::kReadOnly;
  life([&] {
    put("before", "1");
    wait_for_rounds(1);
    EXPECT_CODE(kReadOnlyMode, db().put("new", "1"));
    EXPECT_EQ(get("before"), "1");
  });
}

// A disk that refuses once may give it the next time.
TEST_F(Scrub, ARefusedReadIsToldAndCountsAsNoDamage) {
  fill();
  config_.corruption_action = CorruptionAction::kHalt;
  life([&] {
    world_.files.add_fault({.kind = env::IoKind::kRead, .file_class = env::FileClass::kTable, .nth = 20});
    wait_for_rounds(1);
    EXPECT_EQ(scrub().findings, 1u);
    EXPECT_TRUE(db().stats().damaged_tables.empty());
    EXPECT_EQ(get(key(0)), value(0));
    wait_for_rounds(2);
    EXPECT_EQ(scrub().findings, 1u);
  });
}

TEST_F(Scrub, KeepsToItsRate) {
  config_.scrub_bytes_per_second = 64 << 10;
  fill();
  const double seconds = static_cast<double>(data_bytes()) / (64 << 10);
  life([&] {
    while (!scrub().running) base::sleep_for(1s);
    const std::uint64_t from = scrub().bytes_read;
    base::sleep_for(2s);
    EXPECT_NEAR(static_cast<double>(scrub().bytes_read - from), 128 << 10, 34 << 10);
    EXPECT_GT(scrub().round_bytes_total, data_bytes() / 2);
    base::sleep_for(std::chrono::seconds(static_cast<int>(seconds / 2) - 3));
    EXPECT_TRUE(scrub().running);
    base::sleep_for(std::chrono::seconds(static_cast<int>(seconds) + 3));
    EXPECT_FALSE(scrub().running);
    EXPECT_EQ(scrub().round_bytes_done, scrub().round_bytes_total);
  });
}

TEST_F(Scrub, GoesOnWhereItWasAfterTheStoreWasClosed) {
  config_.scrub_bytes_per_second = 64 << 10;
  fill();
  const std::size_t files = data_files().size();
  ASSERT_GE(files, 3u);
  std::uint64_t read = 0;
  life([&] {
    while (!scrub().running) base::sleep_for(1s);
    while (scrub().files_read == 0) base::sleep_for(100ms);
    read = scrub().files_read;
    EXPECT_TRUE(scrub().running);
  });
  life([&] {
    while (scrub().rounds == 0) base::sleep_for(1s);
    EXPECT_EQ(scrub().round, 1u);
    EXPECT_EQ(scrub().files_read, files - read);
    EXPECT_EQ(scrub().round_bytes_done, scrub().round_bytes_total);
    EXPECT_GT(scrub().round_bytes_done, data_bytes() / 10 * 9);
  });
  // The next one is due a period after that one began, whoever waits for it.
  life([&] {
    base::sleep_for(30min);
    EXPECT_EQ(scrub().rounds, 0u);
    EXPECT_EQ(scrub().round, 1u);
    wait_for_rounds(1);
  });
}

TEST_F(Scrub, ALostOrForeignRecordCostsARoundThatBeginsAnew) {
  fill();
  life([&] { wait_for_rounds(2); });
  for (const std::string& record : {std::string("scrub 1\nnext 18446744073709551615\n"), std::string(5000, 'x'),
                                    encode(ScrubRecord{.round = 9, .next = 99, .end = 100}, format::Uid{})}) {
    ASSERT_TRUE(world_.files.put_file("/db/SCRUB", record));
    life([&] {
      wait_for_rounds(1);
      EXPECT_EQ(scrub().round, 1u);
      EXPECT_EQ(scrub().files_read, data_files().size());
    });
  }
}

TEST(ScrubRecord, IsReadAsItWasWrittenAndOtherwiseNotAtAll) {
  format::Uid store, other;
  store.bytes[3] = 7;
  const ScrubRecord record{
      .round = 3, .begun_ms = 5, .ended_ms = 4, .next = 17, .end = 90, .bytes_done = 1ull << 40, .findings = 2};
  const std::string text = encode(record, store);
  EXPECT_EQ(decode_scrub_record(text, store), record);
  EXPECT_EQ(decode_scrub_record(text, other), std::nullopt);
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_EQ(decode_scrub_record(changed, store), std::nullopt) << at;
    EXPECT_EQ(decode_scrub_record(text.substr(0, at), store), std::nullopt) << at;
  }
}

// Of what is in memory and on disk, the one that is whole helps the other.
TEST_F(Scrub, ADamagedManifestOrSuperblockIsWrittenAnew) {
  fill();
  for (const bool superblock : {false, true}) {
    const auto harm = [&] {
      if (!superblock) {
        ASSERT_TRUE(world_.files.flip_bit(manifest_path(), 200));
        return;
      }
      for (const std::uint64_t slot : {0u, 4096u}) ASSERT_TRUE(world_.files.flip_bit("/db/SUPERBLOCK", slot + 60));
    };
    life([&] {
      put("new", "1");
      harm();
      EXPECT_FALSE(try_open({}, true));
      wait_for_rounds(1);
      EXPECT_EQ(scrub().repaired, 1u);
      EXPECT_EQ(scrub().findings, 1u);
      EXPECT_OK(try_open({}, true));
      put("newer", "2");
    });
    life([&] {
      EXPECT_EQ(get("newer"), "2");
      EXPECT_EQ(get(key(7)), value(7));
      wait_for_rounds(1);
      EXPECT_EQ(scrub().findings, 0u);
    });
  }
}

TEST_F(Scrub, IsOffWithoutAPeriod) {
  config_.scrub_period = 0ms;
  fill();
  damage(value(kDamaged));
  life([&] {
    base::sleep_for(100h);
    EXPECT_EQ(scrub().round, 0u);
    EXPECT_TRUE(db().stats().damaged_tables.empty());
  });
  EXPECT_FALSE(*world_.files.exists("/db/SCRUB"));
}

// Files come and go while a round is under way.
TEST_F(Scrub, GoesOnBesideWritersAndCompactions) {
  config_.scrub_period = 1s;
  config_.scrub_bytes_per_second = 10 << 20;
  life([&] {
    for (int round = 0; round < 6; ++round) {
      for (int n = 0; n < kKeys; ++n) put(key(n), value(n + round));
      put("large", large_value());
      ok(db().flush());
      ok(db().compact_range());
      base::sleep_for(300ms);
    }
    base::sleep_for(5s);
    EXPECT_GE(scrub().rounds, 3u);
    EXPECT_EQ(scrub().findings, 0u) << scrub().last_finding;
    EXPECT_EQ(get(key(3)), value(8));
  });
}

}  // namespace
}  // namespace lightning::engine
