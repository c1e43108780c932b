// Keyspaces: making, finding and dropping trees.
#include <bit>

#include "engine/engine.h"

namespace lightning::engine {

namespace {

Error unknown_keyspace(std::string_view name) {
  return Error(ErrorCode::kKeyspaceNotFound, "there is no keyspace '" + std::string(name) + "'");
}

Status check_name(std::string_view name) {
  if (name.empty() || name.size() > kKeyspaceNameBytesMax)
    return Error(ErrorCode::kInvalidArgument,
                 "a keyspace name has 1 to " + std::to_string(kKeyspaceNameBytesMax) + " bytes");
  for (const char c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return Error(ErrorCode::kInvalidArgument, "a keyspace name holds no control characters");
  return {};
}

}  // namespace

Result<Keyspace> Engine::keyspace(std::string_view name) const {
  if (closed_.load(std::memory_order_acquire)) return Error(ErrorCode::kClosed, "the database is closed");
  base::MutexLock lock(keyspaces_mutex_);
  const auto found = trees_.find(name);
  if (found == trees_.end()) return unknown_keyspace(name);
  return Keyspace(found->second);
}

std::vector<std::string> Engine::keyspaces() const {
  base::MutexLock lock(keyspaces_mutex_);
  std::vector<std::string> names;
  names.reserve(trees_.size());
  for (const auto& [name, tree] : trees_) names.push_back(name);
  return names;
}

std::vector<TreePtr> Engine::all_trees() const {
  base::MutexLock lock(keyspaces_mutex_);
  std::vector<TreePtr> trees;
  trees.reserve(trees_.size());
  for (const auto& [name, tree] : trees_) trees.push_back(tree);
  return trees;
}

Result<Tree*> Engine::tree_of(const Keyspace& keyspace) const {
  Tree* tree = keyspace.tree_.get();
  if (tree == nullptr) return Error(ErrorCode::kInvalidArgument, "the keyspace handle is empty");
  if (closed_.load(std::memory_order_acquire)) [[unlikely]]
    return Error(ErrorCode::kClosed, "the database is closed");
  if (&tree->epochs() != &epochs_) [[unlikely]]
    return Error(ErrorCode::kInvalidArgument, "the keyspace '" + tree->name + "' belongs to another database");
  if (tree->dropped.load(std::memory_order_acquire)) [[unlikely]]
    return unknown_keyspace(tree->name);
  return tree;
}

Engine::TreeTable::TreeTable(const std::map<std::string, TreePtr, std::less<>>& trees)
    : places_(std::bit_ceil(2 * trees.size() + 1)), mask_(places_.size() - 1) {
  for (const auto& [name, tree] : trees) {
    std::size_t place = tree->id & mask_;
    while (places_[place].tree != nullptr) place = (place + 1) & mask_;
    places_[place] = {tree->id, tree.get()};
  }
}

void Engine::publish_tree_table() {
  auto* table = new TreeTable(trees_);
  const TreeTable* old = tree_table_.exchange(table, std::memory_order_acq_rel);
  if (old != nullptr)
    epochs_.retire(const_cast<TreeTable*>(old), [](void* retired) { delete static_cast<TreeTable*>(retired); });
}

// Of a keyspace that is to be made.
Status Engine::check_options(const KeyspaceOptions& options) const {
  constexpr std::chrono::hours kTtlMax{24ll * 365 * 1000};
  if (options.default_ttl.count() < 0 || options.default_ttl >= kTtlMax)
    return Error(ErrorCode::kInvalidArgument, "default_ttl is " + std::to_string(options.default_ttl.count()) +
                                                  " ms; it must be 0 (none) or more, and less than 1000 years");
  if (options.default_ttl.count() > 0 && !options.merge_operator.empty())
    return Error(ErrorCode::kInvalidArgument, "a keyspace has a merge operator or a default_ttl, not both");
  if (options.default_ttl.count() > 0 && options.counted)
    return Error(ErrorCode::kNotSupported, "records of a counted keyspace cannot have a lifetime");
  if (!options.merge_operator.empty() && merge_operators_.find(options.merge_operator) == nullptr) {
    std::string known;
    for (const std::string_view name : merge_operators_.names())
      known += (known.empty() ? "" : ", ") + std::string(name);
    return Error(ErrorCode::kInvalidArgument,
                 "there is no merge operator '" + options.merge_operator.substr(0, 64) + "'; there are " + known);
  }
  return {};
}

// After a failed append nobody knows what is on record: writes stop until a new manifest has replaced this one.
Result<Keyspace> Engine::create_keyspace(std::string_view name, const KeyspaceOptions& options) {
  LIGHTNING_TRY(check_name(name));
  LIGHTNING_TRY(check_options(options));
  LIGHTNING_TRY(check_writable());
  Result<Keyspace> made = add_tree(name, options);
  if (!made && made.error().category() != ErrorCategory::kCallerFault) background_failed(made.error());
  if (made) roll_grown_manifest();
  return made;
}

Result<Keyspace> Engine::add_tree(std::string_view name, const KeyspaceOptions& options) {
  base::MutexLock lock(keyspaces_mutex_);
  if (trees_.contains(name))
    return Error(ErrorCode::kKeyspaceExists, "there is already a keyspace '" + std::string(name) + "'");
  TreePtr tree;
  {
    base::MutexLock manifest_lock(manifest_mutex_);
    manifest::VersionEdit edit;
    if (state_.next_keyspace == format::kNoKeyspace)
      return Error(ErrorCode::kInvalidArgument, "this store has given out all of its keyspace numbers");
    edit.add_keyspaces.push_back({state_.next_keyspace, std::string(name), options});
    edit.next_keyspace = state_.next_keyspace + 1;
    tree = std::make_shared<Tree>(state_.next_keyspace, std::string(name), options, epochs_, budget_,
                                  std::make_shared<manifest::Version>(), wal_->last_reserved());
    tree->merge_operator = merge_operators_.find(options.merge_operator);
    if (options.default_ttl.count() > 0) has_default_ttls_.store(true, std::memory_order_release);
    LIGHTNING_TRY(record(edit));
  }
  if (tree->kept()) keeps_.store(true, std::memory_order_release);
  trees_.emplace(std::string(name), tree);
  publish_tree_table();
  return Keyspace(std::move(tree));
}

Status Engine::drop_keyspace(std::string_view name) {
  LIGHTNING_TRY(check_writable());
  if (name == kDefaultKeyspaceName) return Error(ErrorCode::kInvalidArgument, "the default keyspace cannot be dropped");
  LIGHTNING_TRY(sync());  // the drop is durable at once: writes that came before it must not be lost behind it
  auto taken = take_tree(name);
  if (!taken) {
    if (taken.error().category() != ErrorCategory::kCallerFault) background_failed(taken.error());
    return std::move(taken).error();
  }
  {
    const PinnedView view = (*taken)->pin_view();
    for (const auto& level : view->version->levels)
      for (const auto& table : level) table->mark_obsolete();  // files go when the last reader has left
  }
  taken->reset();
  roll_grown_manifest();
  epochs_.collect();
  remove_obsolete_files();
  update_pressure();  // writers may have waited for this keyspace
  return {};
}

Result<TreePtr> Engine::take_tree(std::string_view name) {
  base::MutexLock lock(keyspaces_mutex_);
  const auto found = trees_.find(name);
  if (found == trees_.end()) return unknown_keyspace(name);
  TreePtr tree = found->second;
  {
    base::MutexLock manifest_lock(manifest_mutex_);
    manifest::VersionEdit edit;
    edit.drop_keyspaces.push_back(tree->id);
    LIGHTNING_TRY(record(edit));
    tree->dropped.store(true, std::memory_order_release);  // under the lock: no job installs into it afterwards
  }
  trees_.erase(found);
  std::erase_if(dropped_trees_, [](const std::weak_ptr<Tree>& gone) { return gone.expired(); });
  dropped_trees_.push_back(tree);
  const WriteGate::Closure closed(gate_);  // no batch is on its way into the tree
  publish_tree_table();
  return tree;
}

}  // namespace lightning::engine
