#include "lightning/inspect.h"

#include <charconv>

#include "base/epoch.h"
#include "base/hash.h"
#include "base/json_text.h"
#include "base/memory_budget.h"
#include "blob/blob_file.h"
#include "cache/block_cache.h"
#include "env/env.h"
#include "manifest/manifest.h"
#include "sstable/table.h"
#include "wal/wal.h"

namespace lightning {

namespace api {
namespace {

using Visit = std::function<bool(const InspectedFact&)>;

// A fact in the making: InspectedFact with a short way to add values.
struct Fact : InspectedFact {
  explicit Fact(std::string_view kind_name) { kind = kind_name; }
  Fact& add(std::string_view name, std::uint64_t value) {
    values.emplace_back(name, value);
    return *this;
  }
  Fact& add(std::string_view name, std::string value) {
    values.emplace_back(name, std::move(value));
    return *this;
  }
};

std::string hex_of(const auto& array) { return base::to_hex(base::as_bytes(array)); }

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// The digits of "000012.sst" or ".../tables/000012.sst".
Result<format::FileNumber> number_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  format::FileNumber number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end == name.data())
    return Error(ErrorCode::kInvalidArgument, "a table's name begins with its number").at_file(path);
  return number;
}

// --- manifest -------------------------------------------------------------------------------------------------

Fact table_fact(std::string_view kind, const manifest::VersionEdit::AddTable& added) {
  const sstable::TableMeta& meta = added.meta;
  Fact fact(kind);
  fact.add("keyspace", std::uint64_t{added.keyspace})
      .add("level", std::uint64_t{added.level})
      .add("number", meta.number);
  fact.add("file_bytes", meta.file_bytes).add("entries", meta.entries).add("tombstones", meta.tombstones);
  fact.add("range_tombstones", meta.range_tombstones).add("tombstone_run", meta.tombstone_run);
  fact.add("smallest_key", meta.smallest_key).add(meta.largest_open ? "end" : "largest_key", meta.largest_key);
  fact.add("smallest_sequence", meta.smallest_sequence).add("largest_sequence", meta.largest_sequence);
  return fact.add("root", hex_of(meta.root.bytes)).add("uid", hex_of(meta.uid.bytes)), fact;
}

Fact blob_fact(std::string_view kind, const manifest::VersionEdit::AddBlobFile& added) {
  const blob::FileMeta& meta = added.meta;
  Fact fact(kind);
  fact.add("keyspace", std::uint64_t{added.keyspace}).add("number", meta.number).add("file_bytes", meta.file_bytes);
  fact.add("records", meta.records).add("record_bytes", meta.record_bytes);
  std::string origins;
  for (const format::FileNumber origin : meta.origins) origins += (origins.empty() ? "" : " ") + std::to_string(origin);
  if (!origins.empty()) fact.add("moved_from", origins);
  return fact.add("root", hex_of(meta.root.bytes)).add("uid", hex_of(meta.uid.bytes)), fact;
}

std::vector<Fact> facts_of(const manifest::VersionEdit& edit) {
  std::vector<Fact> facts;
  for (const auto& keyspace : edit.add_keyspaces) {
    Fact fact("add_keyspace");
    fact.add("id", std::uint64_t{keyspace.id}).add("name", keyspace.name);
    if (!keyspace.options.merge_operator.empty()) fact.add("merge_operator", keyspace.options.merge_operator);
    if (keyspace.options.default_ttl.count() > 0)
      fact.add("default_ttl_ms", static_cast<std::uint64_t>(keyspace.options.default_ttl.count()));
    if (keyspace.options.counted) fact.add("counted", std::uint64_t{1});
    if (keyspace.options.blob_threshold) fact.add("blob_threshold", *keyspace.options.blob_threshold);
    facts.push_back(std::move(fact));
  }
  for (const auto id : edit.drop_keyspaces) facts.push_back(Fact("drop_keyspace").add("id", std::uint64_t{id}));
  for (const auto& table : edit.add_tables) facts.push_back(table_fact("add_table", table));
  for (const auto& table : edit.drop_tables)
    facts.push_back(Fact("drop_table")
                        .add("keyspace", std::uint64_t{table.keyspace})
                        .add("level", std::uint64_t{table.level})
                        .add("number", table.number));
  for (const auto& flushed : edit.flushed)
    facts.push_back(Fact("flushed").add("keyspace", std::uint64_t{flushed.keyspace}).add("sequence", flushed.sequence));
  for (const auto& attached : edit.attach)
    facts.push_back(Fact("attach")
                        .add("keyspace", std::uint64_t{attached.keyspace})
                        .add("owner", std::uint64_t{attached.owner})
                        .add("definition", base::to_hex(attached.definition)));
  for (const auto& count : edit.counts)
    facts.push_back(Fact("count").add("keyspace", std::uint64_t{count.keyspace}).add("records", count.records));
  for (const auto& blob : edit.add_blobs) facts.push_back(blob_fact("add_blob", blob));
  for (const auto& blob : edit.drop_blobs)
    facts.push_back(Fact("drop_blob").add("keyspace", std::uint64_t{blob.keyspace}).add("number", blob.number));
  for (const auto& garbage : edit.blob_garbage)
    facts.push_back(Fact("blob_garbage")
                        .add("keyspace", std::uint64_t{garbage.keyspace})
                        .add("number", garbage.number)
                        .add("records", garbage.records)
                        .add("bytes", garbage.bytes));
  Fact counters("counters");
  if (edit.next_file) counters.add("next_file", *edit.next_file);
  if (edit.next_keyspace) counters.add("next_keyspace", std::uint64_t{*edit.next_keyspace});
  if (edit.durable) counters.add("durable", *edit.durable);
  if (edit.epoch) counters.add("epoch", *edit.epoch);
  if (edit.time_ms) counters.add("time_ms", *edit.time_ms);
  if (!counters.values.empty()) facts.push_back(std::move(counters));
  return facts;
}

Status inspect_manifest(const std::string& path, const Visit& visit) {
  bool going = true;
  return manifest::inspect(env::Env::real(), path, [&](std::uint64_t offset, const manifest::VersionEdit& edit) {
    std::vector<Fact> facts = facts_of(edit);
    going = going && visit(Fact("record").add("offset", offset).add("changes", facts.size()));
    for (Fact& fact : facts) going = going && visit(fact);
  });
}

// --- log ------------------------------------------------------------------------------------------------------

Status inspect_segment(const std::string& path, const Visit& visit) {
  LIGHTNING_ASSIGN(
      const wal::SegmentFacts segment,
      wal::inspect_segment(env::Env::real(), path, [&](const wal::RecordFacts& record) {
        Fact fact("record");
        fact.add("offset", record.offset).add("type", record.kind).add("payload_bytes", record.payload_bytes);
        fact.add("first_sequence", record.first_sequence).add("operations", std::uint64_t{record.operations});
        fact.add("durable_sequence", record.durable_sequence).add("commit_time_ns", record.commit_time_ns);
        return visit(fact.add("chain", record.chain));
      }));
  Fact fact("segment");
  fact.add("number", segment.number).add("store_id", hex_of(segment.store_id.bytes));
  fact.add("segment_uid", hex_of(segment.segment_uid.bytes)).add("epoch", segment.epoch);
  fact.add("start_sequence", segment.start.last_sequence).add("start_chain", segment.start.chain);
  visit(fact.add("sealed", std::string(segment.sealed ? "yes" : "no")));
  return {};
}

// --- table ----------------------------------------------------------------------------------------------------

// What the manifest of the directory around the file's folder says.
Result<std::pair<manifest::Superblock, manifest::State>> state_around(const std::string& path) {
  const std::string directory = directory_of(path) == "." ? ".." : directory_of(directory_of(path));
  auto superblock = manifest::read_superblock(env::Env::real(), directory);
  if (!superblock)
    return std::move(superblock).error().while_doing("looking for the database that the file belongs to");
  manifest::LoadReport report;
  LIGHTNING_ASSIGN(manifest::State state, manifest::load(env::Env::real(), directory, *superblock, report));
  return std::pair{*superblock, std::move(state)};
}

Result<std::pair<manifest::Superblock, manifest::VersionEdit::AddTable>> find_table(const std::string& path) {
  LIGHTNING_ASSIGN(const format::FileNumber number, number_of(path));
  LIGHTNING_ASSIGN(const auto around, state_around(path));
  for (const auto& [id, keyspace] : around.second.keyspaces)
    for (std::uint32_t level = 0; level < keyspace.levels.size(); ++level)
      for (const sstable::TableMeta& meta : keyspace.levels[level])
        if (meta.number == number) return std::pair{around.first, manifest::VersionEdit::AddTable{id, level, meta}};
  return Error(ErrorCode::kInvalidArgument, "the manifest does not name table " + std::to_string(number))
      .at_file(path)
      .with_advice("the table is no longer, or not yet, part of the database");
}

Fact properties_fact(const sstable::Table::Properties& properties) {
  Fact fact("properties");
  fact.add("blocks", properties.blocks).add("data_stored_bytes", properties.data_stored_bytes);
  fact.add("index_bytes", properties.index_bytes).add("filter_bytes", properties.filter_bytes);
  fact.add("range_bytes", properties.range_bytes);
  fact.add("parity_bytes", properties.parity_bytes);
  fact.add("raw_key_bytes", properties.raw_key_bytes).add("raw_value_bytes", properties.raw_value_bytes);
  fact.add("compression", static_cast<std::uint64_t>(properties.compression)).add("created_ns", properties.created_ns);
  fact.add("format_version", std::uint64_t{properties.format_version});
  return fact;
}

std::string name_of(format::EntryType type) {
  switch (type) {
    case format::EntryType::kErase:
      return "erase";
    case format::EntryType::kMerge:
      return "merge";
    case format::EntryType::kEraseRange:
      return "erase_range";
    case format::EntryType::kPutExpiring:
      return "put_expiring";
    case format::EntryType::kBlobReference:
      return "large";
    case format::EntryType::kPut:
      break;
  }
  return "put";
}

Status inspect_table(const std::string& path, const InspectOptions& options, const Visit& visit) {
  LIGHTNING_ASSIGN(const auto found, find_table(path));
  const auto& [superblock, added] = found;
  base::MemoryBudget budget(64ull << 20);
  base::EpochDomain epochs;
  cache::BlockCache cache(budget, epochs);
  LIGHTNING_ASSIGN(const auto table,
                   sstable::Table::open(env::Env::real(), path, superblock.store_id, added.meta, cache, budget));
  if (!visit(table_fact("table", added)) || !visit(properties_fact(table->properties())) || !options.entries) return {};
  if (const format::RangeTombstones* ranges = table->ranges())
    for (std::size_t i = 0; i < ranges->size(); ++i)
      for (const Sequence sequence : (*ranges)[i].sequences) {
        Fact fact("range_tombstone");
        fact.add("start", std::string((*ranges)[i].start)).add("end", std::string((*ranges)[i].end));
        if (!visit(fact.add("sequence", sequence))) return {};
      }
  const auto it = table->iterator({.fill_cache = false});
  for (it->seek_to_first(); it->valid(); it->next()) {
    const format::Entry& entry = it->entry();
    Fact fact("entry");
    fact.add("key", std::string(entry.key)).add("sequence", entry.sequence);
    fact.add("type", name_of(entry.type));
    if (entry.type != format::EntryType::kBlobReference) {
      if (!visit(fact.add("value_bytes", entry.value.size()))) return {};
      continue;
    }
    LIGHTNING_ASSIGN(const blob::Reference reference, blob::decode_reference(entry.value));
    fact.add("value_bytes", reference.value_bytes).add("origin", reference.id.origin);
    if (!visit(fact.add("ordinal", reference.id.ordinal))) return {};
  }
  return it->status();
}

// --- blob files -----------------------------------------------------------------------------------------------

Status inspect_blob(const std::string& path, const InspectOptions& options, const Visit& visit) {
  LIGHTNING_ASSIGN(const format::FileNumber number, number_of(path));
  LIGHTNING_ASSIGN(const auto around, state_around(path));
  const auto& [superblock, state] = around;
  manifest::VersionEdit::AddBlobFile added;
  std::uint64_t garbage_records = 0, garbage_bytes = 0;
  bool named = false;
  for (const auto& [id, keyspace] : state.keyspaces) {
    const auto found = keyspace.blobs.find(number);
    if (found == keyspace.blobs.end()) continue;
    added = {id, found->second.meta};
    garbage_records = found->second.garbage_records;
    garbage_bytes = found->second.garbage_bytes;
    named = true;
  }
  if (!named)
    return Error(ErrorCode::kInvalidArgument, "the manifest does not name blob file " + std::to_string(number))
        .at_file(path)
        .with_advice("the file is no longer, or not yet, part of the database");
  base::MemoryBudget budget(64ull << 20);
  base::EpochDomain epochs;
  cache::BlockCache cache(budget, epochs);
  LIGHTNING_ASSIGN(const auto file,
                   blob::BlobFile::open(env::Env::real(), path, superblock.store_id, added.meta, cache, budget));
  Fact fact = blob_fact("blob", added);
  fact.add("garbage_records", garbage_records).add("garbage_bytes", garbage_bytes);
  if (!visit(fact.add("created_ns", file->created_ns())) || !options.entries) return {};
  bool going = true;
  return file->for_each([&](const blob::IndexEntry& entry) -> Status {
    if (!going) return {};
    LIGHTNING_ASSIGN(std::string key, file->key_of(entry));
    Fact record("record");
    record.add("key", std::move(key)).add("origin", entry.id.origin).add("ordinal", entry.id.ordinal);
    going = visit(record.add("offset", entry.offset).add("stored_bytes", entry.stored_bytes));
    return {};
  });
}

}  // namespace
}  // namespace api

std::string to_json(const InspectedFact& fact) {
  base::JsonText json;
  json.begin_object().field("fact", fact.kind);
  for (const auto& [name, value] : fact.values) std::visit([&](const auto& v) { json.field(name, v); }, value);
  return json.end_object().text();
}

Status inspect_file(FileKind kind, const std::string& path, const InspectOptions& options,
                    const std::function<bool(const InspectedFact&)>& visit) {
  switch (kind) {
    case FileKind::kTable:
      return api::inspect_table(path, options, visit);
    case FileKind::kLogSegment:
      return api::inspect_segment(path, visit);
    case FileKind::kBlob:
      return api::inspect_blob(path, options, visit);
    case FileKind::kManifest:
      return api::inspect_manifest(path, visit);
  }
  return Error(ErrorCode::kInvalidArgument, "unknown kind of file");
}

}  // namespace lightning
