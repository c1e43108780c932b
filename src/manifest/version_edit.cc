#include "manifest/version_edit.h"

#include "base/coding.h"
#include "format/entry.h"
#include "manifest/keyspace_options.h"

namespace lightning::manifest {

namespace {

// Field numbers are on disk: never reused. Below 128 a reader must understand the field; from 128 on it may skip it.
enum Field : std::uint64_t {
  kNextFile = 1,
  kNextKeyspace = 2,
  kDurable = 3,
  kEpoch = 4,
  kAddKeyspace = 5,
  kDropKeyspace = 6,
  kAddTable = 7,
  kDropTable = 8,
  kFlushed = 9,
  kLogFloor = 10,
  kLogAnchor = 11,
  kTime = 12,
  kAddBlobFile = 20,
  kDropBlobFile = 21,
  kBlobGarbage = 22,
  kCount = 30,
  kAttach = 31,
  kArchive = 140,
  kChange = 141,
};
constexpr std::uint64_t kFirstOptionalField = 128;

void append_field(std::string& to, Field field, std::string_view body) {
  base::append_varint(to, field);
  base::append_length_prefixed(to, body);
}

void append_number_field(std::string& to, Field field, std::uint64_t number) {
  std::string body;
  base::append_varint(body, number);
  append_field(to, field, body);
}

std::string encode_table(const VersionEdit::AddTable& table) {
  const sstable::TableMeta& meta = table.meta;
  std::string body;
  base::append_varint(body, table.keyspace);
  base::append_varint(body, table.level);
  base::append_varint(body, meta.number);
  body.append(base::as_bytes(meta.uid.bytes));
  base::append_varint(body, meta.file_bytes);
  body.push_back(static_cast<char>(meta.tags));
  body.append(base::as_bytes(meta.root.bytes));
  base::append_length_prefixed(body, meta.smallest_key);
  base::append_length_prefixed(body, meta.largest_key);
  base::append_varint(body, meta.smallest_sequence);
  base::append_varint(body, meta.largest_sequence);
  base::append_varint(body, meta.entries);
  base::append_varint(body, meta.tombstones);
  base::append_varint(body, meta.data_bytes);
  base::append_varint(body, meta.blob_bytes);
  base::append_varint(body, meta.range_tombstones);
  base::append_varint(body, meta.tombstone_run);
  body.push_back(meta.largest_open ? '\1' : '\0');
  return body;
}

template <class Array>
bool get_array(std::string_view& from, Array& to) {
  std::string_view bytes;
  if (!base::get_bytes(from, to.size(), bytes)) return false;
  __builtin_memcpy(to.data(), bytes.data(), bytes.size());
  return true;
}

bool get_number32(std::string_view& from, std::uint32_t& to) {
  std::uint64_t value = 0;
  if (!base::get_varint(from, value) || value > ~std::uint32_t{0}) return false;
  to = static_cast<std::uint32_t>(value);
  return true;
}

// What a trailer has room for.
bool get_sequence(std::string_view& from, Sequence& to) {
  return base::get_varint(from, to) && to <= format::kSequenceMax;
}

bool decode_table(std::string_view body, VersionEdit::AddTable& table) {
  sstable::TableMeta& meta = table.meta;
  std::string_view smallest, largest, tags;
  if (!get_number32(body, table.keyspace) || !get_number32(body, table.level) || table.level >= kLevels) return false;
  if (!base::get_varint(body, meta.number) || !get_array(body, meta.uid.bytes)) return false;
  if (!base::get_varint(body, meta.file_bytes) || !base::get_bytes(body, 1, tags)) return false;
  meta.tags = static_cast<base::TagAlgorithm>(tags[0]);
  if (meta.tags != base::TagAlgorithm::kXxh3 && meta.tags != base::TagAlgorithm::kBlake3) return false;
  if (!get_array(body, meta.root.bytes)) return false;
  if (!base::get_length_prefixed(body, smallest) || !base::get_length_prefixed(body, largest)) return false;
  meta.smallest_key = smallest;
  meta.largest_key = largest;
  std::string_view open;
  if (!get_sequence(body, meta.smallest_sequence) || !get_sequence(body, meta.largest_sequence) ||
      !base::get_varint(body, meta.entries) || !base::get_varint(body, meta.tombstones) ||
      !base::get_varint(body, meta.data_bytes) || !base::get_varint(body, meta.blob_bytes) ||
      !base::get_varint(body, meta.range_tombstones) || !base::get_varint(body, meta.tombstone_run) ||
      !base::get_bytes(body, 1, open) || !body.empty())
    return false;
  if (static_cast<unsigned char>(open[0]) > 1) return false;
  meta.largest_open = open[0] != 0;
  return !meta.largest().before(meta.smallest_key);
}

std::string encode_blob_file(const VersionEdit::AddBlobFile& file) {
  const blob::FileMeta& meta = file.meta;
  std::string body;
  base::append_varint(body, file.keyspace);
  base::append_varint(body, meta.number);
  body.append(base::as_bytes(meta.uid.bytes));
  base::append_varint(body, meta.file_bytes);
  body.push_back(static_cast<char>(meta.tags));
  body.append(base::as_bytes(meta.root.bytes));
  base::append_varint(body, meta.records);
  base::append_varint(body, meta.record_bytes);
  for (const format::FileNumber origin : meta.origins) base::append_varint(body, origin);
  return body;
}

bool decode_blob_file(std::string_view body, VersionEdit::AddBlobFile& file) {
  blob::FileMeta& meta = file.meta;
  std::uint8_t tags = 0;
  if (!get_number32(body, file.keyspace) || !base::get_varint(body, meta.number) || !get_array(body, meta.uid.bytes) ||
      !base::get_varint(body, meta.file_bytes) || !base::get_le(body, tags) || !get_array(body, meta.root.bytes) ||
      !base::get_varint(body, meta.records) || !base::get_varint(body, meta.record_bytes))
    return false;
  meta.tags = static_cast<base::TagAlgorithm>(tags);
  while (!body.empty()) {
    format::FileNumber origin = 0;
    if (!base::get_varint(body, origin) || (!meta.origins.empty() && origin <= meta.origins.back())) return false;
    meta.origins.push_back(origin);
  }
  return meta.tags == base::TagAlgorithm::kXxh3 || meta.tags == base::TagAlgorithm::kBlake3;
}

Error malformed(std::string_view what) {
  return Error(ErrorCode::kManifestCorrupt, "manifest record holds a malformed " + std::string(what));
}

}  // namespace

std::string VersionEdit::encode() const {
  std::string to;
  if (next_file) append_number_field(to, kNextFile, *next_file);
  if (next_keyspace) append_number_field(to, kNextKeyspace, *next_keyspace);
  if (durable) append_number_field(to, kDurable, *durable);
  if (epoch) append_number_field(to, kEpoch, *epoch);
  if (time_ms) append_number_field(to, kTime, *time_ms);
  if (log_floor) append_number_field(to, kLogFloor, *log_floor);
  if (log_anchor) {
    std::string body;
    base::append_varint(body, log_anchor->last_sequence);
    base::append_le(body, log_anchor->chain);
    append_field(to, kLogAnchor, body);
  }
  for (const AddKeyspace& keyspace : add_keyspaces) {
    std::string body;
    base::append_varint(body, keyspace.id);
    base::append_length_prefixed(body, keyspace.name);
    body += manifest::encode(keyspace.options);
    append_field(to, kAddKeyspace, body);
  }
  for (const format::KeyspaceId id : drop_keyspaces) append_number_field(to, kDropKeyspace, id);
  for (const AddTable& table : add_tables) append_field(to, kAddTable, encode_table(table));
  for (const DropTable& table : drop_tables) {
    std::string body;
    base::append_varint(body, table.keyspace);
    base::append_varint(body, table.level);
    base::append_varint(body, table.number);
    append_field(to, kDropTable, body);
  }
  for (const DropBlobFile& file : drop_blobs) {
    std::string body;
    base::append_varint(body, file.keyspace);
    base::append_varint(body, file.number);
    append_field(to, kDropBlobFile, body);
  }
  for (const AddBlobFile& file : add_blobs) append_field(to, kAddBlobFile, encode_blob_file(file));
  for (const BlobGarbage& garbage : blob_garbage) {
    std::string body;
    base::append_varint(body, garbage.keyspace);
    base::append_varint(body, garbage.number);
    base::append_varint(body, garbage.records);
    base::append_varint(body, garbage.bytes);
    append_field(to, kBlobGarbage, body);
  }
  for (const Flushed& mark : flushed) {
    std::string body;
    base::append_varint(body, mark.keyspace);
    base::append_varint(body, mark.sequence);
    append_field(to, kFlushed, body);
  }
  for (const Attach& attached : attach) {
    std::string body;
    base::append_varint(body, attached.keyspace);
    base::append_varint(body, attached.owner);
    body += attached.definition;
    append_field(to, kAttach, body);
  }
  for (const Count& count : counts) {
    std::string body;
    base::append_varint(body, count.keyspace);
    base::append_varint(body, count.records);
    append_field(to, kCount, body);
  }
  if (archive) {
    std::string body(1, archive->on ? '\1' : '\0');
    base::append_varint(body, archive->next_file);
    base::append_varint(body, archive->position.last_sequence);
    base::append_le(body, archive->position.chain);
    base::append_varint(body, archive->changes);
    append_field(to, kArchive, body);
  }
  for (const KeyspaceChange& change : changes) {
    std::string body;
    base::append_varint(body, change.after);
    base::append_varint(body, change.time_ns);
    body += change.edit;
    append_field(to, kChange, body);
  }
  return to;
}

Result<VersionEdit> VersionEdit::decode(std::string_view bytes) {
  VersionEdit edit;
  while (!bytes.empty()) {
    std::uint64_t field = 0, number = 0;
    std::string_view body, name;
    if (!base::get_varint(bytes, field) || !base::get_length_prefixed(bytes, body)) return malformed("field");
    switch (field) {
      case kNextFile:
        if (!base::get_varint(body, number) || !body.empty()) return malformed("file number");
        edit.next_file = number;
        break;
      case kNextKeyspace: {
        format::KeyspaceId id = 0;
        if (!get_number32(body, id) || !body.empty()) return malformed("keyspace number");
        edit.next_keyspace = id;
        break;
      }
      case kDurable:
        if (!get_sequence(body, number) || !body.empty()) return malformed("durable sequence");
        edit.durable = number;
        break;
      case kTime:
        if (!base::get_varint(body, number) || !body.empty()) return malformed("time");
        edit.time_ms = number;
        break;
      case kEpoch:
        if (!base::get_varint(body, number) || !body.empty()) return malformed("epoch");
        edit.epoch = number;
        break;
      case kLogFloor:
        if (!get_sequence(body, number) || !body.empty()) return malformed("log floor");
        edit.log_floor = number;
        break;
      case kLogAnchor: {
        wal::LogPosition anchor;
        if (!get_sequence(body, anchor.last_sequence) || !base::get_le(body, anchor.chain) || !body.empty())
          return malformed("log anchor");
        edit.log_anchor = anchor;
        break;
      }
      case kAddKeyspace: {
        AddKeyspace keyspace;
        if (!get_number32(body, keyspace.id) || !base::get_length_prefixed(body, name)) return malformed("keyspace");
        keyspace.name = name;
        LIGHTNING_ASSIGN(keyspace.options, decode_keyspace_options(body));
        edit.add_keyspaces.push_back(std::move(keyspace));
        break;
      }
      case kDropKeyspace: {
        format::KeyspaceId id = 0;
        if (!get_number32(body, id) || !body.empty()) return malformed("dropped keyspace");
        edit.drop_keyspaces.push_back(id);
        break;
      }
      case kAddTable: {
        AddTable table;
        if (!decode_table(body, table)) return malformed("table");
        edit.add_tables.push_back(std::move(table));
        break;
      }
      case kDropTable: {
        DropTable table;
        if (!get_number32(body, table.keyspace) || !get_number32(body, table.level) || table.level >= kLevels ||
            !base::get_varint(body, table.number) || !body.empty())
          return malformed("dropped table");
        edit.drop_tables.push_back(table);
        break;
      }
      case kAddBlobFile: {
        AddBlobFile file;
        if (!decode_blob_file(body, file)) return malformed("blob file");
        edit.add_blobs.push_back(std::move(file));
        break;
      }
      case kDropBlobFile: {
        DropBlobFile file;
        if (!get_number32(body, file.keyspace) || !base::get_varint(body, file.number) || !body.empty())
          return malformed("dropped blob file");
        edit.drop_blobs.push_back(file);
        break;
      }
      case kBlobGarbage: {
        BlobGarbage garbage;
        if (!get_number32(body, garbage.keyspace) || !base::get_varint(body, garbage.number) ||
            !base::get_varint(body, garbage.records) || !base::get_varint(body, garbage.bytes) || !body.empty())
          return malformed("garbage of a blob file");
        edit.blob_garbage.push_back(garbage);
        break;
      }
      case kFlushed: {
        Flushed mark;
        if (!get_number32(body, mark.keyspace) || !get_sequence(body, mark.sequence) || !body.empty())
          return malformed("flush mark");
        edit.flushed.push_back(mark);
        break;
      }
      case kAttach: {
        Attach attached;
        if (!get_number32(body, attached.keyspace) || !get_number32(body, attached.owner))
          return malformed("attachment");
        attached.definition = body;
        edit.attach.push_back(std::move(attached));
        break;
      }
      case kCount: {
        Count count;
        if (!get_number32(body, count.keyspace) || !base::get_varint(body, count.records) || !body.empty())
          return malformed("count");
        edit.counts.push_back(count);
        break;
      }
      case kArchive: {
        ArchiveMark mark;
        std::uint8_t on = 0;
        if (!base::get_le(body, on) || on > 1 || !base::get_varint(body, mark.next_file) || mark.next_file == 0 ||
            !get_sequence(body, mark.position.last_sequence) || !base::get_le(body, mark.position.chain) ||
            !base::get_varint(body, mark.changes) || !body.empty())
          return malformed("mark of the archive");
        mark.on = on != 0;
        edit.archive = mark;
        break;
      }
      case kChange: {
        KeyspaceChange change;
        if (!get_sequence(body, change.after) || !base::get_varint(body, change.time_ns))
          return malformed("change of keyspaces");
        change.edit = body;
        edit.changes.push_back(std::move(change));
        break;
      }
      default:
        if (field < kFirstOptionalField)
          return Error(ErrorCode::kFormatUnsupported,
                       "manifest field " + std::to_string(field) + " is not known to this version");
    }
  }
  return edit;
}

}  // namespace lightning::manifest
