#include "index/verify.h"

#include "engine/database_iterator.h"
#include "index/index_keeper.h"
#include "index/value_order.h"
#include "txn/key_text.h"

namespace lightning::index {

namespace {

constexpr std::size_t kFindingsMax = 100;
constexpr std::uint64_t kRecordsPerCall = 1024;

class Verifier {
 public:
  Verifier(engine::Engine& engine, const CheckOptions& options, CheckReport& report)
      : engine_(engine), options_(options), report_(report) {}

  Result<bool> run() {
    for (const std::string& name : engine_.keyspaces()) {
      const auto keyspace = engine_.keyspace(name);
      if (!keyspace) continue;  // dropped meanwhile
      const auto tree = engine_.tree_of(*keyspace);
      if (!tree || !(*tree)->kept()) continue;
      LIGHTNING_TRY(verify(*keyspace, **tree));
      if (stopped_) return false;
    }
    return true;
  }

 private:
  Status verify(const Keyspace& keyspace, const engine::Tree& tree) {
    LIGHTNING_ASSIGN(const engine::CountedMoment moment, engine_.counted_moment(keyspace));
    if (tree.counted() && moment.records) LIGHTNING_TRY(verify_count(keyspace, moment.at, *moment.records));
    const std::shared_ptr<const engine::Keeper> keeper = tree.keeper();
    if (!keeper) return {};
    for (const IndexPtr& index : static_cast<const IndexKeeper&>(*keeper).indexes()) {
      const Definition& definition = index->definition;
      if (definition.state == Definition::State::kReady && definition.ready <= moment.at.sequence())
        LIGHTNING_TRY(verify_index(keyspace, *index, moment.at));
    }
    return {};
  }

  Status verify_count(const Keyspace& keyspace, const Snapshot& at, std::uint64_t counted) {
    LIGHTNING_ASSIGN(const auto records, engine_.iterate(keyspace, {.snapshot = &at, .fill_cache = false}));
    std::uint64_t there = 0;
    for (records->seek_to_first(); records->valid() && goes_on(); records->next()) ++there;
    LIGHTNING_TRY(records->status());
    if (!stopped_ && there != counted)
      find("keyspace '" + keyspace.name() + "' counts " + std::to_string(counted) + " records and holds " +
           std::to_string(there));
    return {};
  }

  // Every record's entry is there; and there are as many entries as records that should have one, or the strays are
  // looked for. Time goes on meanwhile: what has expired by the time it is looked for is no finding.
  Status verify_index(const Keyspace& keyspace, const Index& index, const Snapshot& at) {
    const std::string of = "index '" + index.definition.name + "' of keyspace '" + keyspace.name() + "' ";
    const std::size_t findings_before = report_.findings.size();
    const auto enough = [&] { return report_.findings.size() >= findings_before + kFindingsMax; };
    const bool unique = index.definition.unique;
    std::uint64_t wanted = 0, there = 0;
    LIGHTNING_ASSIGN(const auto entries, engine_.iterate(index.entries, {.snapshot = &at, .fill_cache = false}));
    LIGHTNING_ASSIGN(const auto records, engine_.iterate(keyspace, {.snapshot = &at, .fill_cache = false}));
    for (records->seek_to_first(); records->valid() && goes_on() && !enough(); records->next()) {
      const auto entry = index.entry_of(records->key(), records->value());
      if (!entry && entry.error().code() != ErrorCode::kExtractFailed) {
        report_.not_compared.push_back(of + "cannot be compared with its records: " + entry.error().message());
        return {};
      }
      if (entry && !*entry) continue;
      ++wanted;
      if (!entry) {
        find(of + "cannot have taken record " + txn::key_text(records->key()));
        continue;
      }
      entries->seek(**entry);
      LIGHTNING_TRY(entries->status());
      const bool found = entries->valid() && entries->key() == **entry &&
                         entries->value() == entry_value(records->key(), unique) &&
                         entries->expires_ms() == records->expires_ms();
      if (!found && !has_expired(records->expires_ms()))
        find(of + "has no entry for record " + txn::key_text(records->key()));
    }
    LIGHTNING_TRY(records->status());
    if (stopped_ || enough()) return {};
    for (entries->seek_to_first(); entries->valid() && goes_on(); entries->next()) ++there;
    LIGHTNING_TRY(entries->status());
    if (stopped_ || (there == wanted && report_.findings.size() == findings_before)) return {};
    for (entries->seek_to_first(); entries->valid() && goes_on() && !enough(); entries->next())
      LIGHTNING_TRY(verify_entry(keyspace, index, at, entries.get(), of));
    return entries->status();
  }

  // That the entry follows from a record.
  Status verify_entry(const Keyspace& keyspace, const Index& index, const Snapshot& at, const engine::Cursor* stored,
                      const std::string& of) {
    const std::optional<Entry> entry = parse_entry(stored->key(), stored->value(), index.definition.unique);
    if (!entry) {
      find(of + "holds an entry that is none: " + txn::key_text(stored->key()));
      return {};
    }
    std::string value;
    LIGHTNING_ASSIGN(const bool found, engine_.get(keyspace, entry->record, value, {.snapshot = &at}));
    std::optional<std::string> wants;
    if (auto made = found ? index.entry_of(entry->record, value) : std::optional<std::string>(); made)
      wants = std::move(*made);
    if (wants != stored->key() && !has_expired(stored->expires_ms()))
      find(of + "holds the entry " + value_text(entry->value) + " for record " + txn::key_text(entry->record) +
           ", which has no such value");
    return {};
  }

  bool has_expired(std::uint64_t expires_ms) const { return expires_ms != 0 && expires_ms <= engine_.now_ms(); }

  void find(std::string what) {
    report_.findings.push_back({Error(ErrorCode::kInconsistentState, std::move(what))
                                    .with_advice("keep the directory and report it; rebuild the index to repair it")});
  }

  bool goes_on() {
    if (++looked_ % kRecordsPerCall != 0) return true;
    stopped_ = stopped_ || !engine_.tree_of(engine_.default_keyspace()) ||
               (options_.progress && !options_.progress(report_.bytes, report_.bytes));
    return !stopped_;
  }

  engine::Engine& engine_;
  const CheckOptions& options_;
  CheckReport& report_;
  std::uint64_t looked_ = 0;
  bool stopped_ = false;
};

}  // namespace

Result<bool> verify(engine::Engine& engine, const CheckOptions& options, CheckReport& report) {
  return Verifier(engine, options, report).run();
}

}  // namespace lightning::index
