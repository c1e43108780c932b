// Any work, any damage: every key that the report does not name is as it was, and no key holds what was never written.
#include <gtest/gtest.h>

#include <set>

#include "salvage/damaged_store.h"
#include "support/simulated_seeds.h"

namespace lightning::salvage {
namespace {

class DamageAnywhere : DamagedStore {
 public:
  explicit DamageAnywhere(std::uint64_t seed) : DamagedStore(seed), dice_(seed * 0x9e3779b97f4a7c15u + 1) {}

  // Empty, or what went wrong.
  std::string run() {
    env::Dice& dice = dice_;
    world_.config().memtable_bytes = dice.one_in(2) ? 16 << 10 : 200 << 10;
    world_.config().blob_threshold = dice.one_in(3) ? 0 : 256;
    world_.config().compression_enabled = dice.one_in(2);
    const std::uint64_t lives = 1 + dice.below(3);
    for (std::uint64_t i = 0; i < lives; ++i) live([&](Database& db) { work(db, dice); });
    for (std::uint64_t i = 1 + dice.below(3); i > 0; --i) damage(dice);
    const auto before = original();
    const auto report = try_repair();
    if (original() != before) return "the original was changed";
    if (!report) return report.error().to_string();
    return judge(*report, backup::contents_at(world_, "/repaired"));
  }

 private:
  struct Write {
    Sequence sequence = 0;
    std::string keyspace, start, end;  // end empty: the one key
  };

  void work(Database& db, env::Dice& dice) {
    const auto other = db.get_or_create_keyspace("other", {});
    const auto counted = db.get_or_create_keyspace("counted", {.counted = true});
    ASSERT_OK(other);
    ASSERT_OK(counted);
    const std::pair<std::string, Keyspace> keyspaces[] = {
        {"default", *db.keyspace("default")}, {"other", *other}, {"counted", *counted}};
    for (std::uint64_t n = 100 + dice.below(500); n > 0; --n) {
      const auto& [name, keyspace] = keyspaces[dice.below(3)];
      Write write{.sequence = 0, .keyspace = name, .start = key(dice), .end = {}};
      WriteBatch batch;
      if (dice.one_in(6)) {
        batch.erase(keyspace, write.start);
      } else if (dice.one_in(40) && name != "counted") {
        write.end = write.start + "~";
        batch.erase_range(keyspace, {.start = write.start, .end = write.end});
      } else {
        const std::string value = std::to_string(++values_) + backup::text(dice.one_in(5) ? 2000 : dice.below(200),
                                                                           static_cast<char>('a' + dice.below(26)));
        ever_[name][write.start].insert(value);
        batch.put(keyspace, write.start, value);
      }
      const auto sequence = db.write(batch);
      ASSERT_OK(sequence);
      write.sequence = *sequence;
      writes_.push_back(std::move(write));
      if (dice.one_in(120)) EXPECT_OK(db.flush());
      if (dice.one_in(300)) EXPECT_OK(db.compact_range());
    }
  }
  static std::string key(env::Dice& dice) {
    const std::uint64_t number = dice.below(300);
    return std::string(1, static_cast<char>('a' + number % 7)) + std::to_string(number);
  }

  void damage(env::Dice& dice) {
    std::vector<std::string> paths;
    for (const std::string& path : files_in(""))
      if (path.find("/LOCK") == std::string::npos && !disk().content(path).empty()) paths.push_back(path);
    if (paths.empty()) return;
    const std::string path = paths[dice.below(paths.size())];
    const std::size_t used = disk().content(path).find_last_not_of('\0') + 1;
    const std::uint64_t at = used == 0 ? 0 : dice.below(used);
    switch (dice.below(8)) {
      case 0:
        disk().delete_file(path);
        break;
      case 1:
        disk().truncate_file(path, at);
        break;
      case 2:
        disk().overwrite(path, at, std::string(std::min<std::uint64_t>(1 + dice.below(3000), used - at), '\0'));
        break;
      default:
        disk().flip_bit(path, at, static_cast<unsigned>(dice.below(8)));
    }
    damaged_ += " " + path + "@" + std::to_string(at);
  }

  // Whether the writes that the log lost, or those behind its end, may have been about the key.
  bool may_be_stale(const RepairReport& report, const std::string& keyspace, const std::string& key) const {
    return std::ranges::any_of(writes_, [&](const Write& write) {
      const bool touches = write.keyspace == keyspace &&
                           (write.end.empty() ? write.start == key : write.start <= key && key < write.end);
      return touches && (write.sequence > report.last_sequence ||
                         std::ranges::any_of(report.lost_writes, [&](const LostWrites& lost) {
                           return write.sequence >= lost.first && write.sequence <= lost.last;
                         }));
    });
  }

  std::string judge(const RepairReport& report, const Contents& found) {
    for (const auto& [keyspace, records] : found)
      for (const auto& [key, value] : records)
        if (!ever_[keyspace][key].contains(value))
          return "an invented value of " + keyspace + "/" + key + context(report);
    if (report.manifest_damage) return {};
    for (const auto& [keyspace, keys] : ever_) {
      const auto& records = model_[keyspace];
      const auto there = found.find(keyspace);
      for (const auto& [key, values] : keys) {
        if (is_lost(report, keyspace, key) || may_be_stale(report, keyspace, key)) continue;
        if (there == found.end()) return "keyspace " + keyspace + " is missing" + context(report);
        const auto expected = records.find(key);
        const auto record = there->second.find(key);
        if (expected == records.end() && record == there->second.end()) continue;
        if (expected == records.end()) return keyspace + "/" + key + " is back" + context(report);
        if (record == there->second.end()) return keyspace + "/" + key + " is missing" + context(report);
        if (record->second != expected->second) return keyspace + "/" + key + " is another" + context(report);
      }
    }
    return {};
  }
  std::string context(const RepairReport& report) const { return "\ndamaged:" + damaged_ + "\n" + report.to_string(); }

  env::Dice dice_;
  std::vector<Write> writes_;
  std::map<std::string, std::map<std::string, std::set<std::string>>> ever_;
  std::uint64_t values_ = 0;
  std::string damaged_;
};

TEST(Simulation, DamageAnywhereLeavesEveryKeyThatTheReportDoesNotNameAsItWas) {
  const char* const given = std::getenv("LIGHTNING_TEST_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
  const std::uint64_t count = given != nullptr ? 1 : testing_support::simulated_seeds(60);
  for (std::uint64_t seed = first; seed < first + count && !testing::Test::HasFailure(); ++seed)
    EXPECT_EQ(DamageAnywhere(seed).run(), "") << "LIGHTNING_TEST_SEED=" << seed;
}

}  // namespace
}  // namespace lightning::salvage
