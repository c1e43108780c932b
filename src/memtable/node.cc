#include "memtable/node.h"

#include "base/coding.h"

namespace lightning::memtable {
namespace {

std::string_view without(std::string_view key, std::size_t prefix) {
  key.remove_prefix(std::min(prefix, key.size()));
  return key;
}

std::size_t shared_bytes(std::string_view a, std::string_view b) {
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const std::uint64_t difference =
        base::load_le<std::uint64_t>(a.data() + i) ^ base::load_le<std::uint64_t>(b.data() + i);
    if (difference != 0) return i + static_cast<std::size_t>(std::countr_zero(difference)) / 8;
  }
  while (i < n && a[i] == b[i]) ++i;
  return i;
}

}  // namespace

std::uint64_t Node::wait_for_version() const {
  base::Backoff backoff;
  for (;;) {
    backoff.pause();
    if (const std::uint64_t v = version_.load(std::memory_order_acquire); (v & kLocked) == 0) return v;
  }
}

std::uint32_t Node::rank(const Target& target) const {
  const std::uint32_t n = count();
  const std::size_t prefix = prefix_.load();
  if (const Record* const of = prefix_of_.load()) {
    const int c = target.key.substr(0, prefix).compare(of->key().substr(0, prefix));
    if (c != 0) return c < 0 ? 0 : n;
  }
  const std::uint64_t head = base::head_of(without(target.key, prefix));
  std::uint32_t first = 0;
  for (std::uint32_t left = n; left > 0;) {  // branch-free halving
    const std::uint32_t half = (left + 1) / 2;
    first += heads_[first + half - 1].load() < head ? half : 0;
    left -= half;
  }
  if (first < n && heads_[first].load() == head) return rank_among_ties(first, n, head, target, prefix);
  return first;
}

std::uint32_t Node::rank_among_ties(std::uint32_t first, std::uint32_t count, std::uint64_t head, const Target& target,
                                    std::size_t prefix) const {
  if (is_leaf()) __builtin_prefetch(reinterpret_cast<const char*>(record(first)) + 64);  // where most keys end
  std::uint32_t end = first + 1;
  while (end < count && heads_[end].load() == head) ++end;
  while (first < end) {
    const std::uint32_t middle = first + (end - first) / 2;
    const Boundary at(slot(middle));
    bool before;
    if (is_leaf()) {
      before = compare(at.record(), target, prefix) < 0;
    } else {
      const Target t = at.target();
      before = format::compare_entries(without(t.key, prefix), t.sequence, without(target.key, prefix),
                                       target.sequence) <= 0;
    }
    if (before) {
      first = middle + 1;
    } else {
      end = middle;
    }
  }
  return first;
}

std::uint64_t Node::admit(const Record& record) {
  const std::string_view key = record.key();
  if (count_.own() == 0 && !(low_.own() != 0 && high_.own() != 0)) {
    prefix_of_.store(&record);
    prefix_.store(static_cast<std::uint32_t>(key.size()));
  } else if (const Record* const of = prefix_of_.own()) {
    const std::size_t prefix = prefix_.own();
    if (const std::size_t shared = shared_bytes(of->key().substr(0, prefix), key); shared < prefix)
      rebuild_heads(shared);
  }
  return base::head_of(without(key, prefix_.own()));
}

void Node::rebuild_heads(std::size_t prefix) {
  prefix_.store(static_cast<std::uint32_t>(prefix));
  for (std::uint32_t i = 0, n = count_.own(); i < n; ++i)
    heads_[i].store(base::head_of(without(slot_record(i).key(), prefix)));
}

void Node::insert_slot(std::uint32_t at, std::uint64_t head, std::uintptr_t word) {
  const std::uint32_t n = count_.own();
  for (std::uint32_t i = n; i > at; --i) heads_[i].store(heads_[i - 1].own());
  for (std::uint32_t i = n; i > at; --i) slots_[i].store(slots_[i - 1].own());
  heads_[at].store(head);
  slots_[at].store(word);
  count_.store(
      static_cast<std::uint16_t>(n + 1));  // after the slots: whatever count a reader sees, its slots are there
  appends_.store(at == n ? static_cast<std::uint8_t>(std::min(appends_.own() + 1, 255)) : 0);
}

void Node::move_upper_half(Node& right, std::uint32_t from, std::uint32_t dropped, Boundary boundary) {
  const std::uint32_t n = count_.own();
  for (std::uint32_t i = from + dropped; i < n; ++i) {
    right.heads_[i - from - dropped].store(heads_[i].own());
    right.slots_[i - from - dropped].store(slots_[i].own());
  }
  right.count_.store(static_cast<std::uint16_t>(n - from - dropped));
  right.low_.store(boundary.word());
  right.high_.store(high_.own());
  right.prefix_.store(prefix_.own());
  right.prefix_of_.store(prefix_of_.own());
  right.appends_.store(appends_.own());
  right.next_.store(next_.own());
  right.previous_.store(this);
  count_.store(static_cast<std::uint16_t>(from));
  high_.store(boundary.word());
  next_.store(&right);
  appends_.store(0);
  choose_prefix();
  right.choose_prefix();
}

// A longer prefix costs a look at every record, so it is taken only where the heads get poor.
void Node::choose_prefix() {
  const std::uint32_t n = count_.own();
  const Boundary low(low_.own()), high(high_.own());
  const bool bounded = low && high;
  if (!bounded && n == 0) {  // admit() will choose
    prefix_of_.store(nullptr);
    prefix_.store(0);
    return;
  }
  const Record& first = bounded ? low.record() : slot_record(0);
  const Record& last = bounded ? high.record() : slot_record(n - 1);
  const std::size_t shared = shared_bytes(first.key(), last.key());
  const std::size_t prefix = prefix_.own();
  bool ties = false;
  for (std::uint32_t i = 1; i < n; ++i) ties |= heads_[i].own() == heads_[i - 1].own();
  prefix_of_.store(bounded ? nullptr : &first);
  if (shared < prefix || shared >= prefix + 4 || (shared > prefix && ties)) rebuild_heads(shared);
}

Boundary Leaf::split(Leaf& right) {
  const std::uint32_t from = grows_at_end() ? kFanout - 1 : kFanout / 2;
  const Boundary boundary = Boundary::between(slot_record(from - 1), slot_record(from));
  Node* const after = next_.own();
  move_upper_half(right, from, 0, boundary);
  if (after != nullptr) after->set_previous(&right);
  return boundary;
}

void Inner::insert(Boundary boundary, Node* right_of_it) {
  const std::uint32_t n = count();
  const std::uint64_t head = admit(boundary.record());
  const std::uint32_t at = rank(boundary.target());
  for (std::uint32_t i = n + 1; i > at + 1; --i) children_[i].store(children_[i - 1].own());
  children_[at + 1].store(right_of_it);
  insert_slot(at, head, boundary.word());
}

Boundary Inner::split(Inner& right) {
  const std::uint32_t n = count();
  const std::uint32_t from = grows_at_end() ? n - 4 : n / 2;
  const Boundary boundary(slot(from));
  for (std::uint32_t i = from + 1; i <= n; ++i) right.children_[i - from - 1].store(children_[i].own());
  move_upper_half(right, from, 1, boundary);
  return boundary;
}

}  // namespace lightning::memtable
