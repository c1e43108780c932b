#include "compaction/large_values.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "format/expiry.h"

namespace lightning::compaction {

LargeValues::~LargeValues() {
  writer_.reset();
  if (output_.discard) std::ranges::for_each(created_, output_.discard);
}

namespace {

class CountingReferences final : public format::EntryIterator {
 public:
  CountingReferences(std::unique_ptr<format::EntryIterator> input, std::optional<std::string_view> end,
                     BlobTally& tally)
      : input_(std::move(input)), end_(end), tally_(tally) {}

  bool valid() const override { return !error_ && input_->valid(); }
  const format::Entry& entry() const override { return input_->entry(); }
  Status status() const override { return error_ ? Status(*error_) : input_->status(); }
  void seek_to_first() override {
    input_->seek_to_first();
    count();
  }
  void seek(std::string_view key, Sequence sequence) override {
    input_->seek(key, sequence);
    count();
  }
  void next() override {
    input_->next();
    count();
  }
  void seek_to_last() override { refuse(); }
  void seek_for_prev(std::string_view, Sequence) override { refuse(); }
  void prev() override { refuse(); }

 private:
  void count() {
    if (!input_->valid() || input_->entry().type != format::EntryType::kBlobReference) return;
    if (end_ && input_->entry().key >= *end_) return;
    const auto reference = blob::decode_reference(input_->entry().value);
    if (reference) {
      tally_.add(*reference, 1);
    } else {
      error_ = reference.error();
    }
  }
  void refuse() { error_ = Error(ErrorCode::kInternal, "a cursor that only goes forward was turned round"); }

  const std::unique_ptr<format::EntryIterator> input_;
  const std::optional<std::string_view> end_;
  BlobTally& tally_;
  std::optional<Error> error_;
};

}  // namespace

std::unique_ptr<format::EntryIterator> counting_references(std::unique_ptr<format::EntryIterator> input,
                                                           std::optional<std::string_view> end, BlobTally& tally) {
  return std::make_unique<CountingReferences>(std::move(input), end, tally);
}

Result<format::Entry> LargeValues::stored(const format::Entry& entry, Record& record) {
  if (entry.type == format::EntryType::kBlobReference) {
    LIGHTNING_ASSIGN(const blob::Reference reference, blob::decode_reference(entry.value));
    if (!base::planted(base::PlantedBug::kForgetReferences)) kept_.add(reference, 1);
    record = {reference.stored_bytes, reference.expiry_ms.value_or(0)};
    return entry;
  }
  if (entry.value.size() < output_.threshold || entry.value.empty()) return entry;
  format::Expiring expiring{.expires_ms = 0, .value = entry.value};
  const bool expires = entry.type == format::EntryType::kPutExpiring;
  if (expires ? !format::split_expiring(entry.value, expiring) : entry.type != format::EntryType::kPut) return entry;
  if (expiring.value.empty()) return entry;
  // Well before the limit of a file; most jobs never get there.
  if (writer_ && writer_->file_bytes() >= blob::kFileBytesMax / 2) LIGHTNING_TRY(finish());
  if (!writer_) {
    LIGHTNING_ASSIGN(auto target, output_.create());
    created_.push_back(target.number);
    writer_ = std::make_unique<blob::BlobWriter>(std::move(target.file), store_id_, target.uid, target.number,
                                                 output_.writer);
  }
  LIGHTNING_ASSIGN(blob::Reference reference, writer_->add(entry.key, expiring.value));
  if (expires) reference.expiry_ms = expiring.expires_ms;
  reference_ = blob::encode(reference);
  record = {reference.stored_bytes, reference.expiry_ms.value_or(0)};
  return format::Entry{entry.key, entry.sequence, format::EntryType::kBlobReference, reference_};
}

Status LargeValues::finish() {
  if (!writer_) return {};
  LIGHTNING_ASSIGN(auto meta, writer_->finish());
  files_.push_back(std::move(meta));
  writer_.reset();
  return {};
}

std::vector<blob::FileMeta> LargeValues::take_files() {
  created_.clear();
  return std::move(files_);
}

}  // namespace lightning::compaction
