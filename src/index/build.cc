#include "index/build.h"

#include <unordered_map>
#include <vector>

#include "engine/database_iterator.h"
#include "format/batch.h"
#include "txn/changes.h"
#include "txn/commit_latches.h"
#include "txn/key_text.h"

namespace lightning::index {

namespace {

constexpr std::size_t kPieceRecords = 256;
constexpr std::size_t kPieceBytes = 1 << 20;

// A record of the piece, with its entry.
struct Planned {
  std::string record, entry;
  std::uint64_t hash = 0;        // of the record
  std::uint64_t expires_ms = 0;  // 0: never
};

// The commit of one piece: leaves out what was written to since it was read.
class PieceAdmission final : public engine::Admission {
 public:
  PieceAdmission(engine::Engine& engine, txn::Coordinator& coordinator, const engine::Tree& owner, const Index& index,
                 Sequence read_at, const std::vector<Planned>& planned)
      : engine_(engine),
        owner_(owner),
        index_(index),
        read_at_(read_at),
        planned_(planned),
        latches_(coordinator.latches()) {}

  // What enter() looks at is brought into memory.
  Status prepare() override {
    const bool in_memory = txn::all_newer_in_one_memtable(owner_, read_at_);
    for (const Planned& one : planned_) {
      if (!in_memory) LIGHTNING_TRY(txn::newer_write(owner_, one.record, one.hash, read_at_));
      if (index_.definition.unique)
        LIGHTNING_TRY(txn::newest_version(*index_.tree, one.entry, txn::key_hash(one.entry)));
    }
    return {};
  }

  Result<Answer> enter() override {
    for (const Planned& one : planned_) {
      latches_.need(txn::in_keyspace(one.hash, owner_.id));
      if (index_.definition.unique) latches_.need(txn::in_keyspace(txn::key_hash(one.entry), index_.tree->id));
    }
    latches_.take();
    const Status chosen = choose();
    if (chosen && operations_ > 0) return Answer::kGo;
    latches_.release();
    if (!chosen) return chosen.error();
    nothing_left_ = true;
    return Error(ErrorCode::kCancelled, "all records of the piece were written to meanwhile");
  }

  void leave(Sequence, Sequence) override { latches_.release(); }
  std::optional<Amended> amended() const override { return Amended{batch_, operations_}; }
  Status wait() override { return {}; }
  bool nothing_left() const { return nothing_left_; }

 private:
  Status choose() {
    std::unordered_map<std::string_view, std::string_view> taken;  // in this piece: entry, record
    std::string held;
    for (const Planned& one : planned_) {
      LIGHTNING_ASSIGN(const Sequence newer, txn::newer_write(owner_, one.record, one.hash, read_at_));
      if (newer != 0) continue;
      if (index_.definition.unique) {
        const std::uint64_t hash = txn::key_hash(one.entry);
        LIGHTNING_ASSIGN(const auto newest, txn::newest_version(*index_.tree, one.entry, hash, &held));
        if (const auto holder = txn::value_of(newest, held, engine_.now_ms()); holder && *holder != one.record)
          return not_unique(index_, one.entry, *holder, one.record);
        const auto [there, first] = taken.emplace(one.entry, one.record);
        if (!first) return not_unique(index_, one.entry, there->second, one.record);
      }
      txn::append_put(batch_, index_.tree->id, one.entry, entry_value(one.record, index_.definition.unique),
                      one.expires_ms);
      ++operations_;
    }
    return {};
  }

  engine::Engine& engine_;
  const engine::Tree& owner_;
  const Index& index_;
  const Sequence read_at_;
  const std::vector<Planned>& planned_;
  txn::CommitLatches::Held latches_;
  std::string batch_;
  std::uint32_t operations_ = 0;
  bool nothing_left_ = false;
};

// One piece, from `next` on. False: it was the last.
class Piece {
 public:
  Piece(engine::Engine& engine, txn::Coordinator& coordinator, const Keyspace& owner, const Index& index)
      : engine_(engine), coordinator_(coordinator), owner_(owner), index_(index) {
    live_.owner = "building index " + index.definition.name;
    live_.transaction = coordinator.next_id();  // what it sees must not be let go of while it is compared
    live_.since_ns = engine.env().clock.monotonic_ns();
    engine_.take_snapshot(live_);
  }
  ~Piece() { engine_.release_snapshot(live_); }
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;

  Result<bool> run(std::string& next, BuildControl& control) {
    LIGHTNING_ASSIGN(const bool more, read(next, control));
    if (planned_.empty()) return more;
    LIGHTNING_ASSIGN(const engine::Tree* tree, engine_.tree_of(owner_));
    std::string batch;
    for (const Planned& one : planned_)
      format::append_operation(batch, {format::EntryType::kPut, index_.tree->id, one.entry, {}});
    PieceAdmission admission(engine_, coordinator_, *tree, index_, live_.sequence, planned_);
    const auto written =
        engine_.write(batch, static_cast<std::uint32_t>(planned_.size()), Durability::kAsync, &admission);
    if (!written && !admission.nothing_left()) return written.error();
    return more;
  }

 private:
  Result<bool> read(std::string& next, BuildControl& control) {
    const Snapshot at = engine::Engine::unpinned(live_.sequence);
    IterateOptions options{.snapshot = &at, .fill_cache = false};
    LIGHTNING_ASSIGN(const auto records, engine_.iterate(owner_, options));
    std::size_t bytes = 0, count = 0;
    for (records->seek(next); records->valid(); records->next()) {
      if (count == kPieceRecords || bytes >= kPieceBytes) {
        next.assign(records->key());
        return true;
      }
      ++count;
      control.records.fetch_add(1, std::memory_order_relaxed);
      bytes += records->key().size() + records->value().size();
      if (records->base_expires_ms() != 0)
        return Error(
                   ErrorCode::kNotSupported,
                   "record " + txn::key_text(records->key()) +
                       " was merged into one that has a lifetime: what is left when that expires would be in no index")
            .with_advice("put such records anew, then create the index");
      LIGHTNING_ASSIGN(auto entry, index_.entry_of(records->key(), records->value()));
      if (entry)
        planned_.push_back(
            {std::string(records->key()), std::move(*entry), txn::key_hash(records->key()), records->expires_ms()});
    }
    LIGHTNING_TRY(records->status());
    return false;
  }

  engine::Engine& engine_;
  txn::Coordinator& coordinator_;
  const Keyspace& owner_;
  const Index& index_;
  engine::LiveSnapshot live_;
  std::vector<Planned> planned_;
};

}  // namespace

Status build(engine::Engine& engine, txn::Coordinator& coordinator, const Keyspace& owner, const Index& index,
             BuildControl& control, const std::function<bool(const IndexProgress&)>& progress) {
  LIGHTNING_ASSIGN(const RecordCount about, engine.count(owner));
  control.records_total.store(about.records, std::memory_order_relaxed);
  // What was written before the keeper was in place may still be on its way: a moment that does not show it would take
  // it for something newer, of which its writer has seen to the entry.
  LIGHTNING_TRY(engine.wait_for_writes());
  std::string next;
  for (bool more = true; more;) {
    if (control.cancelled.load(std::memory_order_relaxed))
      return Error(ErrorCode::kCancelled, "building index '" + index.definition.name + "' was cancelled");
    LIGHTNING_ASSIGN(more, Piece(engine, coordinator, owner, index).run(next, control));
    if (progress && !progress({control.records.load(std::memory_order_relaxed), about.records})) {
      control.unwanted.store(true, std::memory_order_relaxed);
      control.cancelled.store(true, std::memory_order_relaxed);
      more = true;
    }
  }
  return {};
}

}  // namespace lightning::index
