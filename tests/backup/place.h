// What the tests of backups share: a database on a simulated disk, and what it holds.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backup/create.h"
#include "backup/repository.h"
#include "backup/restore.h"
#include "txn/world.h"

namespace lightning::backup {

using txn::World;

using Contents = std::map<std::string, std::map<std::string, std::string>>;  // by keyspace

inline Contents contents_of(const Database& db) {
  Contents contents;
  for (const std::string& name : db.keyspaces()) {
    const auto keyspace = db.keyspace(name);
    if (!keyspace) continue;
    auto& records = contents[name];
    Iterator it = db.iterate(*keyspace);
    for (it.seek_to_first(); it.valid(); it.next()) records.emplace(it.key(), it.value());
    EXPECT_OK(it.status());
  }
  return contents;
}

// A restored database, opened; it is closed again. A writer's threads are fibers, so that children of a fork have them.
inline Contents contents_at(World& world, const std::string& path, bool read_only = false) {
  if (!read_only && !base::in_simulation()) {
    Contents contents;
    base::FiberScheduler fibers(1, {.steps_max = 20'000'000});
    EXPECT_EQ(fibers.run([&] { contents = contents_at(world, path); }), base::WorldEnd::kFinished) << fibers.report();
    return contents;
  }
  auto db = DatabaseAccess::open_as_given(world.env().env, path, world.config(), read_only);
  if (!db) {
    ADD_FAILURE() << db.error().to_string();
    return {};
  }
  Contents contents = contents_of(*db);
  const auto report = db->check();
  EXPECT_TRUE(report && report->findings.empty())
      << (report ? report->findings.front().error.to_string() : report.error().to_string());
  EXPECT_OK(db->close());
  return contents;
}

inline Result<BackupInfo> restore_to(World& world, const std::string& path, const RestoreOptions& options = {}) {
  return restore(world.env().env, "/backups", path, options);
}

inline std::vector<std::string> names_in(World& world, const std::string& directory) {
  const auto names = world.env().files.list(directory);
  return names ? *names : std::vector<std::string>{};
}

inline std::string text(std::size_t bytes, char c) { return std::string(bytes, c); }

// Records of every kind, some in tables and some in memory only.
inline void fill(Database& db, const std::string& mark) {
  const auto merging = db.get_or_create_keyspace("merging", {.merge_operator = "append"});
  const auto counted = db.get_or_create_keyspace("counted", {.counted = true});
  ASSERT_OK(merging);
  ASSERT_OK(counted);
  for (int i = 0; i < 60; ++i) {
    const std::string key = "k" + std::to_string(i % 40);
    EXPECT_OK(db.put(key, mark + std::to_string(i)));
    EXPECT_OK(db.merge(*merging, key, mark));
    EXPECT_OK(db.put(*counted, mark + key, "1"));
    if (i % 9 == 0) EXPECT_OK(db.put("large" + std::to_string(i), text(3000, static_cast<char>('a' + i % 26)) + mark));
    if (i == 30) EXPECT_OK(db.flush());
    if (i == 35) EXPECT_OK(db.erase_range({.start = "k1", .end = "k2"}));
    if (i % 7 == 0) EXPECT_OK(db.erase("k" + std::to_string(i % 40)));
  }
  auto stream = db.put_stream("streamed" + mark);
  ASSERT_OK(stream);
  for (int i = 0; i < 20; ++i) EXPECT_OK(stream->append(text(100'000, 's')));
  EXPECT_OK(stream->commit());
}

}  // namespace lightning::backup
