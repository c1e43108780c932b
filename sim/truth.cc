#include "sim/truth.h"

#include <algorithm>
#include <functional>
#include <set>

namespace lightning::sim {

namespace {

std::string printable(const std::string& bytes) {
  std::string text = "'";
  for (const char c : bytes.substr(0, 40)) {
    constexpr char kDigits[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    text += byte >= 0x20 && byte < 0x7f ? std::string(1, c)
                                        : std::string{'\\', 'x', kDigits[byte / 16], kDigits[byte % 16]};
  }
  return text + (bytes.size() > 40 ? "..' (" + std::to_string(bytes.size()) + " bytes)" : "'");
}

std::string difference(const Content& expected, const Content& found) {
  auto left = expected.begin();
  auto right = found.begin();
  while (left != expected.end() || right != found.end()) {
    if (right == found.end() || (left != expected.end() && left->first < right->first))
      return "key " + printable(left->first) + " is missing, should be " + printable(left->second);
    if (left == expected.end() || right->first < left->first)
      return "key " + printable(right->first) + " is " + printable(right->second) + ", should be absent";
    if (left->second != right->second)
      return "key " + printable(left->first) + " is " + printable(right->second) + ", should be " +
             printable(left->second);
    ++left;
    ++right;
  }
  return {};
}

const Content& content_of(const State& state, std::uint32_t keyspace) {
  static const Content kEmpty;
  const auto found = state.find(keyspace);
  return found == state.end() ? kEmpty : found->second;
}

}  // namespace

void apply(State& state, const Change& change) {
  if (change.range) {
    Content& content = state[change.keyspace];
    const auto& [start, end] = *change.range;
    content.erase(start ? content.lower_bound(*start) : content.begin(),
                  end ? content.lower_bound(*end) : content.end());
  } else if (change.merges) {
    state[change.keyspace][change.key] += *change.value;
  } else if (change.value && change.lives != Lives::kNoMore) {
    state[change.keyspace].insert_or_assign(change.key, *change.value);
  } else {
    state[change.keyspace].erase(change.key);
  }
}

std::string difference(const State& expected, const State& found) {
  for (const auto& [keyspace, content] : found) {
    std::string text = difference(content_of(expected, keyspace), content);
    if (!text.empty()) return "keyspace " + std::to_string(keyspace) + ": " + text;
  }
  return {};
}

// --- notes --------------------------------------------------------------------------------------------------------

Truth::Write Truth::begin(std::uint32_t client, std::vector<Change> changes, Sequence visible, bool asks_sync) {
  seen(visible);
  only_sync_ = only_sync_ && asks_sync;
  Note note;
  note.client = client;
  note.changes = std::move(changes);
  note.after = visible;
  writes_.push_back(std::move(note));
  return writes_.size() - 1;
}

void Truth::acknowledged(Write write, std::optional<Sequence> last, Sequence visible, bool durable) {
  Note& note = writes_[write];
  note.answer = Answer::kAcknowledged;
  seen(visible);
  note.before = visible;
  note.last = last;
  if (!last && note.before - note.after == note.count()) note.last = note.before;  // no other place is left
  note.durable = durable;
  note.acknowledgement = ++acknowledgements_;
}

void Truth::seen(Sequence sequence) {
  if (only_sync_) seen_ = std::max(seen_, sequence);
}

void Truth::refused(Write write) { writes_[write].answer = Answer::kRefused; }

void Truth::durable_up_to(std::size_t mark) {
  for (Note& note : writes_)
    if (note.answer == Answer::kAcknowledged && note.acknowledgement <= mark) note.durable = true;
}

void Truth::flushed_up_to(std::size_t mark) {
  std::set<std::uint32_t> live;
  for (const auto& [name, keyspace] : keyspaces_)
    if (keyspace.stage == Stage::kThere) live.insert(keyspace.id);
  for (Note& note : writes_)
    if (note.answer == Answer::kAcknowledged && note.acknowledgement <= mark)
      note.durable |= std::any_of(note.changes.begin(), note.changes.end(),
                                  [&](const Change& change) { return live.contains(change.keyspace); });
}

void Truth::creating(const std::string& name) { keyspaces_[name] = {}; }
void Truth::created(const std::string& name, std::uint32_t id) { keyspaces_[name] = {id, Stage::kThere}; }
void Truth::dropping(const std::string& name) { keyspaces_[name].stage = Stage::kDropping; }
void Truth::dropped(const std::string& name) { keyspaces_.erase(name); }

// --- explaining ---------------------------------------------------------------------------------------------------

State Truth::state_of(std::vector<Placed> placed) const {
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) { return a.order < b.order; });
  State state = start_;
  for (const Placed& place : placed)
    for (const Change& change : place.note->changes) apply(state, change);
  return state;
}

// Tries the ways in which writes of unknown place may be in, or out of, the first sequences.
struct Truth::Search {
  const Truth& truth;
  const Sequence end;
  const State& found;
  const Must must;

  std::vector<Placed> placed;                        // for certain
  std::vector<const Note*> open;                     // in or out
  std::vector<std::pair<Sequence, Sequence>> taken;  // sequences of `placed` that are known: first, last
  Sequence missing = 0;                              // sequences that the open ones must fill
  std::string nearest;
  std::uint64_t tries = 0;

  static bool is_required(const Note& note, Must must) {
    if (note.answer != Answer::kAcknowledged) return false;
    return must == Must::kAcknowledged || (must == Must::kDurable && note.durable);
  }

  bool is_free(Sequence first, Sequence last) const {
    return std::none_of(taken.begin(), taken.end(),
                        [&](const auto& range) { return first <= range.second && last >= range.first; });
  }

  bool matches() {
    ++tries;
    std::string text = difference(truth.state_of(placed), found);
    if (text.empty()) return true;
    if (nearest.empty()) nearest = std::move(text);
    return false;
  }

  // `skipped`: clients of whom an earlier write was left out, so that later ones are out too.
  bool choose(std::size_t index, Sequence left, std::set<std::uint32_t> skipped) {
    if (index == open.size()) return left == 0 && matches();
    const Note& note = *open[index];
    if (left >= note.count() && !skipped.contains(note.client)) {
      // A single change of an acknowledged call is the client's own: only its place among that client's writes matters.
      // Others are tried wherever there is room.
      if (note.answer == Answer::kAcknowledged) {
        placed.push_back({2 * note.after + 1, &note});
        if (choose(index + 1, left - note.count(), skipped)) return true;
        placed.pop_back();
      } else {
        for (Sequence first = note.after + 1; first + note.count() - 1 <= end; ++first) {
          if (!is_free(first, first + note.count() - 1)) continue;
          placed.push_back({2 * first, &note});
          taken.emplace_back(first, first + note.count() - 1);
          if (choose(index + 1, left - note.count(), skipped)) return true;
          taken.pop_back();
          placed.pop_back();
        }
      }
    }
    if (is_required(note, must)) return false;
    skipped.insert(note.client);
    return choose(index + 1, left, std::move(skipped));
  }
};

std::string Truth::explain(Sequence sequence, const State& state, Must must) const {
  if (sequence < start_sequence_)
    return "the sequence went back from " + std::to_string(start_sequence_) + " to " + std::to_string(sequence);
  Search search{*this, sequence, state, must, {}, {}, {}, 0, {}, 0};
  Sequence filled = start_sequence_;
  for (const Note& note : writes_) {
    if (note.answer == Answer::kRefused) continue;
    const bool required = Search::is_required(note, must);
    if (note.last) {
      if (note.first() <= sequence && *note.last > sequence)
        return "sequence " + std::to_string(sequence) + " cuts the batch " + std::to_string(note.first()) + ".." +
               std::to_string(*note.last);
      if (*note.last > sequence) {
        if (required)
          return "the write that ends at sequence " + std::to_string(*note.last) + " was " +
                 (note.durable ? "durable" : "acknowledged") + ", but the store ends at " + std::to_string(sequence);
        continue;
      }
      search.placed.push_back({2 * note.first(), &note});
      search.taken.emplace_back(note.first(), *note.last);
      filled += note.count();
    } else if (note.after >= sequence) {
      if (required)
        return "a write after sequence " + std::to_string(note.after) + " was durable, but the store ends at " +
               std::to_string(sequence);
    } else if (note.answer == Answer::kAcknowledged && note.before <= sequence) {
      search.placed.push_back({2 * note.after + 1, &note});
      filled += note.count();
    } else {
      search.open.push_back(&note);
    }
  }
  if (filled > sequence)
    return std::to_string(filled) + " changes are known to be in, but the sequence is " + std::to_string(sequence);
  search.missing = sequence - filled;
  if (search.choose(0, search.missing, {})) return {};
  if (search.tries == 0)
    return "no set of unanswered writes fills the " + std::to_string(search.missing) + " unknown sequences up to " +
           std::to_string(sequence);
  return "at sequence " + std::to_string(sequence) + " (of " + std::to_string(search.tries) +
         " explanations tried, the first): " + search.nearest;
}

std::string Truth::recovered(Sequence sequence, const State& state, const std::map<std::string, std::uint32_t>& names,
                             bool power_cut) {
  for (const auto& [name, note] : keyspaces_)
    if (note.stage == Stage::kThere && !names.contains(name)) return "keyspace '" + name + "' is lost";
  for (const auto& [name, id] : names) {
    const auto known = keyspaces_.find(name);
    if (known == keyspaces_.end()) return "keyspace '" + name + "' is there, and should not be";
    if (known->second.stage != Stage::kCreating && known->second.id != id)
      return "keyspace '" + name + "' changed its id from " + std::to_string(known->second.id) + " to " +
             std::to_string(id);
  }
  std::string why = explain(sequence, state, power_cut ? Must::kDurable : Must::kAcknowledged);
  if (!why.empty()) return why;
  if (sequence < seen_)
    return "a reader saw sequence " + std::to_string(seen_) + ", but the store ends at " + std::to_string(sequence);
  start_sequence_ = seen_ = sequence;
  only_sync_ = true;
  start_ = state;
  writes_.clear();
  keyspaces_.clear();
  for (const auto& [name, id] : names) keyspaces_[name] = {id, Stage::kThere};
  return {};
}

}  // namespace lightning::sim
