#include "compaction/merge.h"

#include <algorithm>

#include "format/merging_iterator.h"
#include "manifest/level_iterator.h"

namespace lightning::compaction {

namespace {

// The tables of one merge, one after the other.
class Outputs final : public EntrySink {
 public:
  Outputs(const OutputOptions& options, std::optional<std::string_view> start, const format::RangeTombstones* ranges)
      : options_(options), large_(options.blobs, options.store_id), ranges_(ranges), start_(start.value_or("")) {}
  // What was not taken is of no use: on a full disk, the next attempt needs its space.
  ~Outputs() override {
    writer_.reset();
    if (options_.discard) std::ranges::for_each(created_, options_.discard);
  }
  Outputs(const Outputs&) = delete;
  Outputs& operator=(const Outputs&) = delete;

  Status add(const format::Entry& given) override {
    ++entries_;
    LargeValues::Record record;
    LIGHTNING_ASSIGN(const format::Entry entry, large_.stored(given, record));
    if (writer_ && writer_->data_bytes() >= options_.table_bytes && entry.key != last_key_)
      LIGHTNING_TRY(close(entry.key));
    if (!writer_) LIGHTNING_TRY(open());
    // Only near the cut does the last key matter.
    if (writer_->data_bytes() + entry.key.size() + entry.value.size() >= options_.table_bytes)
      last_key_.assign(entry.key);
    blob_bytes_ += record.bytes;
    LIGHTNING_TRY(writer_->add(entry));
    if (record.expires_ms != 0)
      writer_->count_expiring(record.expires_ms, entry.key.size() + entry.value.size() + record.bytes);
    return {};
  }

  // After the last entry. Once.
  Status finish(std::optional<std::string_view> end) { return close(end.value_or("")); }
  // After that.
  Result<MergeResult> take() {
    LIGHTNING_TRY(large_.finish());
    created_.clear();
    MergeResult result;
    result.tables = std::move(tables_);
    result.blobs = large_.take_files();
    result.kept = large_.kept();
    result.entries_out = entries_;
    return result;
  }

 private:
  Status open() {
    LIGHTNING_ASSIGN(auto target, options_.create());
    created_.push_back(target.number);
    writer_ = std::make_unique<sstable::TableWriter>(std::move(target.file), options_.store_id, target.uid,
                                                     target.number, options_.table);
    return {};
  }
  // What follows begins at `border`; empty: nothing follows. Ranges may need a table where no entry is left.
  Status close(std::string_view border) {
    std::vector<format::RangeTombstone> cut;
    if (ranges_ != nullptr) ranges_->clip(start_, border, cut);
    if (!writer_ && cut.empty()) return {};
    if (!writer_) LIGHTNING_TRY(open());
    writer_->set_ranges(format::RangeTombstones(std::move(cut)));
    LIGHTNING_ASSIGN(auto meta, writer_->finish());
    meta.blob_bytes = std::exchange(blob_bytes_, 0);
    tables_.push_back(std::move(meta));
    writer_.reset();
    start_.assign(border);
    return {};
  }

  const OutputOptions& options_;
  LargeValues large_;
  const format::RangeTombstones* const ranges_;
  std::string start_;  // of the table that is open, or comes next
  std::unique_ptr<sstable::TableWriter> writer_;
  std::string last_key_;
  std::uint64_t blob_bytes_ = 0;
  std::vector<sstable::TableMeta> tables_;
  std::vector<format::FileNumber> created_;
  std::uint64_t entries_ = 0;
};

// Passes over the keys of some spans. Forward only.
class Outside final : public format::EntryIterator {
 public:
  Outside(std::unique_ptr<format::EntryIterator> inner, const std::vector<KeySpan>& spans)
      : inner_(std::move(inner)), spans_(spans) {}
  bool valid() const override { return !ended_ && inner_->valid(); }
  void seek_to_first() override {
    ended_ = false;
    inner_->seek_to_first();
    pass();
  }
  void seek(std::string_view key, Sequence sequence) override {
    ended_ = false;
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
    const auto span =
        std::lower_bound(spans_.begin(), spans_.end(), inner_->entry().key,
                         [](const KeySpan& each, std::string_view key) { return each.end().before(key); });
    if (span == spans_.end() || inner_->entry().key < span->smallest) return;
    const std::string_view behind = span->behind();
    ended_ = behind.empty();
    if (ended_) return;
    inner_->seek(behind, format::kSequenceMax);
    pass();
  }
  void refuse() { refused_ = true; }

  const std::unique_ptr<format::EntryIterator> inner_;
  const std::vector<KeySpan> spans_;
  bool refused_ = false, ended_ = false;
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
                                 std::optional<std::string_view> end, Retention retention, const OutputOptions& output,
                                 const format::RangeTombstones* ranges) {
  constexpr std::uint64_t kProgressBytes = 1 << 20;
  Outputs outputs(output, start, ranges);
  std::uint64_t unreported = 0, entries_in = 0;
  if (start) {
    input.seek(*start, format::kSequenceMax);
  } else {
    input.seek_to_first();
  }
  for (; input.valid(); input.next()) {
    const format::Entry& entry = input.entry();
    if (end && entry.key >= *end) break;
    ++entries_in;
    unreported += entry.key.size() + entry.value.size();
    if (unreported >= kProgressBytes) {
      LIGHTNING_TRY(output.progress(unreported));
      unreported = 0;
    }
    LIGHTNING_TRY(retention.take(entry, outputs));
  }
  LIGHTNING_TRY(input.status());
  LIGHTNING_TRY(retention.finish(outputs));
  LIGHTNING_TRY(outputs.finish(end));
  LIGHTNING_TRY(output.progress(unreported));
  LIGHTNING_ASSIGN(MergeResult result, outputs.take());
  result.entries_in = entries_in;
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

format::RangeTombstones input_ranges(const Plan& plan) {
  std::vector<format::RangeTombstone> ranges;
  for (const auto& table : plan.overlapped)
    if (const auto* set = table->table->ranges()) set->clip({}, {}, ranges);
  for (const auto& table : plan.inputs) {
    const auto* set = table->table->ranges();
    if (set == nullptr) continue;
    // Between what is held back; keys of the plan, which lives as long as its tables.
    std::string_view from;
    for (const KeySpan& span : plan.held_back) {
      if (from < span.smallest) set->clip(from, span.smallest, ranges);
      from = span.behind();
    }
    if (plan.held_back.empty() || !plan.held_back.back().behind().empty()) set->clip(from, {}, ranges);
  }
  return format::RangeTombstones(std::move(ranges));
}

format::RangeTombstones held_back_ranges(const Plan& plan) {
  std::vector<format::RangeTombstone> ranges;
  for (const auto& table : plan.inputs)
    if (const auto* set = table->table->ranges())
      for (const KeySpan& span : plan.held_back) set->clip(span.smallest, span.behind(), ranges);
  return format::RangeTombstones(std::move(ranges));
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
