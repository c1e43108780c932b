#include "sim/client.h"

#include <algorithm>
#include <array>

#include "base/sync.h"

namespace lightning::sim {

namespace {

constexpr std::uint64_t kKeys = 40;

// Few keys, so that they are overwritten and erased all the time; short and long, with and without common beginnings.
std::string key_number(std::uint64_t i) {
  const std::string digits = std::to_string(i % 10);
  switch (i / 10) {
    case 0:
      return std::string(1, static_cast<char>('a' + i));
    case 1:
      return "key" + digits;
    case 2:
      return "key/with/a/long/common/beginning/" + std::string(i % 3 * 20, '-') + digits;
    default:
      return std::string(1 + i % 4, i % 2 == 0 ? '\xff' : '\0') + std::string(i % 5, 'q');
  }
}

std::string describe(const Keyspace& keyspace, std::string_view key) {
  return "keyspace '" + keyspace.name() + "', key '" + std::string(key) + "'";
}

std::string describe(const Change& change) {
  std::string text = std::to_string(change.keyspace) + "/";
  if (change.range) return text + change.range->start.value_or("") + ".." + change.range->end.value_or("") + " erased";
  text += change.key;
  if (!change.value) return text + " erased";
  text += (change.merges ? "+=" : "=") + change.value->substr(0, 9) + "#" + std::to_string(change.value->size());
  return text + (change.lives == Lives::kNoMore ? " expired" : "");
}

std::string describe_changes(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes) text += (text.empty() ? "" : " ") + describe(change);
  return text;
}

bool merges(const Keyspace& keyspace) { return !keyspace.options().merge_operator.empty(); }

Lifetime lifetime_of(Lives lives) {
  switch (lives) {
    case Lives::kForEver:
      return {};
    case Lives::kLong:
      return {.ttl = std::chrono::hours(1000)};
    case Lives::kNoMore:
      return {.expires_at = std::chrono::milliseconds(1)};
  }
  return {};
}

}  // namespace

void Scene::judge(const Error& error, const std::string& what) {
  ++errors;
  switch (error.code()) {
    case ErrorCode::kIo:
    case ErrorCode::kNoSpace:
    case ErrorCode::kSyncFailed:
    case ErrorCode::kReadOnlyMode:
    case ErrorCode::kStalled:
    case ErrorCode::kKeyspaceNotFound:  // of one whose creation failed, or whose removal failed after it took effect
    case ErrorCode::kKeyspaceExists:
      if (faults) return;
      break;
    case ErrorCode::kTableCorrupt:
      if (damage && what == "compact_range") return;
      break;
    default:
      break;
  }
  fail(what + ": " + error.to_string());
}

void Scene::settle_observations() {
  for (const Observation& seen : observations) {
    if (failed()) break;
    const std::string why = truth.explain(seen.sequence, seen.state);
    if (!why.empty()) fail("a snapshot shows what no order of writes explains: " + why);
  }
  observations.clear();
}

Result<Content> scan(const Database& db, const Keyspace& keyspace, IterateOptions options) {
  const Snapshot snapshot = options.snapshot == nullptr ? db.snapshot() : Snapshot();
  if (options.snapshot == nullptr) options.snapshot = &snapshot;
  Content content;
  Iterator it = db.iterate(keyspace, options);
  std::string last;
  for (it.seek_to_first(); it.valid(); it.next()) {
    if (!content.empty() && it.key() <= last)
      return Error(ErrorCode::kInconsistentState,
                   "an iterator went from '" + last + "' to '" + std::string(it.key()) + "'");
    last = it.key();
    content.emplace_hint(content.end(), last, it.value());
  }
  LIGHTNING_TRY(it.status());
  auto expected = content.rbegin();
  for (it.seek_to_last(); it.valid(); it.prev(), ++expected)
    if (expected == content.rend() || expected->first != it.key() || expected->second != it.value())
      return Error(ErrorCode::kInconsistentState, "backward, an iterator shows '" + std::string(it.key()) +
                                                      "' where forward it showed something else");
  LIGHTNING_TRY(it.status());
  if (expected != content.rend())
    return Error(ErrorCode::kInconsistentState, "backward, an iterator ends before '" + expected->first + "'");
  return content;
}

Client::Client(Database& db, Scene& scene, std::uint32_t id, std::uint64_t seed, const ProgramOptions& options)
    : db_(db),
      scene_(scene),
      id_(id),
      options_(options),
      prefix_(id == 0 ? "" : "w" + std::to_string(id) + ":"),
      dice_(seed) {
  keyspaces_.push_back(db.default_keyspace());
  for (const std::string& name : db.keyspaces()) {
    const bool mine = id == 0 || name == "common" || name.starts_with("k" + std::to_string(id) + ".");
    if (name == kDefaultKeyspaceName || !mine) continue;
    if (auto found = db.keyspace(name)) keyspaces_.push_back(*found);
  }
  for (const auto& [keyspace, content] : scene.truth.start_state()) mine_[keyspace] = own_part(content);
}

Content Client::own_part(const Content& content) const {
  Content part;
  for (const auto& [key, value] : content)
    if (key.starts_with(prefix_)) part.emplace_hint(part.end(), key, value);
  return part;
}

// --- chance -------------------------------------------------------------------------------------------------------

std::string Client::key() { return prefix_ + key_number(dice_.below(kKeys)); }

// Of keys that begin with `prefix`; where that is empty, of any. Mostly a few neighbours: what is erased all the time
// has no history.
KeyRange Client::range(const std::string& prefix) {
  KeyRange range = prefix.empty() ? KeyRange{} : KeyRange::of_prefix(prefix);
  const std::uint64_t first = dice_.below(kKeys), last = std::min(first + 1 + dice_.below(3), kKeys - 1);
  if (!dice_.one_in(8)) range.start = prefix + key_number(first);
  if (!dice_.one_in(8))
    range.end = prefix + key_number(dice_.one_in(4) ? dice_.below(kKeys) : last) + (dice_.one_in(4) ? "0" : "");
  if (range.start && range.end && *range.end < *range.start) std::swap(range.start, range.end);
  return range;
}

std::string Client::value(std::uint64_t bytes) {
  std::string text = std::to_string(id_) + "." + std::to_string(scene_.calls) + "." + std::to_string(++values_) + ":";
  if (text.size() >= bytes) return text;
  if (dice_.one_in(2)) return text + std::string(bytes - text.size(), 'x');
  while (text.size() < bytes) {
    const std::uint64_t word = dice_.next();
    text.append(reinterpret_cast<const char*>(&word), std::min<std::size_t>(8, bytes - text.size()));
  }
  return text;
}

std::string Client::value() {
  if (dice_.one_in(20)) return {};
  if (dice_.one_in(60)) return value(dice_.below(options_.large_bytes));
  if (dice_.one_in(8)) return value(dice_.below(6000));
  return value(dice_.below(150));
}

Lives Client::lives() {
  if (!dice_.one_in(5)) return Lives::kForEver;
  return dice_.one_in(2) ? Lives::kLong : Lives::kNoMore;
}

Durability Client::durability() {
  if (options_.only_sync) return dice_.one_in(2) ? Durability::kSync : Durability::kDefault;
  switch (dice_.below(6)) {
    case 0:
      return Durability::kSync;
    case 1:
      return Durability::kAsync;
    default:
      return Durability::kDefault;
  }
}

const Keyspace& Client::keyspace() { return keyspaces_[dice_.below(keyspaces_.size())]; }

Client::View Client::view(const Keyspace& keyspace) {
  if (held_.empty() || dice_.one_in(2)) return {nullptr, &mine_[keyspace.id()]};
  Held& held = held_[dice_.below(held_.size())];
  return {&held.snapshot, &held.state[keyspace.id()]};
}

// --- writes -------------------------------------------------------------------------------------------------------

bool Client::fine(const Status& status, const char* what) {
  if (!status) scene_.judge(status.error(), what);
  return status.has_value();
}

bool Client::answered(Truth::Write write, const Error* error, std::optional<Sequence> last, Durability durability,
                      const std::vector<Change>& changes) {
  if (error != nullptr) {
    scene_.judge(*error, "write");
    if (error->outcome() == WriteOutcome::kNotApplied) {
      scene_.truth.refused(write);
    } else {
      stopped_ = true;
    }
    return false;
  }
  const bool durable = asks_sync(durability);
  const Sequence now = visible();
  scene_.truth.acknowledged(write, last, now, durable);
  if (scene_.tell)
    scene_.say("  client " + std::to_string(id_) + ": " + describe_changes(changes) + ", visible " +
               std::to_string(now) + (durable ? ", durable" : ""));
  for (const Change& change : changes)
    if (own(change)) apply(mine_, change);
  return true;
}

bool Client::own(const Change& change) const {
  return change.range ? change.range->start.value_or("").starts_with(prefix_) : change.key.starts_with(prefix_);
}

bool Client::asks_sync(Durability durability) const {
  return durability == Durability::kSync ||
         (durability == Durability::kDefault && options_.sync_mode == WalSyncMode::kSync);
}

bool Client::put(const Keyspace& keyspace, const std::string& key, const std::string& value, Durability durability,
                 Lives lives) {
  const std::vector<Change> changes{{keyspace.id(), key, value, lives}};
  const Truth::Write write = scene_.truth.begin(id_, changes, visible(), asks_sync(durability));
  const Lifetime lifetime = lifetime_of(lives);
  const WriteOptions options{.durability = durability, .ttl = lifetime.ttl, .expires_at = lifetime.expires_at};
  const bool in_pieces = value.size() > 200 && value.size() % 3 == 0;
  const Status status =
      in_pieces ? put_in_pieces(keyspace, key, value, options) : db_.put(keyspace, key, value, options);
  return answered(write, status ? nullptr : &status.error(), {}, durability, changes);
}

Status Client::put_in_pieces(const Keyspace& keyspace, const std::string& key, const std::string& value,
                             const WriteOptions& options) {
  const auto unwritten = [](const Error& error) { return Error(error).with_outcome(WriteOutcome::kNotApplied); };
  auto writer = db_.put_stream(keyspace, key);
  if (!writer) return unwritten(writer.error());
  for (std::string_view left = value; !left.empty(); left.remove_prefix(std::min<std::size_t>(left.size(), 700)))
    if (const Status taken = writer->append(left.substr(0, 700)); !taken) return unwritten(taken.error());
  return writer->commit(options);
}

bool Client::merge(const Keyspace& keyspace, const std::string& key, const std::string& operand,
                   Durability durability) {
  const std::vector<Change> changes{{keyspace.id(), key, operand, Lives::kForEver, true}};
  const Truth::Write write = scene_.truth.begin(id_, changes, visible(), asks_sync(durability));
  const Status status = db_.merge(keyspace, key, operand, {.durability = durability});
  return answered(write, status ? nullptr : &status.error(), {}, durability, changes);
}

bool Client::erase(const Keyspace& keyspace, const std::string& key, Durability durability) {
  const std::vector<Change> changes{{keyspace.id(), key, std::nullopt}};
  const Truth::Write write = scene_.truth.begin(id_, changes, visible(), asks_sync(durability));
  const Status status = db_.erase(keyspace, key, {.durability = durability});
  return answered(write, status ? nullptr : &status.error(), {}, durability, changes);
}

bool Client::erase_range(const Keyspace& keyspace, const KeyRange& range, Durability durability) {
  const std::vector<Change> changes{{.keyspace = keyspace.id(), .key = {}, .value = {}, .range = range}};
  const Truth::Write write = scene_.truth.begin(id_, changes, visible(), asks_sync(durability));
  const Status status = db_.erase_range(keyspace, range, {.durability = durability});
  return answered(write, status ? nullptr : &status.error(), {}, durability, changes);
}

bool Client::write(const std::vector<std::pair<Keyspace, Change>>& batch_changes, Durability durability) {
  WriteBatch batch;
  std::vector<Change> changes;
  for (const auto& [keyspace, change] : batch_changes) {
    if (change.range) {
      batch.erase_range(keyspace, *change.range);
    } else if (change.merges) {
      batch.merge(keyspace, change.key, *change.value);
    } else if (change.value) {
      batch.put(keyspace, change.key, *change.value, lifetime_of(change.lives));
    } else {
      batch.erase(keyspace, change.key);
    }
    changes.push_back(change);
  }
  const Truth::Write write = scene_.truth.begin(id_, changes, visible(), asks_sync(durability));
  const Result<Sequence> last = db_.write(batch, {.durability = durability});
  return answered(write, last ? nullptr : &last.error(), last ? std::optional(*last) : std::nullopt, durability,
                  changes);
}

void Client::random_batch() {
  std::vector<std::pair<Keyspace, Change>> changes;
  const bool large = dice_.one_in(25);  // larger than a log segment, now and then
  const std::uint64_t count = 1 + dice_.below(large ? 40 : 8);
  for (std::uint64_t i = 0; i < count; ++i) {
    const bool shared = id_ != 0 && dice_.one_in(2);
    const Keyspace& where = shared ? keyspaces_[dice_.below(std::min<std::size_t>(2, keyspaces_.size()))] : keyspace();
    Change change{where.id(), shared ? "s:" + key_number(dice_.below(kKeys)) : key(), std::nullopt};
    change.merges = merges(where) && dice_.one_in(3);
    if (dice_.one_in(30)) {
      change.merges = false;
      change.range = range(shared ? "s:" : prefix_);
    } else if (change.merges) {
      change.value = value(12);
    } else if (!dice_.one_in(4)) {
      change.value = large ? value(dice_.below(options_.large_bytes / 20)) : value();
      change.lives = lives();
    }
    changes.emplace_back(where, std::move(change));
  }
  write(changes, durability());
}

bool Client::sync() {
  const std::size_t mark = scene_.truth.mark();
  if (!fine(db_.sync(), "sync")) return false;
  scene_.truth.durable_up_to(mark);
  return true;
}

bool Client::flush() {
  const std::size_t mark = scene_.truth.mark();
  scene_.say("  flush..");
  if (!fine(db_.flush(), "flush")) return false;
  scene_.say("  flushed");
  scene_.truth.flushed_up_to(mark);
  return true;
}

// --- reads --------------------------------------------------------------------------------------------------------

void Client::check_get() {
  const Keyspace where = keyspace();
  const std::string wanted = key();
  const View now = view(where);
  const ReadOptions options{.snapshot = now.snapshot, .fill_cache = !dice_.one_in(4)};
  const auto expected = now.content->find(wanted);
  std::optional<std::string> found;
  Status status;
  switch (dice_.below(3)) {
    case 0: {
      auto result = db_.get(where, wanted, options);
      if (result) {
        found = std::move(*result);
      } else {
        status = result.error();
      }
      break;
    }
    case 1: {
      std::string buffer = "left from before";
      auto result = db_.get(where, wanted, buffer, options);
      if (!result) {
        status = result.error();
      } else if (*result) {
        found = std::move(buffer);
      }
      break;
    }
    default: {
      PinnedValue pinned;
      status = db_.get(where, wanted, pinned, options);
      if (status && pinned.found()) found = std::string(pinned.value());
    }
  }
  if (!fine(status, "get")) return;
  const bool there = expected != now.content->end();
  if (found.has_value() != there || (there && *found != expected->second))
    scene_.fail("get of " + describe(where, wanted) + (now.snapshot != nullptr ? ", at a snapshot," : "") + ": " +
                (found ? "'" + found->substr(0, 40) + "'" : "nothing") + ", should be " +
                (there ? "'" + expected->second.substr(0, 40) + "'" : "nothing"));
}

void Client::check_multi_get() {
  const Keyspace where = keyspace();
  const View now = view(where);
  std::vector<std::string> keys;
  for (std::uint64_t i = 0, count = dice_.below(12); i < count; ++i) keys.push_back(key());
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  std::vector<PinnedValue> values(keys.size());
  if (!fine(db_.multi_get(where, views, values, {.snapshot = now.snapshot}), "multi_get")) return;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto expected = now.content->find(keys[i]);
    const bool there = expected != now.content->end();
    if (values[i].found() != there || (there && values[i].value() != expected->second))
      scene_.fail("multi_get of " + describe(where, keys[i]) + ": wrong answer");
  }
}

void Client::check_iterate() {
  const Keyspace where = keyspace();
  const View now = view(where);
  IterateOptions options{.snapshot = now.snapshot, .lower_bound = {}, .upper_bound = {}, .prefix = prefix_};
  if (dice_.one_in(3)) options.lower_bound = key();
  if (dice_.one_in(3)) options.upper_bound = key();
  if (dice_.one_in(3)) options.prefix = prefix_ + std::string("key/with").substr(0, dice_.below(9));
  std::vector<std::pair<std::string, std::string>> expected;
  for (const auto& [key, value] : *now.content)
    if (key.starts_with(options.prefix) && (!options.lower_bound || key >= *options.lower_bound) &&
        (!options.upper_bound || key < *options.upper_bound))
      expected.emplace_back(key, value);

  Iterator it = db_.iterate(where, options);
  if (dice_.one_in(3)) return walk(it, expected);
  std::size_t at = 0;
  for (it.seek_to_first(); it.valid() && !scene_.failed(); it.next(), ++at)
    if (at >= expected.size() || it.key() != expected[at].first || it.value() != expected[at].second)
      return scene_.fail("iterating over " + describe(where, it.key()) + ": unexpected");
  if (!fine(it.status(), "iterate")) return;
  if (at != expected.size()) return scene_.fail("iterating ends before " + describe(where, expected[at].first));
  for (it.seek_to_last(); it.valid() && !scene_.failed(); it.prev(), --at)
    if (at == 0 || it.key() != expected[at - 1].first || it.value() != expected[at - 1].second)
      return scene_.fail("iterating backward over " + describe(where, it.key()) + ": unexpected");
  if (!fine(it.status(), "iterate")) return;
  if (at != 0) scene_.fail("iterating backward ends after " + describe(where, expected[at - 1].first));
}

// Seeks and steps in both directions.
void Client::walk(Iterator& it, const std::vector<std::pair<std::string, std::string>>& expected) {
  const auto end = static_cast<std::ptrdiff_t>(expected.size());
  std::ptrdiff_t at = end;  // invalid: end, or -1
  std::string story;
  const auto first_from = [&](const std::string& target) {
    return std::lower_bound(expected.begin(), expected.end(), target,
                            [](const auto& entry, const std::string& key) { return entry.first < key; }) -
           expected.begin();
  };
  for (int move = 0; move < 25; ++move) {
    const bool valid = at >= 0 && at < end;
    const std::uint64_t what = dice_.below(valid ? 10 : 4);
    const std::string target = key() + (dice_.one_in(4) ? "0" : "");
    if (what == 0) {
      it.seek_to_first(), at = 0, story += " first";
    } else if (what == 1) {
      it.seek_to_last(), at = end - 1, story += " last";
    } else if (what == 2) {
      it.seek(target), at = first_from(target), story += " seek(" + target + ")";
    } else if (what == 3) {
      it.seek_for_prev(target), story += " seek_for_prev(" + target + ")";
      at = first_from(target);
      if (at == end || expected[static_cast<std::size_t>(at)].first != target) --at;
    } else if (what < 7) {
      it.next(), ++at, story += " next";
    } else {
      it.prev(), --at, story += " prev";
    }
    if (!fine(it.status(), "iterate")) return;
    const bool should = at >= 0 && at < end;
    if (it.valid() != should)
      return scene_.fail("an iterator is " + std::string(should ? "not " : "") + "valid after" + story);
    if (should && (it.key() != expected[static_cast<std::size_t>(at)].first ||
                   it.value() != expected[static_cast<std::size_t>(at)].second))
      return scene_.fail("an iterator stands at '" + std::string(it.key()) + "', should be at '" +
                         expected[static_cast<std::size_t>(at)].first + "', after" + story);
  }
}

void Client::observe() {
  Observation seen;
  const Snapshot snapshot = db_.snapshot();
  seen.sequence = snapshot.sequence();
  scene_.truth.seen(seen.sequence);
  for (std::size_t i = 0; i < std::min<std::size_t>(2, keyspaces_.size()); ++i) {
    auto content =
        scan(db_, keyspaces_[i], {.snapshot = &snapshot, .lower_bound = {}, .upper_bound = {}, .prefix = {}});
    if (!content) return (void)fine(content.error(), "scan");
    seen.state[keyspaces_[i].id()] = std::move(*content);
  }
  if (scene_.observations.size() < 12) scene_.observations.push_back(std::move(seen));
}

void Client::compare_all() {
  for (const Keyspace& where : keyspaces_) {
    auto content = scan(db_, where, {.snapshot = nullptr, .lower_bound = {}, .upper_bound = {}, .prefix = prefix_});
    if (!content) return (void)fine(content.error(), "scan");
    const std::string text = difference({{where.id(), mine_[where.id()]}}, {{where.id(), *content}});
    if (!text.empty()) scene_.fail("a scan shows: " + text);
  }
}

// --- the rest of the API --------------------------------------------------------------------------------------------

void Client::hold_or_release() {
  if (held_.size() < 3 && !dice_.one_in(3)) {
    held_.push_back({db_.snapshot(), mine_});
  } else if (!held_.empty()) {
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(dice_.below(held_.size())));
  }
}

bool Client::make_keyspace(const std::string& name) {
  scene_.truth.creating(name);
  auto made = db_.create_keyspace(name, kMerging);
  if (!made) return fine(made.error(), "create_keyspace");
  scene_.truth.created(name, made->id());
  keyspaces_.push_back(*made);
  return true;
}

bool Client::drop_keyspace(const std::string& name) {
  const auto found =
      std::find_if(keyspaces_.begin(), keyspaces_.end(), [&](const Keyspace& k) { return k.name() == name; });
  if (found == keyspaces_.end()) return false;
  const Keyspace victim = *found;  // NOLINT(performance-unnecessary-copy-initialization): outlives its place
  scene_.truth.dropping(name);
  if (!fine(db_.drop_keyspace(name), "drop_keyspace")) return false;
  scene_.truth.dropped(name);
  keyspaces_.erase(found);
  mine_.erase(victim.id());
  for (Held& held : held_) held.state.erase(victim.id());
  if (auto gone = db_.get(victim, "a"); gone || gone.error().code() != ErrorCode::kKeyspaceNotFound)
    scene_.fail("a dropped keyspace answers");
  return true;
}

void Client::make_or_drop_keyspace() {
  if (!options_.keyspaces) return;
  if (keyspaces_.size() > 3 || (keyspaces_.size() > 2 && dice_.one_in(2))) {
    if (keyspaces_.back().name() != "common") drop_keyspace(keyspaces_.back().name());
    return;
  }
  const std::string name = "k" + std::to_string(id_) + "." + std::to_string(names_++);
  if (std::any_of(keyspaces_.begin(), keyspaces_.end(), [&](const Keyspace& known) { return known.name() == name; }))
    return;
  make_keyspace(name);
}

void Client::check_sizes() {
  const auto all = db_.approximate_size(keyspace(), {});
  if (!all) return (void)fine(all.error(), "approximate_size");
  const auto none = db_.approximate_size(keyspace(), {.start = "n", .end = "n"});
  if (!none) return (void)fine(none.error(), "approximate_size");
  if (*none > *all + (64 << 10)) scene_.fail("an empty range has " + std::to_string(*none) + " bytes");
  const Statistics stats = db_.stats();
  if (stats.last_sequence < scene_.truth.start()) scene_.fail("stats: the last sequence went back");
  if (stats.live_snapshots < held_.size()) scene_.fail("stats: live snapshots are not counted");
  if (stats.loss_window.last_durable > stats.loss_window.last_acknowledged && stats.loss_window.bytes > 0)
    scene_.fail("stats: more is durable than acknowledged, and something is not");
}

// What is refused changes nothing and takes no sequence.
void Client::check_refusals() {
  const auto expect = [&](const Status& status, ErrorCode code, const char* what) {
    if (status || (status.error().code() != code && !scene_.faults))
      scene_.fail(std::string(what) + ": " + (status ? "accepted" : status.error().to_string()));
    if (!status && status.error().outcome() != WriteOutcome::kNotApplied)
      scene_.fail(std::string(what) + ": was refused, but not kNotApplied");
  };
  const Keyspace where = keyspace();
  expect(db_.put(where, "", "x"), ErrorCode::kKeyEmpty, "put with an empty key");
  expect(db_.erase(where, ""), ErrorCode::kKeyEmpty, "erase of an empty key");
  expect(db_.put(where, std::string(kKeyBytesMax + 1, 'k'), "x"), ErrorCode::kKeyTooLarge, "put with a long key");
  expect(db_.merge(db_.default_keyspace(), key(), "x"), ErrorCode::kInvalidArgument, "merge without an operator");
  expect(db_.put(where, key(), "must not appear", {.ttl = std::chrono::milliseconds(-1)}), ErrorCode::kInvalidArgument,
         "put with a negative ttl");
  expect(db_.erase_range(where, {.start = "b", .end = "a"}), ErrorCode::kInvertedRange, "erase of an inverted range");
  WriteBatch batch;
  batch.put(where, key(), "must not appear").put(where, "", "x");
  const auto written = db_.write(batch);
  expect(written ? Status() : Status(written.error()), ErrorCode::kKeyEmpty, "a batch with an empty key");
  const auto size = db_.approximate_size(where, {.start = "b", .end = "a"});
  if (size || size.error().code() != ErrorCode::kInvertedRange) scene_.fail("an inverted range is measured");
}

void Client::check_store() {
  const auto report = db_.check({.full = dice_.one_in(2), .progress = {}});
  if (!report) return (void)fine(report.error(), "check");
  if (!report->findings.empty() && !scene_.faults)
    scene_.fail("check found: " + report->findings.front().error.to_string());
}

void Client::run(std::uint64_t steps) {
  for (std::uint64_t i = 0; i < steps && !scene_.failed() && !stopped_; ++i) step();
  held_.clear();
}

void Client::step() {
  ++scene_.calls;
  const std::uint64_t what = dice_.below(100);
  if (what < 26) {
    const Keyspace& where = keyspace();
    if (merges(where) && dice_.one_in(2)) {
      const std::string one = key();
      merge(where, one, value(12), durability());
      if (dice_.one_in(3)) {  // another one, perhaps with somebody in between who sees the first alone
        hold_or_release();
        merge(where, one, value(12), durability());
      }
    } else {
      put(where, key(), value(), durability(), lives());
    }
  } else if (what < 33) {
    erase(keyspace(), key(), durability());
  } else if (what < 35) {
    erase_range(keyspace(), range(prefix_), durability());
  } else if (what < 50) {
    random_batch();
  } else if (what < 62) {
    check_get();
  } else if (what < 67) {
    check_multi_get();
  } else if (what < 75) {
    check_iterate();
  } else if (what < 80) {
    hold_or_release();
  } else if (what < 84) {
    flush();
  } else if (what < 86) {
    fine(db_.compact_range(keyspace(), dice_.one_in(2) ? KeyRange{} : KeyRange{.start = "b", .end = "key5"},
                           {.bottom = static_cast<BottomLevel>(dice_.below(3))}),
         "compact_range");
  } else if (what < 88) {
    make_or_drop_keyspace();
  } else if (what < 90) {
    sync();
  } else if (what < 92) {
    check_sizes();
  } else if (what < 94) {
    observe();
  } else if (what < 95) {
    check_store();
  } else if (what < 96) {
    check_refusals();
  } else if (what < 97) {
    fine(db_.wait_for_background_work(), "wait_for_background_work");
  } else if (base::in_simulation()) {
    base::sleep_for(std::chrono::milliseconds(dice_.below(3) == 0 ? 150 : 1));
  }
}

}  // namespace lightning::sim
