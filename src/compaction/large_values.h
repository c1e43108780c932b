// Large values on their way through a flush or a merge: where they go, and what becomes garbage.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "blob/blob_writer.h"
#include "env/env.h"
#include "format/entry.h"

namespace lightning::compaction {

// References to the records of each origin, and the bytes of those records.
struct BlobTally {
  struct Count {
    std::int64_t records = 0, bytes = 0;
  };
  std::map<format::FileNumber, Count> of_origin = {};
  void add(const blob::Reference& reference, int sign) {
    Count& count = of_origin[reference.id.origin];
    count.records += sign;
    count.bytes += sign * static_cast<std::int64_t>(reference.stored_bytes);
  }
  void add(const BlobTally& other, int sign = 1) {
    for (const auto& [origin, count] : other.of_origin) {
      of_origin[origin].records += sign * count.records;
      of_origin[origin].bytes += sign * count.bytes;
    }
  }
};

// `input`, counting in `tally` what each entry before `end` refers to, whatever becomes of it: garbage, unless the
// job's LargeValues store it again. Forward only, from one seek on. A reference that cannot be read is an error of its
// status. `end` and `tally` outlive it.
std::unique_ptr<format::EntryIterator> counting_references(std::unique_ptr<format::EntryIterator> input,
                                                           std::optional<std::string_view> end, BlobTally& tally);

// Where large values go. Functions are called from the merging thread.
struct BlobOutput {
  std::uint64_t threshold = ~std::uint64_t{0};  // values from this size on
  blob::WriterOptions writer = {};
  struct Target {
    format::FileNumber number = 0;
    format::Uid uid;
    std::unique_ptr<env::WritableFile> file;
  };
  std::function<Result<Target>()> create = {};
  // Hears of each created file that will not be used, because the merge failed.
  std::function<void(format::FileNumber)> discard = {};
};

// One job's part: puts in, references out. Threads: one at a time.
class LargeValues {
 public:
  LargeValues(const BlobOutput& output, const format::Uid& store_id) : output_(output), store_id_(store_id) {}
  ~LargeValues();
  LargeValues(const LargeValues&) = delete;
  LargeValues& operator=(const LargeValues&) = delete;

  // The entry as the job's table shall store it: itself, or with a reference in place of a large value. Good until the
  // next call. `record`: what it then refers to.
  struct Record {
    std::uint64_t bytes = 0;  // 0: it refers to nothing
    std::uint64_t expires_ms = 0;
  };
  Result<format::Entry> stored(const format::Entry& entry, Record& record);
  // The files are complete and synced; their directory is not.
  Status finish();

  // Once, after finish().
  std::vector<blob::FileMeta> take_files();
  // References that were given and stored as they are.
  const BlobTally& kept() const { return kept_; }

 private:
  const BlobOutput& output_;
  const format::Uid store_id_;
  std::unique_ptr<blob::BlobWriter> writer_;
  std::vector<format::FileNumber> created_;
  std::vector<blob::FileMeta> files_;
  std::string reference_;
  BlobTally kept_;
};

}  // namespace lightning::compaction
