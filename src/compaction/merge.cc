#include "compaction/merge.h"

#include <algorithm>

#include "format/merging_iterator.h"
#include "manifest/level_iterator.h"

namespace lightning::compaction {

namespace {

// The tables of one merge, one after the other.
class Outputs final : public EntrySink {
 public:
  explicit Outputs(const OutputOptions& options) : options_(options) {}
  // What was not taken is of no use: on a full disk, the next attempt needs its space.
  ~Outputs() override {
    writer_.reset();
    if (options_.discard) std::ranges::for_each(created_, options_.discard);
  }
  Outputs(const Outputs&) = delete;
  Outputs& operator=(const Outputs&) = delete;

  Status add(const format::Entry& entry) override {
    ++entries_;
    if (writer_ && writer_->data_bytes() >= options_.table_bytes && entry.key != last_key_) LIGHTNING_TRY(finish());
    if (!writer_) {
      LIGHTNING_ASSIGN(auto target, options_.create());
      created_.push_back(target.number);
      writer_ = std::make_unique<sstable::TableWriter>(std::move(target.file), options_.store_id, target.uid,
                                                       target.number, options_.table);
    }
    // Only near the cut does the last key matter.
    if (writer_->data_bytes() + entry.key.size() + entry.value.size() >= options_.table_bytes)
      last_key_.assign(entry.key);
    return writer_->add(entry);
  }

  Status finish() {
    if (!writer_) return {};
    LIGHTNING_ASSIGN(auto meta, writer_->finish());
    tables_.push_back(std::move(meta));
    writer_.reset();
    return {};
  }

  std::uint64_t entries() const { return entries_; }
  std::vector<sstable::TableMeta> take() {
    created_.clear();
    return std::move(tables_);
  }

 private:
  const OutputOptions& options_;
  std::unique_ptr<sstable::TableWriter> writer_;
  std::string last_key_;
  std::vector<sstable::TableMeta> tables_;
  std::vector<format::FileNumber> created_;
  std::uint64_t entries_ = 0;
};

// Passes over the keys of some spans. Forward only.
class Outside final : public format::EntryIterator {
 public:
  Outside(std::unique_ptr<format::EntryIterator> inner, const std::vector<KeySpan>& spans)
      : inner_(std::move(inner)), spans_(spans) {}
  bool valid() const override { return inner_->valid(); }
  void seek_to_first() override {
    inner_->seek_to_first();
    pass();
  }
  void seek(std::string_view key, Sequence sequence) override {
    inner_->seek(key, sequence);
    pass();
  }
  void next() override {
    inner_->next();
    pass();
  }
  void seek_to_last() override { refuse(); }
  void seek_for_prev(std::string_view, Sequence) override { refuse(); }
  void prev() override { refuse(); }
  const format::Entry& entry() const override { return inner_->entry(); }
  Status status() const override {
    if (refused_) return Error(ErrorCode::kInternal, "a cursor that only goes forward was turned round");
    return inner_->status();
  }

 private:
  void pass() {
    if (!inner_->valid()) return;
    const auto span = std::lower_bound(
        spans_.begin(), spans_.end(), inner_->entry().key,
        [](const KeySpan& each, std::string_view key) { return std::string_view(each.largest) < key; });
    if (span == spans_.end() || inner_->entry().key < span->smallest) return;
    inner_->seek(span->largest + '\0', format::kSequenceMax);
    pass();
  }
  void refuse() { refused_ = true; }

  const std::unique_ptr<format::EntryIterator> inner_;
  const std::vector<KeySpan> spans_;
  bool refused_ = false;
};

std::vector<std::unique_ptr<format::EntryIterator>> input_sources(const Plan& plan) {
  const sstable::TableReadOptions options{.fill_cache = false};
  std::vector<std::unique_ptr<format::EntryIterator>> sources;
  if (plan.input_level == 0) {
    for (const auto& table : plan.inputs) sources.push_back(manifest::level_iterator({table}, options));
  } else {
    sources.push_back(manifest::level_iterator(plan.inputs, options));
  }
  return sources;
}

}  // namespace

Result<MergeResult> write_tables(format::EntryIterator& input, std::optional<std::string_view> start,
                                 std::optional<std::string_view> end, Retention retention,
                                 const OutputOptions& output) {
  constexpr std::uint64_t kProgressBytes = 1 << 20;
  MergeResult result;
  Outputs outputs(output);
  std::uint64_t unreported = 0;
  if (start) {
    input.seek(*start, format::kSequenceMax);
  } else {
    input.seek_to_first();
  }
  for (; input.valid(); input.next()) {
    const format::Entry& entry = input.entry();
    if (end && entry.key >= *end) break;
    ++result.entries_in;
    unreported += entry.key.size() + entry.value.size();
    if (unreported >= kProgressBytes) {
      LIGHTNING_TRY(output.progress(unreported));
      unreported = 0;
    }
    LIGHTNING_TRY(retention.take(entry, outputs));
  }
  LIGHTNING_TRY(input.status());
  LIGHTNING_TRY(retention.finish(outputs));
  LIGHTNING_TRY(outputs.finish());
  LIGHTNING_TRY(output.progress(unreported));
  result.entries_out = outputs.entries();
  result.tables = outputs.take();
  return result;
}

std::unique_ptr<format::EntryIterator> input_iterator(const Plan& plan) {
  auto sources = input_sources(plan);
  if (!plan.held_back.empty())
    for (auto& source : sources) source = std::make_unique<Outside>(std::move(source), plan.held_back);
  if (!plan.overlapped.empty()) sources.push_back(manifest::level_iterator(plan.overlapped, {.fill_cache = false}));
  return format::merge(std::move(sources));
}

std::unique_ptr<format::EntryIterator> held_back_iterator(const Plan& plan) {
  return format::merge(input_sources(plan));
}

std::vector<std::string> split_points(const Plan& plan, std::size_t parts) {
  if (parts < 2) return plan.cuts;
  // Keys that cut each table into pieces of equal size, weighted by the table's share; then the quantiles of all of
  // them.
  std::vector<std::string> keys;
  const std::uint64_t total = std::max<std::uint64_t>(plan.input_bytes(), 1);
  constexpr std::size_t kPieces = 64;
  for (const auto* tables : {&plan.inputs, &plan.overlapped}) {
    for (const auto& table : *tables) {
      const std::size_t share = static_cast<std::size_t>(kPieces * parts * table->meta().file_bytes / total) + 1;
      auto cuts = table->table->split_keys(share + 1);
      std::move(cuts.begin(), cuts.end(), std::back_inserter(keys));
    }
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::string> points;
  for (std::size_t i = 1; i < parts && !keys.empty(); ++i) {
    const std::string& key = keys[i * keys.size() / parts];
    if (points.empty() || points.back() < key) points.push_back(key);
  }
  if (!plan.cuts.empty()) {
    points.insert(points.end(), plan.cuts.begin(), plan.cuts.end());
    std::sort(points.begin(), points.end());
    points.erase(std::unique(points.begin(), points.end()), points.end());
  }
  return points;
}

}  // namespace lightning::compaction
