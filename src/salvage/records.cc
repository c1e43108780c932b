#include "salvage/records.h"

#include <algorithm>
#include <utility>

#include "blob/layout.h"
#include "format/expiry.h"
#include "sstable/salvage.h"

namespace lightning::salvage {

using format::EntryType;

Records::Records(std::unique_ptr<format::EntryIterator> versions, std::string keyspace, LargeValueReader& large_values,
                 RepairReport& report)
    : versions_(std::move(versions)), keyspace_(std::move(keyspace)), large_values_(large_values), report_(report) {}

Status Records::status() const { return failure_ ? Status(*failure_) : versions_->status(); }

void Records::refuse() { failure_ = Error(ErrorCode::kInternal, "a cursor that only goes forward was turned round"); }

void Records::seek_to_first() {
  versions_->seek_to_first();
  settle();
}

void Records::next() {
  ready_.pop_front();
  settle();
}

// Stands on the next entry, if there is one.
void Records::settle() {
  while (ready_.empty() && versions_->valid() && !failure_) gather();
  if (valid()) entry_ = {key_, ready_.front().sequence, ready_.front().type, ready_.front().value};
}

// All versions of the next key.
void Records::gather() {
  key_.assign(versions_->entry().key);
  lost_ = false;
  bool done = false;
  Sequence last = 0;
  for (; versions_->valid() && versions_->entry().key == key_ && !failure_; versions_->next()) {
    const format::Entry& version = versions_->entry();
    newest_ = std::max(newest_, version.sequence);
    if (done || version.sequence == last) continue;
    last = version.sequence;
    done = take(version);
  }
  if (lost_) ready_.clear();
  if (!ready_.empty()) ++records_;
}

bool Records::take(const format::Entry& version) {
  switch (version.type) {
    case EntryType::kMerge:
      ready_.push_back({version.sequence, version.type, std::string(version.value)});
      return false;
    case EntryType::kErase:
      return true;
    case EntryType::kPutExpiring:
      if (!format::is_settled(version.value)) {
        lose(Error(ErrorCode::kTableCorrupt, "a record says that it expires, and not when"));
        return true;
      }
      [[fallthrough]];
    case EntryType::kPut:
      ready_.push_back({version.sequence, version.type, std::string(version.value)});
      return true;
    case EntryType::kBlobReference:
      if (Status read = take_reference(version); !read) lose(std::move(read).error());
      return true;
    case EntryType::kEraseRange:
      break;  // ranges stand beside the versions
  }
  return false;
}

Status Records::take_reference(const format::Entry& version) {
  LIGHTNING_ASSIGN(const blob::Reference reference, blob::decode_reference(version.value));
  std::string value;
  LIGHTNING_TRY(large_values_.read(key_, reference, value));
  ++large_count_;
  if (!reference.expiry_ms) {
    ready_.push_back({version.sequence, EntryType::kPut, std::move(value)});
    return {};
  }
  std::string expiring;
  format::append_expiring(expiring, {.expires_ms = *reference.expiry_ms, .value = value});
  ready_.push_back({version.sequence, EntryType::kPutExpiring, std::move(expiring)});
  return {};
}

void Records::lose(Error reason) {
  if (!sstable::is_loss(reason)) {
    failure_ = std::move(reason);
    return;
  }
  lost_ = true;
  report_.lost_values.push_back({keyspace_, key_, std::move(reason)});
}

}  // namespace lightning::salvage
