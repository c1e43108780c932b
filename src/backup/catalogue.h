// Catalogue: what one backup is: the state of the database, and a digest of every file. docs/format/backup.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "format/ids.h"
#include "lightning/backup.h"
#include "manifest/manifest.h"

namespace lightning::backup {

// A table or blob file that a backup holds. Its name in the repository follows from its identity, so that backups of
// one database find what they share.
struct StoredFile {
  bool is_blob = false;
  const sstable::TableMeta* table = nullptr;  // one of these; of the state that it was listed from
  const blob::FileMeta* blob = nullptr;
  format::FileNumber number() const { return is_blob ? blob->number : table->number; }
  std::uint64_t bytes() const { return is_blob ? blob->file_bytes : table->file_bytes; }
  std::string name() const;
};
// All of a state, in the order of the catalogue's digests. Lives no longer than the state.
std::vector<StoredFile> files_of(const manifest::State& state);

inline constexpr std::uint64_t kCatalogueBytesMax = 1ull << 30;

struct Catalogue {
  std::uint64_t number = 0;
  manifest::Superblock superblock;  // features, store id, generation and creation count
  std::uint64_t taken_ns = 0;       // wall time
  std::uint64_t new_files = 0, new_bytes = 0;
  manifest::State state;
  std::vector<base::Digest> digests;  // one for each of files_of(state)

  std::string encode() const;
  // Total on hostile bytes: kBackupCorrupt, kFormatUnsupported. `path` is for the error.
  static Result<Catalogue> decode(std::string_view bytes, const std::string& path);
  // Leaves only these keyspaces, and what is attached to them.
  Status keep(const std::vector<RestoredKeyspace>& chosen);
  BackupInfo info() const;
};

// "000000000007.backup"
std::string catalogue_name(std::uint64_t number);

}  // namespace lightning::backup
