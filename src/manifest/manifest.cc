#include "manifest/manifest.h"

#include <algorithm>
#include <cstdio>

#include "base/coding.h"
#include "base/planted_bug.h"

namespace lightning::manifest {

namespace {

constexpr std::uint64_t kManifestMagic = 0x3146'4E4D'4244'4CULL | (std::uint64_t{'1'} << 56);  // "LDBMNF1" + '1'
constexpr std::size_t kHeaderBytes = 128;
constexpr std::size_t kRecordHeaderBytes = 48;  // check, payload bytes, index, chain
constexpr std::uint64_t kManifestBytesMax = 1ull << 30;

// Header, at offset 0. Reserved bytes are zero: key id (16) and parity fields (16) have their place.
std::string encode_header(const Superblock& superblock) {
  std::string header;
  base::append_le(header, kManifestMagic);
  base::append_le(header, format::kFormatVersion);
  base::append_le(header, std::uint32_t{kHeaderBytes});
  base::append_le(header, superblock.features.incompatible);
  base::append_le(header, superblock.features.write_compatible);
  base::append_le(header, superblock.features.compatible);
  header.append(base::as_bytes(superblock.store_id.bytes));
  header.append(base::as_bytes(superblock.manifest_uid.bytes));
  base::append_le(header, superblock.manifest_number);
  header.append(kHeaderBytes - 8 - header.size(), '\0');
  base::append_le(header, base::hash64(header));
  return header;
}

base::Digest chain_after(const base::Digest& previous, std::string_view payload) {
  base::DigestBuilder builder;
  builder.add(base::as_bytes(previous));
  builder.add(payload);
  return builder.finish();
}

base::Digest chain_seed(std::string_view header) { return base::digest_of(header); }

std::string encode_record(std::uint64_t index, const base::Digest& chain, std::string_view payload) {
  std::string body;
  base::append_le(body, static_cast<std::uint32_t>(payload.size()));
  base::append_le(body, static_cast<std::uint32_t>(index));
  body.append(base::as_bytes(chain));
  std::string record;
  base::append_le(record, base::hash64(body));
  record += body;
  record += payload;
  return record;
}

struct Record {
  std::uint64_t offset = 0;
  std::uint64_t index = 0;
  base::Digest chain{};
  std::string_view payload;
};

enum class Parse : std::uint8_t { kOk, kEnd, kBad };

// The record at `offset` if its header and chain verify.
Parse parse_record(std::string_view file, std::uint64_t offset, const base::Digest& previous, std::uint64_t index,
                   Record& record) {
  std::string_view rest = file.substr(offset);
  if (rest.empty()) return Parse::kEnd;
  if (rest.size() < kRecordHeaderBytes) return Parse::kBad;
  if (base::load_le<std::uint64_t>(rest.data()) != base::hash64(rest.substr(8, kRecordHeaderBytes - 8)))
    return Parse::kBad;
  const auto bytes = base::load_le<std::uint32_t>(rest.data() + 8);
  record.offset = offset;
  record.index = base::load_le<std::uint32_t>(rest.data() + 12);
  __builtin_memcpy(record.chain.data(), rest.data() + 16, record.chain.size());
  if (bytes > rest.size() - kRecordHeaderBytes) return Parse::kBad;
  record.payload = rest.substr(kRecordHeaderBytes, bytes);
  return record.index == index && chain_after(previous, record.payload) == record.chain ? Parse::kOk : Parse::kBad;
}

// True if some later place holds a record header that verifies: what comes before it was complete once.
bool any_record_after(std::string_view file, std::uint64_t offset) {
  for (std::uint64_t at = offset + 1; at + kRecordHeaderBytes <= file.size(); ++at) {
    const char* header = file.data() + at;
    if (base::load_le<std::uint32_t>(header + 8) > file.size() - at - kRecordHeaderBytes) continue;
    if (base::load_le<std::uint64_t>(header) == base::hash64({header + 8, kRecordHeaderBytes - 8})) return true;
  }
  return false;
}

Error corrupt(std::string message, const std::string& path, std::uint64_t offset) {
  return Error(ErrorCode::kManifestCorrupt, std::move(message)).at_file(path, offset);
}

Status check_features(const format::FeatureMasks& features, std::uint32_t version, const std::string& path) {
  const std::uint64_t unknown = features.incompatible & ~format::kKnownFeatures.incompatible;
  const std::uint64_t unknown_write = features.write_compatible & ~format::kKnownFeatures.write_compatible;
  if (version > format::kFormatVersion)
    return Error(ErrorCode::kFormatUnsupported, "the store has format version " + std::to_string(version) +
                                                    ", this build reads up to " +
                                                    std::to_string(format::kFormatVersion))
        .at_file(path);
  if (unknown != 0 || unknown_write != 0) {
    char text[96];
    std::snprintf(text, sizeof text, "the store uses features this build does not know (mask %016llx)",
                  static_cast<unsigned long long>(unknown | unknown_write));
    return Error(ErrorCode::kFormatUnsupported, text).at_file(path);
  }
  return {};
}

// --- superblock ---------------------------------------------------------------------------------------------------

constexpr std::uint64_t kSuperblockMagic = 0x31'4250'5342'444CULL;  // "LDBSPB1\0"
constexpr std::uint64_t kSlotBytes = 4096;                          // one slot per 4 KiB, so that no write touches both

std::string encode_slot(const Superblock& superblock) {
  std::string slot;
  base::append_le(slot, kSuperblockMagic);
  base::append_le(slot, format::kFormatVersion);
  base::append_le(slot, std::uint32_t{0});
  base::append_le(slot, superblock.features.incompatible);
  base::append_le(slot, superblock.features.write_compatible);
  base::append_le(slot, superblock.features.compatible);
  slot.append(base::as_bytes(superblock.store_id.bytes));
  base::append_le(slot, superblock.generation);
  base::append_le(slot, superblock.manifest_number);
  slot.append(base::as_bytes(superblock.manifest_uid.bytes));
  slot.append(base::as_bytes(superblock.manifest_chain));
  base::append_le(slot, superblock.created_ns);
  base::append_le(slot, superblock.written_ns);
  slot.append(kSlotBytes - 16 - slot.size(), '\0');  // key id, key generation and parity fields have their place here
  slot.append(base::as_bytes(base::tag_of(base::TagAlgorithm::kBlake3, slot).bytes));
  return slot;
}

enum class Slot : std::uint8_t { kValid, kEmpty, kBad };

Slot decode_slot(std::string_view slot, Superblock& superblock, std::uint32_t& version) {
  const std::string_view body = slot.substr(0, kSlotBytes - 16);
  if (body.find_first_not_of('\0') == std::string_view::npos) return Slot::kEmpty;
  const base::Tag tag = base::tag_of(base::TagAlgorithm::kBlake3, body);
  if (slot.substr(kSlotBytes - 16) != base::as_bytes(tag.bytes)) return Slot::kBad;
  std::uint64_t magic = 0;
  std::uint32_t reserved = 0;
  std::string_view rest = body, store, uid, chain;
  base::get_le(rest, magic);
  base::get_le(rest, version);
  base::get_le(rest, reserved);
  base::get_le(rest, superblock.features.incompatible);
  base::get_le(rest, superblock.features.write_compatible);
  base::get_le(rest, superblock.features.compatible);
  base::get_bytes(rest, 16, store);
  base::get_le(rest, superblock.generation);
  base::get_le(rest, superblock.manifest_number);
  base::get_bytes(rest, 16, uid);
  base::get_bytes(rest, 32, chain);
  base::get_le(rest, superblock.created_ns);
  base::get_le(rest, superblock.written_ns);
  std::copy(store.begin(), store.end(), superblock.store_id.bytes.begin());
  std::copy(uid.begin(), uid.end(), superblock.manifest_uid.bytes.begin());
  std::copy(chain.begin(), chain.end(), superblock.manifest_chain.begin());
  return magic == kSuperblockMagic ? Slot::kValid : Slot::kBad;
}

Status write_superblock(env::Env& env, const std::string& directory, const Superblock& superblock) {
  const std::string path = directory + "/" + std::string(kSuperblockName);
  LIGHTNING_ASSIGN(auto file, env.files.open_updatable(path, env::FileClass::kSuperblock, 2 * kSlotBytes));
  // The other slot may have been written by a process that died before its sync. Only once it is durable may this slot,
  // the last one known to be, be given up.
  LIGHTNING_TRY(file->sync());
  LIGHTNING_TRY(file->write((superblock.generation % 2) * kSlotBytes, encode_slot(superblock)));
  LIGHTNING_TRY(file->sync());
  return env.files.sync_directory(directory);
}

}  // namespace

std::string manifest_name(format::FileNumber number) {
  char name[40];
  std::snprintf(name, sizeof name, "MANIFEST-%012llu", static_cast<unsigned long long>(number));
  return name;
}

Result<Superblock> read_superblock(env::Env& env, const std::string& directory) {
  const std::string path = directory + "/" + std::string(kSuperblockName);
  LIGHTNING_ASSIGN(const bool there, env.files.exists(path));
  if (!there) return Error(ErrorCode::kDatabaseNotFound, "no database in this directory").at_file(directory);
  LIGHTNING_ASSIGN(std::string bytes, env.files.read_file(path, 1 << 20));
  // The first one ever goes into the second slot. While the first slot is empty, that write may have been cut short.
  const bool first_slot_empty = bytes.substr(0, kSlotBytes).find_first_not_of('\0') == std::string::npos;
  if (bytes.size() > 2 * kSlotBytes || (bytes.size() < 2 * kSlotBytes && !first_slot_empty))
    return corrupt("the superblock has the wrong size", path, bytes.size());
  bytes.resize(2 * kSlotBytes, '\0');
  Superblock best;
  bool found = false;
  for (int i = 0; i < 2; ++i) {
    Superblock candidate;
    std::uint32_t version = 0;
    const Slot slot = decode_slot(std::string_view(bytes).substr(i * kSlotBytes, kSlotBytes), candidate, version);
    if (slot != Slot::kValid) continue;
    LIGHTNING_TRY(check_features(candidate.features, version, path));
    if (!found || candidate.generation > best.generation) best = candidate;
    found = true;
  }
  if (found) return best;
  // A store that died while it was being created never had a valid slot. The caller makes sure that it holds nothing
  // else.
  if (first_slot_empty)
    return Error(ErrorCode::kDatabaseNotFound, "the database in this directory was never completely created")
        .at_file(directory);
  return corrupt("neither slot of the superblock is valid", path, 0);
}

// --- state --------------------------------------------------------------------------------------------------------

BlobFileState* KeyspaceState::blob_of(format::FileNumber origin) {
  if (const auto own = blobs.find(origin); own != blobs.end() && own->second.meta.origins.empty()) return &own->second;
  for (auto& [number, file] : blobs)
    if (std::binary_search(file.meta.origins.begin(), file.meta.origins.end(), origin)) return &file;
  return nullptr;
}

namespace {

// Empty, or what the edit says about blob files that cannot be.
std::string apply_to_blobs(std::map<format::KeyspaceId, KeyspaceState>& keyspaces, const VersionEdit& edit) {
  for (const auto& dropped : edit.drop_blobs) {
    const auto keyspace = keyspaces.find(dropped.keyspace);
    if (keyspace == keyspaces.end() || keyspace->second.blobs.erase(dropped.number) == 0)
      return "drops blob file " + std::to_string(dropped.number) + ", which is not there";
  }
  for (const auto& added : edit.add_blobs) {
    const auto keyspace = keyspaces.find(added.keyspace);
    if (keyspace == keyspaces.end()) return "adds a blob file to an unknown keyspace";
    const std::vector<format::FileNumber>& origins = added.meta.origins;
    bool taken = origins.empty() && keyspace->second.blob_of(added.meta.number) != nullptr;
    for (const format::FileNumber origin : origins) taken = taken || keyspace->second.blob_of(origin) != nullptr;
    if (taken || !keyspace->second.blobs.emplace(added.meta.number, BlobFileState{added.meta}).second)
      return "adds blob file " + std::to_string(added.meta.number) + " twice";
  }
  for (const auto& garbage : edit.blob_garbage) {
    const auto keyspace = keyspaces.find(garbage.keyspace);
    if (keyspace == keyspaces.end()) return "finds garbage in an unknown keyspace";
    const auto file = keyspace->second.blobs.find(garbage.number);
    if (file == keyspace->second.blobs.end() || garbage.records > file->second.live_records() ||
        garbage.bytes > file->second.live_bytes())
      return "finds more garbage in blob file " + std::to_string(garbage.number) + " than it holds";
    file->second.garbage_records += garbage.records;
    file->second.garbage_bytes += garbage.bytes;
  }
  return {};
}

}  // namespace

Status State::apply(const VersionEdit& edit) {
  const auto contradiction = [](const std::string& what) {
    return Error(ErrorCode::kManifestCorrupt, "manifest edit " + what);
  };
  if (edit.next_file) next_file = std::max(next_file, *edit.next_file);
  if (edit.next_keyspace) next_keyspace = std::max(next_keyspace, *edit.next_keyspace);
  if (edit.durable) durable = std::max(durable, *edit.durable);
  if (edit.log_floor) log_floor = std::max(log_floor, *edit.log_floor);
  if (edit.log_anchor && edit.log_anchor->last_sequence >= log_anchor.last_sequence) log_anchor = *edit.log_anchor;
  if (log_floor > log_anchor.last_sequence) return contradiction("lets go of the log beyond its anchor");
  if (edit.epoch) epoch = std::max(epoch, *edit.epoch);
  if (edit.time_ms) time_ms = std::max(time_ms, *edit.time_ms);
  for (const auto& added : edit.add_keyspaces) {
    if (added.id == format::kNoKeyspace) return contradiction("adds a keyspace under the number of none");
    KeyspaceState keyspace;
    keyspace.id = added.id;
    keyspace.name = added.name;
    keyspace.options = added.options;
    if (!keyspaces.emplace(added.id, std::move(keyspace)).second)
      return contradiction("adds keyspace " + std::to_string(added.id) + " twice");
    next_keyspace = std::max(next_keyspace, added.id + 1);
  }
  for (const auto& dropped : edit.drop_tables) {
    const auto keyspace = keyspaces.find(dropped.keyspace);
    if (keyspace == keyspaces.end()) return contradiction("drops a table of an unknown keyspace");
    auto& level = keyspace->second.levels[dropped.level];
    const auto table =
        std::find_if(level.begin(), level.end(), [&](const auto& meta) { return meta.number == dropped.number; });
    if (table == level.end())
      return contradiction("drops table " + std::to_string(dropped.number) + ", which is not there");
    level.erase(table);
  }
  for (const auto& added : edit.add_tables) {
    const auto keyspace = keyspaces.find(added.keyspace);
    if (keyspace == keyspaces.end()) return contradiction("adds a table to an unknown keyspace");
    auto& level = keyspace->second.levels[added.level];
    for (const auto& meta : level)
      if (meta.number == added.meta.number)
        return contradiction("adds table " + std::to_string(added.meta.number) + " twice");
    const auto before = [&](const sstable::TableMeta& a, const sstable::TableMeta& b) {
      return added.level == 0 ? a.largest_sequence > b.largest_sequence : a.smallest_key < b.smallest_key;
    };
    level.insert(std::upper_bound(level.begin(), level.end(), added.meta, before), added.meta);
    next_file = std::max(next_file, added.meta.number + 1);
  }
  if (const std::string wrong = apply_to_blobs(keyspaces, edit); !wrong.empty()) return contradiction(wrong);
  for (const auto& added : edit.add_blobs) next_file = std::max(next_file, added.meta.number + 1);
  for (const auto& mark : edit.flushed) {
    const auto keyspace = keyspaces.find(mark.keyspace);
    if (keyspace == keyspaces.end()) return contradiction("marks an unknown keyspace as flushed");
    keyspace->second.flushed = std::max(keyspace->second.flushed, mark.sequence);
  }
  for (const auto& attached : edit.attach) {
    const auto keyspace = keyspaces.find(attached.keyspace);
    if (keyspace == keyspaces.end() || !keyspaces.contains(attached.owner) || attached.keyspace == attached.owner)
      return contradiction("attaches an unknown keyspace, or to one");
    keyspace->second.attachment = {attached.owner, attached.definition};
  }
  for (const auto& count : edit.counts) {
    const auto keyspace = keyspaces.find(count.keyspace);
    if (keyspace == keyspaces.end()) return contradiction("counts the records of an unknown keyspace");
    keyspace->second.records = count.records;
  }
  for (const format::KeyspaceId id : edit.drop_keyspaces)
    if (keyspaces.erase(id) == 0) return contradiction("drops an unknown keyspace");
  if (!edit.drop_keyspaces.empty())
    for (const auto& [id, keyspace] : keyspaces)
      if (keyspace.attachment && !keyspaces.contains(keyspace.attachment->owner))
        return contradiction("drops a keyspace that another one is attached to");
  if (edit.archive) {
    if (edit.archive->changes > changes.size()) return contradiction("archives changes that nobody made");
    changes.erase(changes.begin(), changes.begin() + static_cast<std::ptrdiff_t>(edit.archive->changes));
    archive = edit.archive;
    archive->changes = 0;
    if (!archive->on) changes.clear();
  }
  changes.insert(changes.end(), edit.changes.begin(), edit.changes.end());
  return {};
}

VersionEdit State::snapshot() const {
  VersionEdit edit;
  edit.next_file = next_file;
  edit.next_keyspace = next_keyspace;
  edit.durable = durable;
  edit.epoch = epoch;
  edit.time_ms = time_ms;
  edit.log_floor = log_floor;
  edit.log_anchor = log_anchor;
  edit.archive = archive;
  edit.changes = changes;
  for (const auto& [id, keyspace] : keyspaces) {
    edit.add_keyspaces.push_back({id, keyspace.name, keyspace.options});
    edit.flushed.push_back({id, keyspace.flushed});
    if (keyspace.attachment) edit.attach.push_back({id, keyspace.attachment->owner, keyspace.attachment->definition});
    if (keyspace.records != 0) edit.counts.push_back({id, keyspace.records});
    for (std::uint32_t level = 0; level < kLevels; ++level)
      for (const auto& meta : keyspace.levels[level]) edit.add_tables.push_back({id, level, meta});
    for (const auto& [number, file] : keyspace.blobs) {
      edit.add_blobs.push_back({id, file.meta});
      if (file.garbage_records > 0) edit.blob_garbage.push_back({id, number, file.garbage_records, file.garbage_bytes});
    }
  }
  return edit;
}

// --- reading ------------------------------------------------------------------------------------------------------

Result<State> load(env::Env& env, const std::string& directory, const Superblock& superblock, LoadReport& report) {
  const std::string path = directory + "/" + manifest_name(superblock.manifest_number);
  LIGHTNING_ASSIGN(const bool there, env.files.exists(path));
  if (!there) return corrupt("the manifest named by the superblock is missing", path, 0);
  LIGHTNING_ASSIGN(const std::string file, env.files.read_file(path, kManifestBytesMax));
  if (file.size() < kHeaderBytes || file.substr(0, kHeaderBytes) != encode_header(superblock))
    return corrupt("the manifest's header is not the one that the superblock names", path, 0);

  report = {};
  State state;
  base::Digest chain = chain_seed(std::string_view(file).substr(0, kHeaderBytes));
  std::uint64_t offset = kHeaderBytes;
  for (Record record;;) {
    const Parse parse = parse_record(file, offset, chain, report.records, record);
    if (parse == Parse::kEnd) break;
    if (parse == Parse::kBad) {
      // Each edit is synced before it takes effect, and the next is only written then: a bad record with another behind
      // it was durable once. The first record was durable before the superblock named this file.
      if (report.records == 0 || any_record_after(file, offset))
        return corrupt("a manifest record does not verify", path, offset);
      report.torn_bytes = file.size() - offset;
      break;
    }
    if (report.records == 0 && record.chain != superblock.manifest_chain)
      return corrupt("the manifest's first record is not the one that the superblock anchors", path, offset);
    auto edit = VersionEdit::decode(record.payload);
    if (!edit) return std::move(edit).error().at_file(path, offset);
    if (auto applied = state.apply(*edit); !applied) return std::move(applied).error().at_file(path, offset);
    chain = record.chain;
    offset += kRecordHeaderBytes + record.payload.size();
    ++report.records;
  }
  report.end = offset;
  if (report.records == 0) return corrupt("the manifest holds no record", path, kHeaderBytes);
  return state;
}

Status inspect(env::Env& env, const std::string& path,
               const std::function<void(std::uint64_t, const VersionEdit&)>& visit) {
  LIGHTNING_ASSIGN(const std::string file, env.files.read_file(path, kManifestBytesMax));
  if (file.size() < kHeaderBytes || base::load_le<std::uint64_t>(file.data()) != kManifestMagic)
    return corrupt("this is not a manifest", path, 0);
  base::Digest chain = chain_seed(std::string_view(file).substr(0, kHeaderBytes));
  std::uint64_t offset = kHeaderBytes, index = 0;
  for (Record record;;) {
    const Parse parse = parse_record(file, offset, chain, index++, record);
    if (parse == Parse::kEnd) return {};
    if (parse == Parse::kBad) return corrupt("a manifest record does not verify", path, offset);
    LIGHTNING_ASSIGN(const VersionEdit edit, VersionEdit::decode(record.payload));
    visit(offset, edit);
    chain = record.chain;
    offset += kRecordHeaderBytes + record.payload.size();
  }
}

// --- what is left of a damaged one --------------------------------------------------------------------------------

namespace {

// The superblock that a header was written from, as far as the header says.
Result<Superblock> decode_header(std::string_view header, const std::string& path) {
  if (header.size() < kHeaderBytes || base::load_le<std::uint64_t>(header.data()) != kManifestMagic ||
      base::load_le<std::uint64_t>(header.data() + kHeaderBytes - 8) !=
          base::hash64(header.substr(0, kHeaderBytes - 8)))
    return corrupt("the manifest's header does not verify", path, 0);
  Superblock superblock;
  std::uint32_t version = 0;
  std::string_view rest = header.substr(8), store, uid, header_bytes;
  base::get_le(rest, version);
  base::get_bytes(rest, 4, header_bytes);
  base::get_le(rest, superblock.features.incompatible);
  base::get_le(rest, superblock.features.write_compatible);
  base::get_le(rest, superblock.features.compatible);
  base::get_bytes(rest, 16, store);
  base::get_bytes(rest, 16, uid);
  base::get_le(rest, superblock.manifest_number);
  std::copy(store.begin(), store.end(), superblock.store_id.bytes.begin());
  std::copy(uid.begin(), uid.end(), superblock.manifest_uid.bytes.begin());
  LIGHTNING_TRY(check_features(superblock.features, version, path));
  return superblock;
}

// The newest manifest of the directory that has a header.
Result<Superblock> find_newest(env::Env& env, const std::string& directory) {
  LIGHTNING_ASSIGN(const std::vector<std::string> names, env.files.list(directory));
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (!name->starts_with("MANIFEST-")) continue;
    const std::string path = directory + "/" + *name;
    const auto bytes = env.files.read_file(path, kManifestBytesMax);
    if (!bytes) continue;
    auto superblock = decode_header(std::string_view(*bytes).substr(0, kHeaderBytes), path);
    if (!superblock && superblock.error().code() == ErrorCode::kFormatUnsupported) return superblock;
    if (superblock && manifest_name(superblock->manifest_number) == *name) return superblock;
  }
  return corrupt("there is no manifest whose header verifies", directory, 0);
}

}  // namespace

Result<SalvagedState> salvage(env::Env& env, const std::string& directory, const Superblock* superblock) {
  SalvagedState salvaged;
  if (superblock != nullptr) {
    salvaged.superblock = *superblock;
  } else {
    LIGHTNING_ASSIGN(salvaged.superblock, find_newest(env, directory));
  }
  const std::string path = directory + "/" + manifest_name(salvaged.superblock.manifest_number);
  LIGHTNING_ASSIGN(const std::string file, env.files.read_file(path, kManifestBytesMax));
  // The header that belongs to the superblock, whatever became of the one in the file: the chain begins with it.
  base::Digest chain = chain_seed(encode_header(salvaged.superblock));
  std::uint64_t offset = kHeaderBytes;
  while (offset <= file.size() && !salvaged.damage) {
    Record record;
    const Parse parse = parse_record(file, offset, chain, salvaged.records, record);
    if (parse == Parse::kEnd) break;
    const auto take = [&]() -> Status {
      if (parse == Parse::kBad) return corrupt("a manifest record does not verify", path, offset);
      auto edit = VersionEdit::decode(record.payload);
      if (!edit) return std::move(edit).error().at_file(path, offset);
      State next = salvaged.state;  // an edit that contradicts it may have been applied in part
      if (auto applied = next.apply(*edit); !applied) return std::move(applied).error().at_file(path, offset);
      salvaged.state = std::move(next);
      for (const auto& added : edit->add_tables) salvaged.named.insert(added.meta.number);
      return {};
    };
    if (const Status taken = take(); !taken) {
      if (taken.error().code() == ErrorCode::kFormatUnsupported) return taken.error();
      salvaged.damage = taken.error();
      break;
    }
    if (superblock == nullptr && salvaged.records == 0) salvaged.superblock.manifest_chain = record.chain;
    chain = record.chain;
    offset += kRecordHeaderBytes + record.payload.size();
    ++salvaged.records;
  }
  if (salvaged.records == 0)
    return salvaged.damage ? *salvaged.damage : corrupt("the manifest holds no record", path, kHeaderBytes);
  return salvaged;
}

// --- writing ------------------------------------------------------------------------------------------------------

Manifest::Manifest(env::Env& env, std::string directory, Superblock superblock, const RollRule& rule)
    : env_(env), directory_(std::move(directory)), rule_(rule), superblock_(superblock) {}

Result<std::unique_ptr<Manifest>> Manifest::create(env::Env& env, std::string directory, Superblock superblock,
                                                   const State& state, const RollRule& rule) {
  auto manifest = std::unique_ptr<Manifest>(new Manifest(env, std::move(directory), superblock, rule));
  LIGHTNING_TRY(manifest->write_new(state));
  return manifest;
}

Status Manifest::write_new(const State& state) {
  Superblock next = superblock_;
  next.generation += 1;
  next.manifest_number += 1;
  next.manifest_uid = env_.random.uid();
  next.written_ns = env_.clock.wall_ns();
  const std::string path = directory_ + "/" + manifest_name(next.manifest_number);
  // A file of this name can only be what an interrupted attempt left: the superblock never named it.
  LIGHTNING_ASSIGN(const bool leftover, env_.files.exists(path));
  if (leftover) LIGHTNING_TRY(env_.files.remove(path));

  failed_ = true;  // until the switch is complete, nothing may be appended
  LIGHTNING_ASSIGN(file_, env_.files.create_writable(path, env::FileClass::kManifest));
  const std::string header = encode_header(next);
  LIGHTNING_TRY(file_->append(header));
  chain_ = chain_seed(header);
  records_ = 0;
  const std::string payload = state.snapshot().encode();
  LIGHTNING_TRY(append_record(payload));
  first_record_bytes_ = payload.size();
  LIGHTNING_TRY(file_->sync());
  LIGHTNING_TRY(env_.files.sync_directory(directory_));
  next.manifest_chain = chain_;
  if (auto written = write_superblock(env_, directory_, next); !written) {
    // The slot may name the new manifest or the one before. The next attempt leaves both files alone and, since the
    // other slot is the one that is surely good, writes to the same one again.
    superblock_.manifest_number = next.manifest_number;
    superblock_.generation += 2;
    return written;
  }
  superblock_ = next;
  failed_ = false;
  return {};
}

Status Manifest::append_record(std::string_view payload) {
  if (payload.size() > ~std::uint32_t{0}) return Error(ErrorCode::kInternal, "manifest record above 4 GiB");
  chain_ = chain_after(chain_, payload);
  return file_->append(encode_record(records_++, chain_, payload));
}

Status Manifest::append(const VersionEdit& edit) {
  if (failed_)
    return Error(ErrorCode::kReadOnlyMode, "the manifest cannot be written after an earlier failure")
        .at_file(directory_ + "/" + manifest_name(superblock_.manifest_number));
  Status status = append_record(edit.encode());
  if (status) status = file_->sync();
  if (!status) failed_ = true;  // what the file holds now is unknown
  return status;
}

bool Manifest::wants_roll() const {
  return file_->size() > rule_.bytes_min && file_->size() > rule_.growth * (first_record_bytes_ + kHeaderBytes);
}

Status Manifest::roll(const State& state) {
  const std::string old = directory_ + "/" + manifest_name(superblock_.manifest_number);
  if (base::planted(base::PlantedBug::kRemoveManifestTooEarly)) LIGHTNING_TRY(env_.files.remove(old));
  LIGHTNING_TRY(write_new(state));
  if (!env_.files.remove(old)) return {};  // the next open removes it
  return {};
}

std::uint64_t Manifest::bytes() const { return file_->size(); }

}  // namespace lightning::manifest
