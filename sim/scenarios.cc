// The short programs that are killed at every I/O.
#include "sim/crash_run.h"

namespace lightning::sim {

namespace {

constexpr Durability kAsk = Durability::kDefault;

void put_some(Database& db, Client& client, const std::string& prefix, int count, std::uint64_t bytes = 40) {
  for (int i = 0; i < count; ++i)
    client.put(db.default_keyspace(), prefix + std::to_string(i), client.value(bytes), kAsk);
}

std::vector<std::pair<Keyspace, Change>> batch_of(const std::vector<Keyspace>& keyspaces, Client& client, int count,
                                                  std::uint64_t bytes) {
  std::vector<std::pair<Keyspace, Change>> batch;
  for (int i = 0; i < count; ++i) {
    const Keyspace& keyspace = keyspaces[static_cast<std::size_t>(i) % keyspaces.size()];
    batch.emplace_back(keyspace, Change{keyspace.id(), "b" + std::to_string(i), client.value(bytes)});
  }
  return batch;
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> kAll = {
      {"open an empty directory", nullptr, nullptr},
      {"put and erase", nullptr,
       [](Database& db, Client& client) {
         put_some(db, client, "a", 3);
         client.erase(db.default_keyspace(), "a1", kAsk);
         client.sync();
         put_some(db, client, "c", 2);
       }},
      {"open again, with a log to replay", [](Database& db, Client& client) { put_some(db, client, "a", 20); },
       nullptr},
      {"put and flush", nullptr,
       [](Database& db, Client& client) {
         put_some(db, client, "a", 5);
         client.flush();
         put_some(db, client, "a", 2);
       }},
      {"flush of two keyspaces",
       [](Database& db, Client& client) {
         client.make_keyspace("two");
         put_some(db, client, "a", 3);
       },
       [](Database& db, Client& client) {
         const auto two = db.keyspace("two");
         if (!two) return;
         client.write(batch_of({db.default_keyspace(), *two}, client, 6, 30), kAsk);
         client.flush();
         client.write(batch_of({*two, db.default_keyspace()}, client, 4, 30), kAsk);
       }},
      {"a batch larger than a log segment", nullptr,
       [](Database& db, Client& client) {
         put_some(db, client, "a", 2);
         client.write(batch_of({db.default_keyspace()}, client, 4, 40 << 10), kAsk);
         put_some(db, client, "z", 2);
       },
       [](LightningDbConfig& config) { config.memtable_bytes = 1 << 20; }},
      {"the log changes its segment", [](Database& db, Client& client) { put_some(db, client, "a", 3); },
       [](Database& db, Client& client) {
         put_some(db, client, "m", 5, 30 << 10);
         put_some(db, client, "z", 2);
       },
       [](LightningDbConfig& config) { config.memtable_bytes = 1 << 20; }},
      {"compaction of two tables",
       [](Database& db, Client& client) {
         put_some(db, client, "a", 6);
         client.flush();
       },
       [](Database& db, Client& client) {
         put_some(db, client, "a", 3);
         client.erase(db.default_keyspace(), "a5", kAsk);
         (void)db.compact_range();
         put_some(db, client, "a", 1);
       }},
      {"compaction of merges and of what has expired",
       [](Database& db, Client& client) {
         client.make_keyspace("merging");
         if (const auto in = db.keyspace("merging")) {
           for (const char* key : {"a", "b", "c"}) client.put(*in, key, client.value(20), kAsk);
           client.flush();
           for (const char* key : {"a", "a", "n"}) client.merge(*in, key, client.value(9), kAsk);
           client.put(*in, "b", client.value(20), kAsk, Lives::kNoMore);
         }
         client.flush();
       },
       [](Database& db, Client& client) {
         const auto in = db.keyspace("merging");
         if (!in) return;
         client.merge(*in, "b", client.value(9), kAsk);
         client.put(*in, "c", client.value(20), kAsk, Lives::kLong);
         (void)db.compact_range(*in);
         client.merge(*in, "n", client.value(9), kAsk);
       }},
      {"a range is erased, flushed and compacted",
       [](Database& db, Client& client) {
         put_some(db, client, "a", 6);
         client.flush();
         put_some(db, client, "b", 3);
       },
       [](Database& db, Client& client) {
         client.erase_range(db.default_keyspace(), {.start = "a2", .end = "b1"}, kAsk);
         client.put(db.default_keyspace(), "a3", client.value(30), kAsk);
         client.flush();
         client.erase_range(db.default_keyspace(), {.start = "a5", .end = {}}, kAsk);
         (void)db.compact_range();
         put_some(db, client, "b", 1);
       }},
      {"large values: overwritten, merged, their garbage collected",
       [](Database& db, Client& client) {
         put_some(db, client, "a", 6, 3000);
         client.flush();
         put_some(db, client, "a", 4, 3000);
       },
       [](Database& db, Client& client) {
         client.erase(db.default_keyspace(), "a5", kAsk);
         (void)db.compact_range();
         (void)db.wait_for_background_work();
         put_some(db, client, "a", 1, 3000);
       },
       [](LightningDbConfig& config) {
         config.memtable_bytes = 4 << 10;
         config.max_space_amplification = 105;
       }},
      {"a large value in pieces: put, overwritten, flushed",
       [](Database& db, Client& client) { put_some(db, client, "a", 2); },
       [](Database& db, Client& client) {
         client.put(db.default_keyspace(), "a0", client.value(3000), kAsk);
         client.put(db.default_keyspace(), "a1", client.value(1500), kAsk);
         client.put(db.default_keyspace(), "a1", client.value(1500), kAsk);
         client.sync();
         client.flush();
         client.put(db.default_keyspace(), "a0", client.value(900), kAsk);
       },
       {},
       {.stream_buffer_bytes = 300}},
      {"create and drop a keyspace", [](Database& db, Client& client) { put_some(db, client, "a", 3); },
       [](Database& db, Client& client) {
         client.make_keyspace("new");
         if (const auto keyspace = db.keyspace("new")) client.put(*keyspace, "n", client.value(20), kAsk);
         client.flush();
         client.drop_keyspace("new");
         put_some(db, client, "z", 1);
       }},
      {"every edit rolls the manifest",
       [](Database& db, Client& client) { put_some(db, client, "a", 3); },
       [](Database& db, Client& client) {
         client.make_keyspace("new");
         client.flush();
         put_some(db, client, "b", 2);
         client.flush();
         client.drop_keyspace("new");
         put_some(db, client, "z", 1);
       },
       {},
       {.manifest_roll = {.bytes_min = 0, .growth = 1}}},
  };
  return kAll;
}

}  // namespace lightning::sim
