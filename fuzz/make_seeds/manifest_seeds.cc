#include "env/simulated_world.h"
#include "fuzz/make_seeds/must.h"
#include "fuzz/make_seeds/seeds.h"
#include "fuzz/support/bytes.h"
#include "manifest/keyspace_options.h"
#include "manifest/manifest.h"

namespace lightning::fuzz {

namespace {

using manifest::VersionEdit;

VersionEdit first_edit() {
  VersionEdit edit;
  edit.next_file = 20;
  edit.next_keyspace = 5;
  edit.durable = 1000;
  edit.log_floor = 900;
  edit.log_anchor = wal::LogPosition{950, 0x1234};
  edit.epoch = 2;
  edit.time_ms = 1'700'000'000'000;
  edit.add_keyspaces = {{0, "default"},
                        {3, "orders", {.merge_operator = "add", .counted = true}},
                        {4,
                         "orders\x01"
                         "by_city"}};
  sstable::TableMeta table;
  table.number = 12;
  table.uid.bytes.fill(3);
  table.file_bytes = 4096;
  table.smallest_key = "a";
  table.largest_key = "m";
  table.smallest_sequence = 1;
  table.largest_sequence = 90;
  table.entries = 50;
  edit.add_tables.push_back({3, 1, table});
  table.number = 13;
  table.largest_open = true;
  table.largest_key.clear();
  table.range_tombstones = 1;
  edit.add_tables.push_back({0, 0, table});
  blob::FileMeta blob{.number = 14, .uid = {}, .file_bytes = 9000, .root = {}, .records = 5, .record_bytes = 8000};
  edit.add_blobs.push_back({3, blob});
  blob.number = 15;
  blob.origins = {6, 9};
  edit.add_blobs.push_back({3, blob});
  edit.blob_garbage = {{3, 15, 2, 100}};
  edit.flushed = {{3, 900}, {0, 950}};
  edit.attach = {{4, 3, "a definition"}};
  edit.counts = {{3, 17}};
  return edit;
}

VersionEdit second_edit() {
  VersionEdit edit;
  edit.drop_tables = {{3, 1, 12}};
  edit.drop_blobs = {{3, 14}};
  edit.drop_keyspaces = {4};
  edit.flushed = {{3, 1000}};
  return edit;
}

void add_edits(SeedsOfTarget& edits) {
  append_piece(edits["valid-two"], first_edit().encode());
  edits["valid-two"] += second_edit().encode();
  VersionEdit keyspace;
  keyspace.add_keyspaces = {{0, "default"}};
  append_piece(edits["valid-one"], keyspace.encode());
  edits["valid-options"] = manifest::encode({.merge_operator = "append",
                                             .default_ttl = std::chrono::milliseconds(60'000),
                                             .counted = true,
                                             .blob_threshold = 4096});
  VersionEdit orphaned;
  orphaned.drop_keyspaces = {3};
  append_piece(edits["hostile-attached-to-nothing"], first_edit().encode());
  edits["hostile-attached-to-nothing"] += orphaned.encode();
  edits["hostile-unknown-field"] = std::string("\4\0\x40\2ab", 6);
  edits["hostile-lengths"] = std::string("\7\0\7\xff\xff\xff\xff\x0f", 8);
}

void add_manifests(SeedsOfTarget& files) {
  env::SimulatedWorld world(1);
  must(world.files.create_directories("/db"));
  manifest::Superblock superblock;
  superblock.store_id = world.random.uid();
  manifest::State state;
  must(state.apply(first_edit()));
  auto written = must(manifest::Manifest::create(world.env, "/db", superblock, state));
  must(written->append(second_edit()));
  must(written->append({}));
  const std::string slots = world.files.content("/db/" + std::string(manifest::kSuperblockName));
  std::string input;
  append_piece(input, slots.substr(0, 160) + slots.substr(4096, 160));
  const std::string file = world.files.content("/db/" + manifest::manifest_name(written->superblock().manifest_number));
  files["valid-three-records"] = input + file;
  files["valid-torn"] = input + file + std::string(30, '\x55');
  files["valid-superblock-alone"] = input;
  files["hostile-two-manifests"] = input + file + file.substr(128);
  files["hostile-cut"] = input + file.substr(0, 200);
}

}  // namespace

void add_manifest_seeds(Seeds& seeds) {
  add_edits(seeds["version_edit"]);
  add_manifests(seeds["manifest_file"]);
}

}  // namespace lightning::fuzz
