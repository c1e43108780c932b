// Manifest: which tables are the database. A chained file of edits, anchored by the superblock.
//
// Bytes: docs/format/manifest.md. Each record's chain is BLAKE3 over the previous chain and the record's payload, so
// that no record can be altered, removed or reordered unseen. A new manifest starts with one record that holds the
// whole state. The superblock has two slots, written in turn; the one with the highest valid generation names the
// manifest.
//
// Threads: one at a time (the engine holds its manifest lock).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "env/env.h"
#include "manifest/version_edit.h"

namespace lightning::manifest {

struct BlobFileState {
  blob::FileMeta meta;
  std::uint64_t garbage_records = 0, garbage_bytes = 0;  // of those that nothing refers to any more
  std::uint64_t live_records() const { return meta.records - garbage_records; }
  std::uint64_t live_bytes() const { return meta.record_bytes - garbage_bytes; }
};

struct KeyspaceState {
  format::KeyspaceId id = 0;
  std::string name;
  KeyspaceOptions options;
  Sequence flushed = 0;
  std::uint64_t records = 0;  // at `flushed`, if the keyspace is counted
  struct Attachment {
    format::KeyspaceId owner = 0;
    std::string definition;
  };
  std::optional<Attachment> attachment;
  std::vector<std::vector<sstable::TableMeta>> levels{kLevels};  // level 0: newest first; others by key
  std::map<format::FileNumber, BlobFileState> blobs;
  // The file that holds the records which were first written to `origin`, or null.
  BlobFileState* blob_of(format::FileNumber origin);
};

// What the edits add up to.
struct State {
  std::map<format::KeyspaceId, KeyspaceState> keyspaces;
  format::FileNumber next_file = 1;
  format::KeyspaceId next_keyspace = 1;
  Sequence durable = 0, log_floor = 0;
  wal::LogPosition log_anchor;  // at or behind log_floor
  format::Epoch epoch = 1;
  std::uint64_t time_ms = 0;
  std::optional<VersionEdit::ArchiveMark> archive;   // none: the log was never archived
  std::vector<VersionEdit::KeyspaceChange> changes;  // that wait for the archive

  // kManifestCorrupt if the edit contradicts the state (unknown keyspace, table twice, table not there).
  Status apply(const VersionEdit& edit);
  VersionEdit snapshot() const;  // the edit that makes this state from nothing
};

struct Superblock {
  format::FeatureMasks features;
  format::Uid store_id;
  std::uint64_t generation = 0;
  format::FileNumber manifest_number = 0;
  format::Uid manifest_uid;
  base::Digest manifest_chain{};  // after the first record of that manifest
  std::uint64_t created_ns = 0, written_ns = 0;
};

// "MANIFEST-000000000012", "SUPERBLOCK": names inside the store's directory.
std::string manifest_name(format::FileNumber number);
inline constexpr std::string_view kSuperblockName = "SUPERBLOCK";

// kDatabaseNotFound if there is none, or if its creation was cut short: the caller makes sure that the store holds
// nothing else, or it is damage. kManifestCorrupt if no slot is valid; kFormatUnsupported for a newer store.
Result<Superblock> read_superblock(env::Env& env, const std::string& directory);

struct LoadReport {
  std::uint64_t records = 0;
  std::uint64_t end = 0;         // of the last record, in the file
  std::uint64_t torn_bytes = 0;  // an edit that was being written when the store died; it never took effect
};
// The state that the superblock's manifest adds up to. Changes nothing.
Result<State> load(env::Env& env, const std::string& directory, const Superblock& superblock, LoadReport& report);

// What a manifest says that load() refuses: its records up to the first that does not verify.
struct SalvagedState {
  State state;
  Superblock superblock;               // as the manifest's own header has it, where it was not given
  std::uint64_t records = 0;           // at least 1
  std::optional<Error> damage;         // why the rest is not there; none: it is whole
  std::set<format::FileNumber> named;  // every table that any of the records has added
};
// Of the manifest that `superblock` names; if it is null, of the newest one whose header verifies for itself.
// Errors: kManifestCorrupt if not even the first record can be had; kFormatUnsupported, kIo. Changes nothing.
Result<SalvagedState> salvage(env::Env& env, const std::string& directory, const Superblock* superblock);

// When a manifest is replaced by one that says the same in one record.
struct RollRule {
  std::uint64_t bytes_min = 1 << 20;  // never before it is so long
  std::uint64_t growth = 8;           // nor before it is so many times what its first record took
};

class Manifest {
 public:
  // Writes a new manifest holding `state`, then switches the superblock to it: the commit point of recovery and
  // creation.
  static Result<std::unique_ptr<Manifest>> create(env::Env& env, std::string directory, Superblock superblock,
                                                  const State& state, const RollRule& rule = {});

  // Makes `edit` durable. After an error nothing more may be appended: roll() writes a new manifest from the state.
  Status append(const VersionEdit& edit);
  // True when the file has grown far beyond what its state needs.
  bool wants_roll() const;
  // A new manifest with `state`, new superblock; the old file is removed, if that can be done.
  Status roll(const State& state);
  // What was appended and what the caller holds disagree: nothing more may be appended.
  void distrust() { failed_ = true; }

  const Superblock& superblock() const { return superblock_; }
  bool failed() const { return failed_; }
  // How much is durable, for the log to remember. After a success.
  wal::ManifestPosition position() const { return {superblock_.generation, records_}; }
  std::uint64_t bytes() const;

 private:
  Manifest(env::Env& env, std::string directory, Superblock superblock, const RollRule& rule);
  Status write_new(const State& state);
  Status append_record(std::string_view payload);

  env::Env& env_;
  const std::string directory_;
  const RollRule rule_;
  Superblock superblock_;
  std::unique_ptr<env::WritableFile> file_;
  base::Digest chain_{};
  std::uint64_t records_ = 0, first_record_bytes_ = 0;
  bool failed_ = false;
};

// For `lightning_db inspect manifest`: every record of one manifest file.
Status inspect(env::Env& env, const std::string& path,
               const std::function<void(std::uint64_t offset, const VersionEdit&)>& visit);

}  // namespace lightning::manifest
