// check(): the same findings in the same order however many threads look, from the disk and not from memory.
#include <algorithm>
#include <set>

#include "engine/simulated_store.h"

namespace lightning::engine {
namespace {

constexpr int kKeys = 1500;

std::string key(int n) { return "key" + std::to_string(10'000 + n); }
std::string value(int n) {
  env::SeededRandom random(static_cast<std::uint64_t>(n));
  std::string bytes = key(n) + "/";
  while (bytes.size() < 1000) bytes += std::to_string(random.next());
  return bytes;
}

class Check : public SimulatedStore {
 protected:
  Check() {
    config_.cache_size = 8 << 20;
    config_.memtable_bytes = 256 << 10;
    config_.wal_segment_bytes = 1 << 20;
    config_.table_bytes = 256 << 10;
    config_.compression_enabled = false;
    config_.ballast_bytes = 0;
    config_.scrub_period = std::chrono::milliseconds(0);
    life([&] {
      for (int n = 0; n < kKeys; ++n) put(key(n), value(n));
      put("large", std::string(8000, 'L'));
      ok(db().compact_range());
    });
  }
  std::string damage(const std::string& bytes) {
    for (const std::string& path : world_.files.files_below("/db")) {
      if (!path.starts_with("/db/tables/") && !path.starts_with("/db/blobs/")) continue;
      const std::size_t at = world_.files.content(path).find(bytes);
      if (at == std::string::npos) continue;
      EXPECT_TRUE(world_.files.flip_bit(path, at + 100));
      return path;
    }
    ADD_FAILURE() << "not found";
    return {};
  }
  static std::vector<std::string> texts(const CheckReport& report) {
    std::vector<std::string> all;
    for (const CheckFinding& finding : report.findings) all.push_back(finding.error.to_string());
    return all;
  }
};

TEST_F(Check, FindsTheSameWithAnyNumberOfThreads) {
  for (const int n : {10, 11, 700, 1400}) damage(value(n));
  damage(std::string(4000, 'L'));
  life([&] {
    const auto alone = db().check({.threads = 1});
    ASSERT_OK(alone);
    EXPECT_GE(alone->tables, 5u);
    EXPECT_EQ(alone->entries, static_cast<std::uint64_t>(kKeys) + 1);
    EXPECT_GE(alone->findings.size(), 4u);
    for (const std::uint32_t threads : {0u, 2u, 3u, 64u, 1000u}) {
      const auto together = db().check({.threads = threads});
      ASSERT_OK(together);
      EXPECT_EQ(texts(*together), texts(*alone)) << threads;
      EXPECT_EQ(together->tables, alone->tables);
      EXPECT_EQ(together->blocks, alone->blocks);
      EXPECT_EQ(together->entries, alone->entries);
      EXPECT_EQ(together->blob_records, alone->blob_records);
      EXPECT_EQ(together->bytes, alone->bytes);
    }
  });
}

TEST_F(Check, TellsItsProgressOnTheCallersThreadAlone) {
  world_.files.options().io_latency = std::chrono::microseconds(50);
  life([&] {
    const std::uint32_t here = base::thread_slot();
    std::uint64_t last = 0, all = 0, told = 0;
    const auto report = db().check({.progress =
                                        [&](std::uint64_t done, std::uint64_t total) {
                                          EXPECT_EQ(base::thread_slot(), here);
                                          EXPECT_GE(done, last);
                                          EXPECT_LE(done, total);
                                          last = done;
                                          all = total;
                                          ++told;
                                          return true;
                                        },
                                    .threads = 4});
    ASSERT_OK(report);
    EXPECT_TRUE(report->findings.empty());
    EXPECT_EQ(all, report->bytes);
    EXPECT_GT(last, all / 4 * 3);
    EXPECT_GT(told, 5u);
  });
}

TEST_F(Check, EndsWhenItIsToldTo) {
  world_.files.options().io_latency = std::chrono::microseconds(50);
  life([&] {
    for (const std::uint32_t threads : {1u, 4u}) {
      int told = 0;
      EXPECT_CODE(kCancelled, db().check({.progress = [&](std::uint64_t, std::uint64_t) { return ++told < 3; },
                                          .threads = threads}));
      EXPECT_EQ(told, 3);
    }
  });
}

// What was read when the database was opened stays in memory; the disk may have lost it since.
TEST_F(Check, LooksAtFootersIndexesAndFiltersAgain) {
  life([&] {
    const std::string table = world_.files.files_below("/db/tables").front();
    const std::uint64_t bytes = world_.files.content(table).size();
    EXPECT_TRUE(db().check()->findings.empty());
    for (const std::uint64_t from_end : {10u, 100u, 400u, 900u}) {
      ASSERT_TRUE(world_.files.flip_bit(table, bytes - from_end));
      const auto report = db().check();
      ASSERT_OK(report);
      ASSERT_EQ(report->findings.size(), 1u) << from_end;
      EXPECT_EQ(report->findings[0].error.context().file, table);
      EXPECT_TRUE(db().check({.full = false})->findings.empty());
      ASSERT_TRUE(world_.files.flip_bit(table, bytes - from_end));
    }
    EXPECT_TRUE(db().check()->findings.empty());
    EXPECT_TRUE(db().stats().damaged_tables.empty());
  });
}

TEST_F(Check, LooksAtTheManifestAgain) {
  life([&] {
    std::string manifest;
    for (const std::string& path : world_.files.files_below("/db"))
      if (path.starts_with("/db/MANIFEST-")) manifest = path;
    ASSERT_TRUE(world_.files.flip_bit(manifest, 180));
    const auto report = db().check();
    ASSERT_OK(report);
    ASSERT_EQ(report->findings.size(), 1u);
    EXPECT_EQ(report->findings[0].error.code(), ErrorCode::kManifestCorrupt);
    EXPECT_EQ(report->findings[0].error.context().file, manifest);
  });
}

TEST_F(Check, TellsOfAMissingFileWhoseReadersGoOn) {
  life([&] {
    EXPECT_EQ(get(key(3)), value(3));
    for (const std::string& path : world_.files.files_below("/db/tables")) ASSERT_TRUE(world_.files.delete_file(path));
    for (const bool full : {false, true}) {
      const auto report = db().check({.full = full});
      ASSERT_OK(report);
      EXPECT_EQ(report->findings.size(), report->tables);
      EXPECT_EQ(report->findings[0].error.code(), ErrorCode::kTableMissing);
    }
    EXPECT_TRUE(db().stats().damaged_tables.empty());
  });
}

TEST_F(Check, ARefusedReadIsAFindingAndNoDamage) {
  life([&] {
    world_.files.add_fault({.kind = env::IoKind::kRead, .file_class = env::FileClass::kTable, .nth = 30});
    const auto report = db().check();
    ASSERT_OK(report);
    ASSERT_EQ(report->findings.size(), 1u);
    EXPECT_EQ(report->findings[0].error.code(), ErrorCode::kIo);
    EXPECT_TRUE(db().stats().damaged_tables.empty());
  });
}

}  // namespace
}  // namespace lightning::engine
