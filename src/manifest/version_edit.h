// VersionEdit: one durable change to which tables are the database (docs/format/manifest.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "blob/blob_writer.h"
#include "format/ids.h"
#include "lightning/keyspace_options.h"
#include "lightning/result.h"
#include "lightning/types.h"
#include "sstable/table.h"
#include "wal/wal.h"

namespace lightning::manifest {

inline constexpr std::uint32_t kLevels = 7;  // 0: overlapping runs; 1..6: sorted, disjoint

struct VersionEdit {
  struct AddTable {
    format::KeyspaceId keyspace = 0;
    std::uint32_t level = 0;
    sstable::TableMeta meta;
  };
  struct DropTable {
    format::KeyspaceId keyspace = 0;
    std::uint32_t level = 0;
    format::FileNumber number = 0;
  };
  struct AddKeyspace {
    format::KeyspaceId id = 0;
    std::string name;
    KeyspaceOptions options = {};
  };
  struct AddBlobFile {
    format::KeyspaceId keyspace = 0;
    blob::FileMeta meta;
  };
  struct DropBlobFile {
    format::KeyspaceId keyspace = 0;
    format::FileNumber number = 0;
  };
  // So many records of a blob file, of so many bytes, have lost their last reference.
  struct BlobGarbage {
    format::KeyspaceId keyspace = 0;
    format::FileNumber number = 0;
    std::uint64_t records = 0, bytes = 0;
  };
  struct Flushed {  // entries of the keyspace up to this sequence are in tables
    format::KeyspaceId keyspace = 0;
    Sequence sequence = 0;
  };

  // The keyspace belongs to another one, is hidden, and goes with it. `definition` says what it is for; its meaning is
  // that of the layer that made it. Said again, it replaces what was said before.
  struct Attach {
    format::KeyspaceId keyspace = 0;
    format::KeyspaceId owner = 0;
    std::string definition;
  };
  struct Count {  // records of a counted keyspace, at its mark of what is flushed
    format::KeyspaceId keyspace = 0;
    std::uint64_t records = 0;
  };

  // Where the archive of the log has come to (docs/format/archive.md): what is behind `position` is not in it yet.
  struct ArchiveMark {
    bool on = false;              // false: what is written meanwhile will not be in it
    std::uint64_t next_file = 1;  // number of its next file
    wal::LogPosition position;
    std::uint64_t changes = 0;  // so many of the changes that waited, from the front, are in it now
  };
  // A change of keyspaces that the archive has to hear of, since the log does not tell it.
  struct KeyspaceChange {
    Sequence after = 0;  // the log's last one when it was made
    std::uint64_t time_ns = 0;
    std::string edit;  // encoded: keyspaces added, dropped and attached
  };

  std::vector<AddKeyspace> add_keyspaces = {};
  std::vector<format::KeyspaceId> drop_keyspaces = {};
  std::vector<AddTable> add_tables = {};
  std::vector<DropTable> drop_tables = {};
  std::vector<AddBlobFile> add_blobs = {};
  std::vector<DropBlobFile> drop_blobs = {};   // before any is added
  std::vector<BlobGarbage> blob_garbage = {};  // after; on top of what there was
  std::vector<Flushed> flushed = {};
  std::vector<Count> counts = {};
  std::vector<Attach> attach = {};
  std::optional<format::FileNumber> next_file = {};
  std::optional<format::KeyspaceId> next_keyspace = {};
  std::optional<Sequence> durable = {};    // the log was durable up to here when this was written
  std::optional<Sequence> log_floor = {};  // everything up to here is in tables: the log before it may go
  // A point at or behind the floor up to which the log was durable: what replay reads must go through it.
  std::optional<wal::LogPosition> log_anchor = {};
  std::optional<format::Epoch> epoch = {};
  std::optional<std::uint64_t> time_ms = {};  // of the engine's clock, since 1970: it never goes back behind this
  std::optional<ArchiveMark> archive = {};
  std::vector<KeyspaceChange> changes = {};  // behind those that wait

  std::string encode() const;
  // Total on hostile bytes: kManifestCorrupt, or kFormatUnsupported for a field that must be understood and is not.
  static Result<VersionEdit> decode(std::string_view bytes);
};

}  // namespace lightning::manifest
