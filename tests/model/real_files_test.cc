// Random programs over the whole API on files of the operating system, compared with a model that knows nothing of the
// engine. The same programs run on simulated disks that die (sim/).
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "sim/client.h"
#include "sim/crash_run.h"

namespace lightning::sim {
namespace {

class Directory {
 public:
  Directory() {
    std::string name = std::filesystem::temp_directory_path() / "lightning-model-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string store() const { return path_ + "/store"; }

 private:
  std::string path_;
};

LightningDbConfig smallest_config(WalSyncMode mode, bool compression) {
  LightningDbConfig config = small_config();  // as small as its ranges allow
  config.memtable_bytes = 256 << 10;
  config.wal_segment_bytes = 1 << 20;
  config.wal_bytes_max = 4 << 20;
  config.table_bytes = 256 << 10;
  config.block_bytes = 1 << 10;
  config.wal_sync_mode = mode;
  config.wal_sync_interval = std::chrono::milliseconds(5);
  config.compression_enabled = compression;
  return config;
}

// What an opened store holds must be what `scene` says it may; then it is the new start.
void compare(const Database& db, Scene& scene) {
  State state;
  std::map<std::string, std::uint32_t> names;
  const Sequence sequence = db.snapshot().sequence();
  for (const std::string& name : db.keyspaces()) {
    const auto keyspace = db.keyspace(name);
    ASSERT_TRUE(keyspace) << keyspace.error().to_string();
    auto content = scan(db, *keyspace);
    ASSERT_TRUE(content) << content.error().to_string();
    names[name] = keyspace->id();
    state[keyspace->id()] = std::move(*content);
  }
  ASSERT_EQ(scene.truth.recovered(sequence, state, names, false), "");
}

void run_program(std::uint64_t seed, WalSyncMode mode, bool compression) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  const Directory directory;
  const LightningDbConfig config = smallest_config(mode, compression);
  Scene scene;
  for (int life = 0; life < 4; ++life) {
    {
      auto db = Database::open(directory.store(), config);
      ASSERT_TRUE(db) << db.error().to_string();
      ASSERT_NO_FATAL_FAILURE(compare(*db, scene));
      Client client(*db, scene, 0, seed * 10 + static_cast<std::uint64_t>(life),
                    {.sync_mode = mode, .large_bytes = 1500 << 10});
      client.run(120);
      if (!scene.failed()) client.compare_all();
      scene.settle_observations();
      ASSERT_EQ(scene.failure, "") << "life " << life;
      const auto report = db->check();
      ASSERT_TRUE(report) << report.error().to_string();
      EXPECT_TRUE(report->findings.empty()) << report->findings.front().error.to_string();
      if (life == 1) {  // a reader beside the writer sees what is acknowledged, if it may keep the files open
        LightningDbConfig all_open = config;
        all_open.open_files_max = 0;
        auto reader = Database::open_read_only(directory.store(), all_open);
        ASSERT_TRUE(reader) << reader.error().to_string();
        Scene copy = scene;
        ASSERT_NO_FATAL_FAILURE(compare(*reader, copy));
        const Status refused = reader->put("a", "b");
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ErrorCode::kReadOnlyDatabase);
      }
      const Status closed = db->close();
      ASSERT_TRUE(closed) << closed.error().to_string();
    }
    auto reader = Database::open_read_only(directory.store(), config);
    ASSERT_TRUE(reader) << reader.error().to_string();
    ASSERT_NO_FATAL_FAILURE(compare(*reader, scene));
  }
}

class RandomPrograms : public testing::TestWithParam<std::tuple<WalSyncMode, bool>> {};

TEST_P(RandomPrograms, AnswerAsTheModelDoes) {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) run_program(seed, std::get<0>(GetParam()), std::get<1>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(OnRealFiles, RandomPrograms,
                         testing::Combine(testing::Values(WalSyncMode::kSync, WalSyncMode::kPeriodic,
                                                          WalSyncMode::kAsync),
                                          testing::Bool()));

}  // namespace
}  // namespace lightning::sim
