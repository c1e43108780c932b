#include "sim/history/versions.h"

#include <algorithm>
#include <functional>

namespace lightning::sim::history {

namespace {

void for_each_found(const Entry& entry, const std::function<void(const Operation&, const Found&)>& visit) {
  for (const Operation& operation : entry.operations)
    if (operation.reads())
      for (const Found& found : operation.found) visit(operation, found);
}

}  // namespace

Versions::Versions(const History& history, std::vector<Finding>& findings) {
  for (const auto& client : history.clients)
    for (const Entry& entry : client) entries_.push_back(&entry);
  collect_writes(history);
  collect_seen(history);
  if (history.lists) {
    order_by_lists(history, findings);
  } else {
    order_by_sequence();
  }
  for (const auto& [key, order] : orders_)
    for (std::size_t i = 0; i < order.links.size(); ++i)
      if (order.links[i].version != kAbsent) positions_[order.links[i].version] = i;
}

std::size_t Versions::position(const Order& order, Version version) const {
  const auto found = positions_.find(version);
  return found == positions_.end() ? order.links.size() : found->second;
}

void Versions::collect_writes(const History& history) {
  const auto link_start = [this](Key key, Version version) {
    Order& order = orders_[key];
    if (order.links.empty()) order.links.push_back({kStart, version, version == kAbsent});
  };
  for (const auto& [key, found] : history.start) {
    link_start(key, found.version);
    writers_[found.version] = {kStart, key, true, false};
    for (const Version version : found.list) writers_[version] = {kStart, key, version == found.version, false};
  }
  if (history.after)
    for (const auto& [key, found] : history.after->content) link_start(key, kAbsent);
  final_writes_.resize(entries_.size());
  for (const Entry* entry : entries_) own_writes_.push_back(history::own_writes(*entry));
  for (EntryIndex e = 0; e < entries_.size(); ++e) {
    const Entry& entry = *entries_[e];
    const std::vector<bool> undone = entry.undone();
    for (std::size_t i = 0; i < entry.operations.size(); ++i) {
      const Operation& operation = entry.operations[i];
      for (const Found& found : operation.found) {
        link_start(found.key, kAbsent);
        if (!operation.writes()) continue;
        writers_[found.version] = {e, found.key, false, operation.kind == Operation::Kind::kErase};
        if (!undone[i]) final_writes_[e][found.key] = found.version;
      }
    }
    for (const auto& [key, version] : final_writes_[e]) {
      writers_[version].final = true;
      if (writers_[version].erase && entry.outcome == Outcome::kOpen) open_erasures_.insert(key);
    }
  }
}

// An outcome that was not told is decided by who has seen something of it.
void Versions::collect_seen(const History& history) {
  committed_.resize(entries_.size());
  for (EntryIndex e = 0; e < entries_.size(); ++e) committed_[e] = entries_[e]->outcome == Outcome::kCommitted;
  const auto saw = [this](EntryIndex reader, const Found& found) {
    const auto note = [&](Version version) {
      const Writer* writer = writer_of(version);
      if (writer != nullptr && writer->entry != kStart && writer->entry != reader &&
          entries_[writer->entry]->outcome == Outcome::kOpen)
        committed_[writer->entry] = true;
    };
    note(found.version);
    for (const Version version : found.list) note(version);
  };
  for (EntryIndex e = 0; e < entries_.size(); ++e)
    for_each_found(*entries_[e], [&](const Operation&, const Found& found) { saw(e, found); });
  if (history.after)
    for (const auto& [key, found] : history.after->content) saw(kStart, found);
}

void Versions::order_by_sequence() {
  std::vector<EntryIndex> writers;
  for (EntryIndex e = 0; e < entries_.size(); ++e)
    if (committed_[e] && !final_writes_[e].empty()) writers.push_back(e);
  std::sort(writers.begin(), writers.end(),
            [this](EntryIndex a, EntryIndex b) { return entries_[a]->sequence < entries_[b]->sequence; });
  for (const EntryIndex e : writers)
    for (const auto& [key, version] : final_writes_[e]) {
      Order& order = orders_[key];
      if (entries_[e]->sequence == 0) {
        order.somewhere.push_back(e);
      } else {
        order.links.push_back({e, version, writers_[version].erase});
      }
    }
}

// The longest list that was read has all others as its beginnings.
void Versions::order_by_lists(const History& history, std::vector<Finding>& findings) {
  std::map<Key, const std::vector<Version>*> longest;
  const auto is_prefix = [](const std::vector<Version>& part, const std::vector<Version>& whole) {
    return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
  };
  const auto compare = [&](const Found& found) {
    const auto [at, is_new] = longest.emplace(found.key, &found.list);
    if (is_new) return;
    if (at->second->size() < found.list.size()) at->second = &found.list;
  };
  const auto for_each_list = [&](const auto& visit) {
    for (const auto& [key, found] : history.start) visit(found);
    for (EntryIndex e = 0; e < entries_.size(); ++e)
      for_each_found(*entries_[e], [&](const Operation&, const Found& found) {
        // What a transaction sees of its own appends is nobody's business before it commits.
        const bool own = std::any_of(found.list.begin(), found.list.end(), [&](Version version) {
          const Writer* writer = writer_of(version);
          return writer != nullptr && writer->entry == e;
        });
        if (!own) visit(found);
      });
    if (history.after)
      for (const auto& [key, found] : history.after->content) visit(found);
  };
  for_each_list(compare);
  for_each_list([&](const Found& found) {
    if (!is_prefix(found.list, *longest[found.key]))
      findings.push_back({Anomaly::kOrder, "lists of " + name_of(found.key) + " were read that end in " +
                                               std::to_string(found.version) + " and in " +
                                               std::to_string(longest[found.key]->back()) +
                                               ", and none is the beginning of the other"});
  });
  std::map<Key, std::vector<bool>> in_list;
  for (const auto& [key, list] : longest) {
    Order& order = orders_[key];
    in_list[key].assign(entries_.size(), false);
    for (std::size_t i = 0; i < list->size(); ++i) {
      const Writer* writer = writer_of((*list)[i]);
      if (writer == nullptr || writer->entry == kStart) continue;  // unknown ones are told where they were read
      if (writer->final) {
        order.links.push_back({writer->entry, (*list)[i], false});
        in_list[key][writer->entry] = true;
        continue;
      }
      const Writer* next = i + 1 < list->size() ? writer_of((*list)[i + 1]) : nullptr;
      if (next != nullptr && next->entry != writer->entry)
        findings.push_back({Anomaly::kIntermediateRead, "a list of " + name_of(key) + " holds " +
                                                            std::to_string((*list)[i]) +
                                                            ", which its writer had undone or replaced"});
    }
  }
  for (EntryIndex e = 0; e < entries_.size(); ++e) {
    if (!committed_[e]) continue;
    for (const auto& [key, version] : final_writes_[e])
      if (in_list[key].empty() || !in_list[key][e]) orders_[key].later.push_back(e);
  }
}

}  // namespace lightning::sim::history
