#include "api/statistics_json.h"

namespace lightning::api {

namespace {

using base::JsonText;

void add_latency(JsonText& json, std::string_view name, const LatencySummary& latency) {
  json.begin_object(name)
      .field("count", latency.count)
      .field("mean_us", latency.mean_us)
      .field("p50_us", latency.p50_us);
  json.field("p95_us", latency.p95_us).field("p99_us", latency.p99_us).field("p999_us", latency.p999_us);
  json.field("max_us", latency.max_us).end_object();
}

void add_counters(JsonText& json, const Statistics& s) {
  json.field("gets", s.gets).field("get_hits", s.get_hits).field("multi_gets", s.multi_gets).field("puts", s.puts);
  json.field("merges", s.merges).field("erases", s.erases).field("range_erases", s.range_erases);
  json.field("batches", s.batches).field("seeks", s.seeks).field("tombstones_passed", s.tombstones_passed);
  json.field("scanned_entries", s.scanned_entries).field("bytes_written_by_user", s.bytes_written_by_user);
  json.field("bytes_read_by_user", s.bytes_read_by_user)
      .field("wal_bytes", s.wal_bytes)
      .field("wal_syncs", s.wal_syncs);
  json.field("wal_records", s.wal_records).field("flushes", s.flushes).field("flush_bytes", s.flush_bytes);
  json.field("compactions", s.compactions).field("compaction_bytes_read", s.compaction_bytes_read);
  json.field("compaction_bytes_written", s.compaction_bytes_written).field("tables_moved", s.tables_moved);
  json.field("tables_erased", s.tables_erased);
  json.field("tables_rewritten", s.tables_rewritten).field("blocks_rebuilt", s.blocks_rebuilt);
  json.field("table_files_open", s.table_files_open).field("table_files_opened", s.table_files_opened);
  json.field("cache_hits", s.cache_hits)
      .field("cache_misses", s.cache_misses)
      .field("cache_evictions", s.cache_evictions);
  json.field("filter_checks", s.filter_checks).field("filter_negatives", s.filter_negatives);
  json.field("cache_hit_rate", s.cache_hit_rate).field("write_amplification", s.write_amplification);
  json.field("blob_collections", s.blob_collections).field("blob_bytes_moved", s.blob_bytes_moved);
  json.field("blob_bytes_reclaimed", s.blob_bytes_reclaimed).field("space_amplification", s.space_amplification);
}

void add_state(JsonText& json, const Statistics& s) {
  json.begin_object("stalls");
  json.field("memtable_limit_count", s.stalls.memtable_limit_count)
      .field("memtable_limit_us", s.stalls.memtable_limit_us);
  json.field("level0_slowdown_count", s.stalls.level0_slowdown_count);
  json.field("level0_slowdown_us", s.stalls.level0_slowdown_us).field("level0_stop_count", s.stalls.level0_stop_count);
  json.field("level0_stop_us", s.stalls.level0_stop_us).field("log_limit_count", s.stalls.log_limit_count);
  json.field("log_limit_us", s.stalls.log_limit_us).field("archive_limit_count", s.stalls.archive_limit_count);
  json.field("archive_limit_us", s.stalls.archive_limit_us).end_object();

  json.begin_object("memory").field("budget", s.memory.budget).field("blocks", s.memory.blocks);
  json.field("filters_and_indexes", s.memory.filters_and_indexes).field("memtables", s.memory.memtables);
  json.field("log_buffers", s.memory.log_buffers).field("fixed", s.memory.fixed);
  json.field("pinned_blocks", s.memory.pinned_blocks).end_object();

  json.begin_object("loss_window")
      .field("bytes", s.loss_window.bytes)
      .field("milliseconds", s.loss_window.milliseconds);
  json.field("last_durable", s.loss_window.last_durable);
  json.field("last_acknowledged", s.loss_window.last_acknowledged).end_object();
}

void add_transactions(JsonText& json, const TransactionStatistics& s) {
  json.begin_object("transactions").field("begun", s.begun).field("committed", s.committed);
  json.field("rolled_back", s.rolled_back).field("conflicts", s.conflicts).field("deadlocks", s.deadlocks);
  json.field("lock_timeouts", s.lock_timeouts).field("expired", s.expired).field("refused", s.refused);
  json.field("lock_waits", s.lock_waits).field("lock_wait_us", s.lock_wait_us).field("retries", s.retries);
  json.field("active", s.active)
      .field("locked_keys", s.locked_keys)
      .field("conflict_rate", s.conflict_rate)
      .end_object();
}

void add_scrub(JsonText& json, const ScrubStatistics& s) {
  json.begin_object("scrub").field("rounds", s.rounds).field("files_read", s.files_read);
  json.field("bytes_read", s.bytes_read).field("findings", s.findings).field("repaired", s.repaired);
  json.field("last_finding", s.last_finding).field("running", s.running).field("round", s.round);
  json.field("round_bytes_done", s.round_bytes_done).field("round_bytes_total", s.round_bytes_total);
  json.field("last_ended_ms", s.last_ended_ms).field("next_due_ms", s.next_due_ms).end_object();
}

void add_blobs(JsonText& json, const BlobStatistics& blobs) {
  json.begin_object("blobs").field("files", blobs.files).field("bytes", blobs.bytes).field("records", blobs.records);
  json.field("live_bytes", blobs.live_bytes).field("garbage_bytes", blobs.garbage_bytes).end_object();
}

void add_keyspaces(JsonText& json, const Statistics& s) {
  json.begin_array("keyspaces");
  for (const KeyspaceStatistics& keyspace : s.keyspaces) {
    json.begin_object().field("name", keyspace.name).field("memtables", keyspace.memtables);
    json.field("memtable_bytes", keyspace.memtable_bytes).field("memtable_entries", keyspace.memtable_entries);
    json.begin_array("levels");
    for (const LevelStatistics& level : keyspace.levels) {
      json.begin_object().field("level", level.level).field("tables", level.tables).field("bytes", level.bytes);
      json.field("entries", level.entries).field("tombstones", level.tombstones);
      json.field("range_tombstones", level.range_tombstones).field("tombstone_run", level.tombstone_run).end_object();
    }
    json.end_array();
    add_blobs(json, keyspace.blobs);
    json.field("expiring_bytes", keyspace.expiring_bytes).field("expired_bytes", keyspace.expired_bytes);
    json.end_object();
  }
  json.end_array();
}

void add_damage(JsonText& json, const Statistics& s) {
  json.field("damaged_tables_count", static_cast<std::uint64_t>(s.damaged_tables.size())).begin_array("damaged_tables");
  for (const DamagedTable& table : s.damaged_tables) {
    json.begin_object().field("keyspace", table.keyspace).field("level", table.level).field("file", table.file);
    json.field("smallest_key", table.smallest_key).field("largest_key", table.largest_key);
    json.field("error", table.error).end_object();
  }
  json.end_array().begin_array("damaged_blob_files");
  for (const DamagedBlobFile& blob : s.damaged_blob_files)
    json.begin_object()
        .field("keyspace", blob.keyspace)
        .field("file", blob.file)
        .field("error", blob.error)
        .end_object();
  json.end_array();
}

void add_archive(JsonText& json, const ArchiveStatistics& archive) {
  json.begin_object("archive").field("on", archive.on).field("files", archive.files).field("bytes", archive.bytes);
  json.field("failures", archive.failures).field("last_sequence", archive.last_sequence);
  json.field("next_file", archive.next_file).field("backlog_bytes", archive.backlog_bytes);
  json.field("error", archive.error).end_object();
}

}  // namespace

void add_statistics(JsonText& json, const Statistics& s) {
  add_counters(json, s);
  add_latency(json, "get_latency", s.get_latency);
  add_latency(json, "put_latency", s.put_latency);
  add_latency(json, "write_latency", s.write_latency);
  add_latency(json, "seek_latency", s.seek_latency);
  add_latency(json, "sync_latency", s.sync_latency);
  add_state(json, s);
  add_transactions(json, s.transactions);
  add_scrub(json, s.scrub);
  add_keyspaces(json, s);
  add_blobs(json, s.blobs);
  add_damage(json, s);
  add_archive(json, s.archive);
  json.field("last_sequence", s.last_sequence).field("live_snapshots", s.live_snapshots);
  json.field("bytes_on_disk", s.bytes_on_disk)
      .field("ballast_bytes", s.ballast_bytes)
      .field("stopped_by_damage", s.stopped_by_damage)
      .field("background_error", s.background_error);
}

}  // namespace lightning::api

namespace lightning {

std::string to_json(const Statistics& statistics) {
  base::JsonText json;
  json.begin_object();
  api::add_statistics(json, statistics);
  return json.end_object().text();
}

}  // namespace lightning
