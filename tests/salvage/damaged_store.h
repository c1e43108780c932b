// What the tests of repairs share: a database on a simulated disk, damage to its files, and whether what was made of it
// is what the report says.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "backup/place.h"
#include "salvage/repair.h"

namespace lightning::salvage {

using backup::Contents;
using txn::World;

class DamagedStore {
 public:
  explicit DamagedStore(std::uint64_t seed = 11) : world_(seed) {}

  // A life of the database, after which `model_` is what it held.
  void live(const std::function<void(Database&)>& body) {
    world_.run([&](Database& db) {
      body(db);
      model_ = backup::contents_of(db);
    });
  }
  // Everything in tables that were merged, and some writes that are in the log only.
  void live_long() {
    live([&](Database& db) {
      for (int i = 0; i < 3; ++i) backup::fill(db, "round" + std::to_string(i));
      EXPECT_OK(db.flush());
      EXPECT_OK(db.compact_range());
      EXPECT_OK(db.wait_for_background_work());
      backup::fill(db, "late");
    });
  }

  env::SimulatedFileSystem& disk() { return world_.env().files; }
  std::vector<std::string> files_in(const std::string& directory) { return disk().files_below("/store" + directory); }
  std::map<std::string, std::string> original() {
    std::map<std::string, std::string> files;
    for (const std::string& path : files_in("")) files[path] = disk().content(path);
    return files;
  }
  Result<RepairReport> try_repair(const std::string& target = "/repaired") {
    RepairOptions options;
    options.config = world_.config();
    return repair(world_.env().env, "/store", target, options);
  }
  // Repairs, and compares: the original is as it was, and so is every key that the report does not name.
  RepairReport repaired() {
    const auto before = original();
    auto report = try_repair();
    EXPECT_EQ(original(), before) << "a repair writes nothing to what it repairs";
    if (!report) {
      ADD_FAILURE() << report.error().to_string();
      return {};
    }
    compare(*report);
    return std::move(*report);
  }
  void compare(const RepairReport& report) {
    const Contents found = backup::contents_at(world_, "/repaired");
    for (const auto& [keyspace, records] : model_) {
      const auto there = found.find(keyspace);
      ASSERT_NE(there, found.end()) << keyspace;
      for (const auto& [key, value] : records) {
        if (is_lost(report, keyspace, key)) continue;
        const auto record = there->second.find(key);
        ASSERT_NE(record, there->second.end()) << keyspace << "/" << key << "\n" << report.to_string();
        EXPECT_TRUE(record->second == value) << keyspace << "/" << key << "\n" << report.to_string();
      }
      for (const auto& [key, value] : there->second)
        EXPECT_TRUE(records.contains(key) || is_lost(report, keyspace, key))
            << keyspace << "/" << key << " was not there\n"
            << report.to_string();
    }
  }
  static bool is_lost(const RepairReport& report, const std::string& keyspace, const std::string& key) {
    for (const LostKeys& lost : report.lost_keys)
      if ((lost.keyspace == keyspace || lost.keyspace.empty()) && (!lost.range.start || *lost.range.start <= key) &&
          (!lost.range.end || key < *lost.range.end))
        return true;
    return std::ranges::any_of(report.lost_values,
                               [&](const LostValue& lost) { return lost.keyspace == keyspace && lost.key == key; });
  }
  std::size_t saved_keys(const RepairReport& report) const {
    std::size_t saved = 0;
    for (const auto& [keyspace, records] : model_)
      for (const auto& [key, value] : records) saved += is_lost(report, keyspace, key) ? 0 : 1;
    return saved;
  }
  std::size_t keys() const { return saved_keys({}); }
  // The one of them that has most bytes.
  std::string largest_of(const std::vector<std::string>& paths) {
    return *std::ranges::max_element(paths, {}, [&](const std::string& path) { return disk().content(path).size(); });
  }

  World world_;
  Contents model_;
};

}  // namespace lightning::salvage
