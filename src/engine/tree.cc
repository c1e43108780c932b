#include "engine/tree.h"

#include <algorithm>

namespace lightning::engine {

Sequence ReadView::covering(std::string_view key, Sequence at) const {
  Sequence newest = 0;
  const auto look = [&](const MemTableSpan& span) {
    if (const auto* sets = span.table->erased().sets())
      for (const auto& set : *sets) newest = std::max(newest, set->covering(key, at));
  };
  look(active);
  for (const MemTableSpan& span : sealed) look(span);
  if (version->ranges) newest = std::max(newest, version->ranges->covering(key, at));
  return newest;
}

format::RangeTombstones ReadView::sealed_ranges() const {
  std::vector<const format::RangeTombstones*> sets;
  for (const MemTableSpan& span : sealed)
    if (const auto* of_table = span.table->erased().sets())
      for (const auto& set : *of_table) sets.push_back(set.get());
  return format::RangeTombstones::merge(sets);
}

std::unique_ptr<const format::RangeCover> ReadView::cover(Sequence at) const {
  if (!active.table->ranges_to_look_at()) return nullptr;
  std::vector<const format::RangeTombstones*> sets;
  const auto look = [&](const MemTableSpan& span) {
    if (const auto* of_table = span.table->erased().sets())
      for (const auto& set : *of_table) sets.push_back(set.get());
  };
  look(active);
  for (const MemTableSpan& span : sealed) look(span);
  if (version->ranges) sets.push_back(version->ranges.get());
  auto cover = std::make_unique<const format::RangeCover>(std::move(sets), at);
  return cover->empty() ? nullptr : std::move(cover);
}

Tree::Tree(format::KeyspaceId keyspace_id, std::string keyspace_name, const KeyspaceOptions& keyspace_options,
           base::EpochDomain& epochs, base::MemoryBudget& budget, manifest::VersionPtr version, Sequence after)
    : id(keyspace_id),
      name(std::move(keyspace_name)),
      options(keyspace_options),
      epochs_(epochs),
      budget_(budget),
      kept_(keyspace_options.counted) {
  base::MutexLock lock(mutex_);
  publish(new ReadView({std::make_shared<memtable::MemTable>(budget_), after}, {}, std::move(version)));
}

Tree::~Tree() { shut(); }

void Tree::shut() {
  if (const ReadView* last = view_.exchange(nullptr, std::memory_order_acq_rel)) last->unpin();
}

PinnedView Tree::pin_view() const {
  base::EpochDomain::Guard guard(epochs_);
  const ReadView& current = view();
  current.pin();  // safe: the tree's own pin is only dropped after this guard has ended
  return PinnedView(&current);
}

bool Tree::seal(wal::LogPosition end) {
  base::MutexLock lock(mutex_);
  const ReadView& current = view();
  if (current.active.table->empty()) return false;
  std::vector<MemTableSpan> sealed;
  sealed.reserve(current.sealed.size() + 1);
  sealed.push_back({current.active.table, current.active.after, end.last_sequence, end.chain, records()});
  sealed.insert(sealed.end(), current.sealed.begin(), current.sealed.end());
  publish(new ReadView({std::make_shared<memtable::MemTable>(budget_), end.last_sequence}, std::move(sealed),
                       current.version));
  return true;
}

void Tree::install(manifest::VersionPtr version, Sequence flushed_through) {
  base::MutexLock lock(mutex_);
  const ReadView& current = view();
  std::vector<MemTableSpan> sealed;
  for (const MemTableSpan& span : current.sealed)
    if (span.last > flushed_through) sealed.push_back(span);
  publish(new ReadView(current.active, std::move(sealed), std::move(version)));
}

std::string Tree::printable_name() const {
  if (!hidden()) return name;
  const std::size_t mark = std::min(name.find(kHiddenMark, 1), name.size());
  return "index " + name.substr(std::min(mark + 1, name.size())) + " of " + name.substr(1, mark - 1);
}

void Tree::set_keeper(std::shared_ptr<const Keeper> keeper) {
  base::MutexLock lock(mutex_);
  keeper_ = std::move(keeper);
  keeper_now_.store(keeper_.get(), std::memory_order_release);
  kept_.store(counted() || keeper_ != nullptr, std::memory_order_release);
}

std::shared_ptr<const Keeper> Tree::keeper() const {
  base::MutexLock lock(mutex_);
  return keeper_;
}

void Tree::publish(const ReadView* next) {
  active_.store(next->active.table.get(), std::memory_order_release);
  const ReadView* old = view_.exchange(next, std::memory_order_acq_rel);
  if (old != nullptr)
    epochs_.retire(const_cast<ReadView*>(old), [](void* view) { static_cast<const ReadView*>(view)->unpin(); });
}

}  // namespace lightning::engine
