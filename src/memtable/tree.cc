#include "memtable/tree.h"

#include <new>

namespace lightning::memtable {
namespace {

// What an entry pays towards nodes that its successors will need. A leaf is split when full: evenly, so that 32 entries
// must come before the next split, or at its end, so that it stays full and must have the next split paid already. Four
// leaves in 64 entries cover both; a new node pays the level above in the same way. Nearly three of the four are never
// built; they are address space held back, not memory.
constexpr std::uint64_t kLeafShare = 4 * sizeof(Leaf) / Node::kFanout;
constexpr std::uint64_t kInnerShare = 4 * sizeof(Inner) / Node::kFanout;
constexpr std::uint64_t kNodeShare = kLeafShare + (kInnerShare * 4 + Node::kFanout - 1) / Node::kFanout * 2;
constexpr std::uint64_t kRootBytes = 16 * sizeof(Inner);  // a new root per level, and splits that lost a race

}  // namespace

Tree::Tree(base::MemoryBudget& budget, std::uint64_t mapped_bytes_max)
    : arena_(budget, base::MemoryOwner::kMemTables, mapped_bytes_max) {
  auto& slot = arena_.slot();
  if (!arena_.set_aside(slot, kRootBytes)) throw std::bad_alloc();
  arena_.prepare_block(slot, sizeof(Leaf));
  root_.store(make<Leaf>(slot), std::memory_order_release);
}

Status Tree::reserve(std::uint64_t entries, std::uint64_t bytes) {
  constexpr std::uint64_t kEntriesMax = std::uint64_t{1} << 48, kBytesMax = std::uint64_t{1} << 60;
  if (entries > kEntriesMax || bytes > kBytesMax)
    return Error(ErrorCode::kOutOfMemory, "a batch of " + std::to_string(entries) + " entries fits no memory");
  auto* const mine = arena_.slot_or_null();
  if (mine == nullptr) return Error(ErrorCode::kOutOfMemory, "no memory for one more thread that writes");
  auto& slot = *mine;
  const std::uint64_t record_bytes = bytes + entries * sizeof(Record);
  LIGHTNING_TRY(arena_.promise(slot, entries, record_bytes));
  auto nodes = arena_.set_aside(slot, entries * kNodeShare);
  if (!nodes) arena_.withdraw(slot, entries, record_bytes);
  return nodes;
}

void Tree::withdraw(std::uint64_t entries, std::uint64_t bytes) {
  auto& slot = arena_.slot();
  arena_.withdraw(slot, entries, bytes + entries * sizeof(Record));
  base::Arena::put_back(slot, entries * kNodeShare);
}

void Tree::add(const format::Entry& entry) {
  auto& slot = arena_.slot();
  const std::size_t bytes = Record::bytes(entry.key.size(), entry.value.size());
  if (!arena_.has_promised(slot, bytes)) [[unlikely]] {
    if (!reserve(1, entry.key.size() + entry.value.size())) throw std::bad_alloc();
  }
  const Record* const record = Record::write(arena_.allocate(slot, bytes), entry);
  const Target target{record->key(), entry.sequence};
  base::Backoff backoff;
  while (!try_insert(slot, *record, target)) backoff.pause();
  entries_[base::thread_slot() % entries_.size()].value.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t Tree::entries() const {
  std::uint64_t sum = 0;
  for (const Counter& counter : entries_) sum += counter.value.load(std::memory_order_relaxed);
  return sum;
}

// ---- the way down

Tree::Position Tree::start() const {
  for (;;) {
    Node* const root = root_.load(std::memory_order_acquire);
    const std::uint64_t version = root->stable_version();
    if (root == root_.load(std::memory_order_acquire)) return {root, version};
  }
}

// False: the parent changed, start again.
bool Tree::descend(Position& at, std::uint32_t child) const {
  Node* const to = static_cast<const Inner*>(at.node)->child(child);
  to->prefetch();
  const std::uint64_t version = to->stable_version();
  if (!at.node->unchanged_since(at.version)) return false;
  at = {to, version};
  return true;
}

Tree::Position Tree::leaf_for(const Target& target) const {
  base::Backoff backoff;
  for (;; backoff.pause()) {
    Position at = start();
    bool good = true;
    while (good && !at.node->is_leaf()) good = descend(at, at.node->rank(target));
    if (good) return at;
  }
}

const Record* Tree::find_version(const Target& target) const {
  for (Position at = leaf_for(target);;) {
    const Node& leaf = *at.node;
    const std::uint32_t i = leaf.rank(target);
    const Record* const record = i < leaf.count() ? leaf.record(i) : nullptr;
    // Behind the last entry of a leaf the same key goes on only if its versions lie on both sides of the boundary.
    const Boundary high = leaf.high();
    Node* const next = leaf.next();
    if (!leaf.unchanged_since(at.version)) {
      at = leaf_for(target);
      continue;
    }
    if (record != nullptr) {
      const char* const bytes = record->key().data();
      __builtin_prefetch(bytes + 64);
      __builtin_prefetch(bytes + 128);
      __builtin_prefetch(bytes + 192);
      return record->key() == target.key ? record : nullptr;
    }
    if (!high || high.before_key()) return nullptr;
    at = {next, next->stable_version()};
  }
}

// ---- insertion

bool Tree::try_insert(base::Arena::Slot& slot, const Record& record, const Target& target) {
  Position parent{nullptr, 0};
  Position at = start();
  for (;;) {
    if (at.node->full()) {
      split(slot, parent, at);
      return false;
    }
    if (at.node->is_leaf()) break;
    parent = at;
    if (!descend(at, at.node->rank(target))) return false;
  }
  auto* const leaf = static_cast<Leaf*>(at.node);
  const std::uint32_t rank = leaf->rank(target);
  if (!leaf->try_lock(at.version)) return false;
  leaf->insert(rank, record);
  leaf->unlock();
  return true;
}

// Splits `full` if nothing changed since it was found so. What to do next is found by starting again.
void Tree::split(base::Arena::Slot& slot, const Position& parent, const Position& full) {
  const bool is_root = parent.node == nullptr;
  const std::size_t node_bytes = full.node->is_leaf() ? sizeof(Leaf) : sizeof(Inner);
  // Before the locks are taken: this may wait for a lock or the system.
  arena_.prepare_block(slot, node_bytes + (is_root ? sizeof(Inner) : 0));
  if (!is_root && !parent.node->try_lock(parent.version)) return;
  if (full.node->try_lock(full.version)) {
    Boundary boundary;
    Node* right;
    if (full.node->is_leaf()) {
      auto* const leaf = make<Leaf>(slot);
      boundary = static_cast<Leaf*>(full.node)->split(*leaf);
      right = leaf;
    } else {
      auto* const inner = make<Inner>(slot, full.node->height(), nullptr);
      boundary = static_cast<Inner*>(full.node)->split(*inner);
      right = inner;
    }
    if (is_root) {
      auto* const root = make<Inner>(slot, static_cast<std::uint8_t>(full.node->height() + 1), full.node);
      root->insert(boundary, right);
      root_.store(root, std::memory_order_release);
    } else {
      static_cast<Inner*>(parent.node)->insert(boundary, right);
    }
    full.node->unlock();
  }
  if (!is_root) parent.node->unlock();
}

// ---- views

bool Tree::copy(const Leaf& leaf, std::uint64_t version, View& view) {
  const std::uint32_t count = leaf.count();
  for (std::uint32_t i = 0; i < count; ++i) view.records[i] = leaf.record(i);
  view.leaf = &leaf;
  view.next = static_cast<const Leaf*>(leaf.next());
  view.count = count;
  return leaf.unchanged_since(version);
}

void Tree::copy_stable(const Leaf& leaf, View& view) {
  base::Backoff backoff;
  while (!copy(leaf, leaf.stable_version(), view)) backoff.pause();
  if (view.next != nullptr) view.next->prefetch();
}

std::uint32_t Tree::view_at(const Target& target, View& view) const {
  for (;;) {
    const Position at = leaf_for(target);
    const std::uint32_t rank = at.node->rank(target);
    if (copy(static_cast<const Leaf&>(*at.node), at.version, view)) return rank;
  }
}

void Tree::view_edge(View& view, bool last) const {
  base::Backoff backoff;
  for (;; backoff.pause()) {
    Position at = start();
    bool good = true;
    while (good && !at.node->is_leaf()) good = descend(at, last ? at.node->count() : 0);
    if (good && copy(static_cast<const Leaf&>(*at.node), at.version, view)) return;
  }
}

bool Tree::view_next(View& view) const {
  if (view.next == nullptr) return false;
  copy_stable(*view.next, view);
  return true;
}

bool Tree::view_previous(View& view) const {
  const Leaf* const from = view.leaf;
  const auto* at = static_cast<const Leaf*>(from->previous());
  if (at == nullptr) return false;
  for (;; at = view.next) {  // the hint may lag behind splits: walk right up to the neighbour
    copy_stable(*at, view);
    if (view.next == from) return true;
  }
}

}  // namespace lightning::memtable
