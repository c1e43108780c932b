// The public facade: handles over engine::Engine.
#include "lightning/database.h"

#include "api/database_access.h"
#include "archive/archiver.h"
#include "engine/database_iterator.h"
#include "engine/engine.h"
#include "format/batch.h"
#include "index/catalog.h"
#include "index/verify.h"
#include "txn/coordinator.h"

namespace lightning {

KeyRange KeyRange::of_prefix(std::string_view prefix) {
  KeyRange range{.start = std::string(prefix)};
  while (!prefix.empty() && prefix.back() == '\xff') prefix.remove_suffix(1);
  if (prefix.empty()) return range;
  range.end = std::string(prefix);
  range.end->back() = static_cast<char>(static_cast<unsigned char>(range.end->back()) + 1);
  return range;
}

// --- Iterator -------------------------------------------------------------------------------------------------------

Iterator::Iterator() = default;
Iterator::Iterator(std::unique_ptr<engine::Cursor> impl) : impl_(std::move(impl)) {}
Iterator::Iterator(Iterator&&) noexcept = default;
Iterator& Iterator::operator=(Iterator&&) noexcept = default;
Iterator::~Iterator() = default;
bool Iterator::valid() const { return impl_ && impl_->valid(); }
void Iterator::seek_to_first() {
  if (impl_) impl_->seek_to_first();
}
void Iterator::seek_to_last() {
  if (impl_) impl_->seek_to_last();
}
void Iterator::seek(std::string_view target) {
  if (impl_) impl_->seek(target);
}
void Iterator::seek_for_prev(std::string_view target) {
  if (impl_) impl_->seek_for_prev(target);
}
void Iterator::next() { impl_->next(); }
void Iterator::prev() { impl_->prev(); }
std::string_view Iterator::key() const { return impl_->key(); }
std::string_view Iterator::value() const { return impl_->value(); }
std::optional<std::chrono::milliseconds> Iterator::expires_at() const {
  const std::uint64_t ms = impl_->expires_ms();
  if (ms == 0) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(ms));
}
Status Iterator::status() const {
  if (!impl_) return {};
  return impl_->status();
}
std::uint64_t Iterator::tombstones_passed() const { return impl_ ? impl_->tombstones_passed() : 0; }

// --- Database -------------------------------------------------------------------------------------------------------

Database::Database(std::shared_ptr<engine::Engine> engine) : engine_(std::move(engine)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&& other) noexcept {
  std::swap(engine_, other.engine_);
  return *this;
}
Database::~Database() {
  if (engine_ && !engine_->close()) return;  // close() is for those who want to know
}

Result<Database> DatabaseAccess::open(env::Env& env, const std::string& path, const LightningDbConfig& config,
                                      bool read_only, const OpenOptions& options) {
  LIGHTNING_TRY(config.validate());
  return open_as_given(env, path, config, read_only, {}, options);
}

Result<Database> DatabaseAccess::open_as_given(env::Env& env, const std::string& path, const LightningDbConfig& config,
                                               bool read_only, const engine::Tuning& tuning,
                                               const OpenOptions& options) {
  using Access = engine::Engine::Access;
  LIGHTNING_ASSIGN(
      auto engine,
      engine::Engine::open(env, path, config, read_only ? Access::kReadOnly : Access::kReadWrite, tuning, options));
  if (engine->keeps()) txn::Coordinator::for_kept(*engine);
  LIGHTNING_TRY(index::Catalog::open(*engine, options.extractors));
  if (!read_only && engine->archives()) LIGHTNING_TRY(archive::Archiver::start(*engine));
  return Database(std::move(engine));
}

env::Env& DatabaseAccess::env(const Database& database) { return database.engine_->env(); }

Result<Database> Database::open(const std::string& path, const LightningDbConfig& config, const OpenOptions& options) {
  return DatabaseAccess::open(env::Env::real(), path, config, false, options);
}
Result<Database> Database::open_read_only(const std::string& path, const LightningDbConfig& config,
                                          const OpenOptions& options) {
  return DatabaseAccess::open(env::Env::real(), path, config, true, options);
}
Status Database::close() { return engine_->close(); }

Keyspace Database::default_keyspace() const { return engine_->default_keyspace(); }
Result<Keyspace> Database::create_keyspace(std::string_view name, const KeyspaceOptions& options) {
  if (options.counted) txn::Coordinator::for_kept(*engine_);
  return engine_->create_keyspace(name, options);
}
Result<Keyspace> Database::keyspace(std::string_view name) const { return engine_->keyspace(name); }
Result<Keyspace> Database::get_or_create_keyspace(std::string_view name) {
  auto found = engine_->keyspace(name);
  if (found || found.error().code() != ErrorCode::kKeyspaceNotFound) return found;
  auto made = engine_->create_keyspace(name);
  if (!made && made.error().code() == ErrorCode::kKeyspaceExists)
    return engine_->keyspace(name);  // another thread was first
  return made;
}
Result<Keyspace> Database::get_or_create_keyspace(std::string_view name, const KeyspaceOptions& options) {
  auto made = create_keyspace(name, options);
  if (made || made.error().code() != ErrorCode::kKeyspaceExists) return made;
  LIGHTNING_ASSIGN(Keyspace found, engine_->keyspace(name));
  if (found.options() != options)
    return Error(ErrorCode::kConfigInvalid, "the keyspace '" + found.name() + "' exists with other options");
  return found;
}
Status Database::drop_keyspace(std::string_view name) { return engine_->drop_keyspace(name); }
std::vector<std::string> Database::keyspaces() const { return engine_->keyspaces(); }

namespace {

Status without_lifetime(const WriteOptions& options) {
  if (options.has_lifetime()) return Error(ErrorCode::kInvalidArgument, "only a put gives a record its lifetime");
  return {};
}

}  // namespace

Status Database::put(std::string_view key, std::string_view value, const WriteOptions& options) {
  return engine_->put(engine_->default_keyspace(), key, value, options);
}
Status Database::put(const Keyspace& keyspace, std::string_view key, std::string_view value,
                     const WriteOptions& options) {
  return engine_->put(keyspace, key, value, options);
}
Status Database::erase(std::string_view key, const WriteOptions& options) {
  return erase(engine_->default_keyspace(), key, options);
}
Status Database::erase(const Keyspace& keyspace, std::string_view key, const WriteOptions& options) {
  LIGHTNING_TRY(without_lifetime(options));
  return engine_->erase(keyspace, key, options.durability);
}
Status Database::merge(std::string_view key, std::string_view operand, const WriteOptions& options) {
  return merge(engine_->default_keyspace(), key, operand, options);
}
Status Database::merge(const Keyspace& keyspace, std::string_view key, std::string_view operand,
                       const WriteOptions& options) {
  LIGHTNING_TRY(without_lifetime(options));
  return engine_->merge(keyspace, key, operand, options.durability);
}
Status Database::erase_range(const KeyRange& range, const WriteOptions& options) {
  return erase_range(engine_->default_keyspace(), range, options);
}
Status Database::erase_range(const Keyspace& keyspace, const KeyRange& range, const WriteOptions& options) {
  LIGHTNING_TRY(without_lifetime(options));
  LIGHTNING_ASSIGN(const engine::Tree* tree, engine_->tree_of(keyspace));
  if (!tree->kept()) {
    Status erased = engine_->erase_range(keyspace, range, options.durability);
    if (erased || erased.error().code() != ErrorCode::kNotSupported) return erased;  // it has become so just now
  }
  return run_transaction([&](Transaction& transaction) { return transaction.erase_range(keyspace, range); },
                         {.isolation = Isolation::kSerializable, .durability = options.durability});
}
Result<Sequence> Database::write(const WriteBatch& batch, const WriteOptions& options) {
  const std::string_view encoded = WriteBatchAccess::encoded(batch);
  const auto operations = static_cast<std::uint32_t>(batch.len());
  if (WriteBatchAccess::simple(batch) && !options.has_lifetime() && !engine_->has_default_ttls()) [[likely]]
    return engine_->write(encoded, operations, options.durability);
  LIGHTNING_ASSIGN(const std::string settled, engine_->settle(encoded, options.lifetime()));
  return engine_->write(settled, operations, options.durability);
}
Status Database::sync() { return engine_->sync(); }

Result<std::optional<std::string>> Database::get(std::string_view key, const ReadOptions& options) const {
  return get(engine_->default_keyspace(), key, options);
}
Result<std::optional<std::string>> Database::get(const Keyspace& keyspace, std::string_view key,
                                                 const ReadOptions& options) const {
  std::string value;
  LIGHTNING_ASSIGN(const bool found, engine_->get(keyspace, key, value, options));
  if (!found) return std::optional<std::string>();
  return std::optional<std::string>(std::move(value));
}
Result<bool> Database::get(const Keyspace& keyspace, std::string_view key, std::string& buffer,
                           const ReadOptions& options) const {
  return engine_->get(keyspace, key, buffer, options);
}
Status Database::get(const Keyspace& keyspace, std::string_view key, PinnedValue& value,
                     const ReadOptions& options) const {
  return engine_->get(keyspace, key, value, options);
}
Status Database::multi_get(const Keyspace& keyspace, std::span<const std::string_view> keys,
                           std::span<PinnedValue> values, const ReadOptions& options) const {
  return engine_->multi_get(keyspace, keys, values, options);
}

Result<TimeToLive> Database::ttl(std::string_view key, const ReadOptions& options) const {
  return engine_->ttl(engine_->default_keyspace(), key, options);
}
Result<TimeToLive> Database::ttl(const Keyspace& keyspace, std::string_view key, const ReadOptions& options) const {
  return engine_->ttl(keyspace, key, options);
}

Iterator Database::iterate(const IterateOptions& options) const {
  return iterate(engine_->default_keyspace(), options);
}
Iterator Database::iterate(const Keyspace& keyspace, const IterateOptions& options) const {
  auto impl = engine_->iterate(keyspace, options);
  if (!impl) return Iterator(std::make_unique<engine::DatabaseIterator>(impl.error()));
  return Iterator(std::move(*impl));
}
Snapshot Database::snapshot() const { return engine_->snapshot({}); }
Snapshot Database::snapshot(std::string_view owner) const { return engine_->snapshot(owner); }

const RecoveryReport& Database::recovery_report() const { return engine_->recovery_report(); }
Status Database::flush() { return engine_->flush(); }
Status Database::compact_range(const KeyRange& range, const CompactOptions& options) {
  return engine_->compact_range(engine_->default_keyspace(), range, options);
}
Status Database::compact_range(const Keyspace& keyspace, const KeyRange& range, const CompactOptions& options) {
  return engine_->compact_range(keyspace, range, options);
}
Status Database::wait_for_background_work() { return engine_->wait_for_background_work(); }
Result<RecordCount> Database::count() const { return engine_->count(engine_->default_keyspace()); }
Result<RecordCount> Database::count(const Keyspace& keyspace) const { return engine_->count(keyspace); }
Result<std::uint64_t> Database::approximate_size(const Keyspace& keyspace, const KeyRange& range) const {
  return engine_->approximate_size(keyspace, range);
}
Result<CheckReport> Database::check(const CheckOptions& options) const {
  LIGHTNING_ASSIGN(CheckReport report, engine_->check(options));
  // What a damaged table hides would be reported again as missing.
  if (!options.full || !report.findings.empty()) return report;
  LIGHTNING_ASSIGN(const bool whole, index::verify(*engine_, options, report));
  if (!whole) return Error(ErrorCode::kCancelled, "the check was cancelled");
  return report;
}
Statistics Database::stats() const {
  Statistics stats = engine_->stats();
  if (engine_->arbiter() != nullptr) stats.transactions = txn::Coordinator::of(*engine_).statistics();
  return stats;
}
const std::string& Database::path() const { return engine_->path(); }
LightningDbConfig Database::config() const { return engine_->config(); }

}  // namespace lightning
