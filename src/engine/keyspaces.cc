// Keyspaces: making, finding and dropping trees.
#include <algorithm>
#include <bit>

#include "engine/engine.h"

namespace lightning::engine {

namespace {

Error unknown_keyspace(std::string_view name) {
  return Error(ErrorCode::kKeyspaceNotFound, "there is no keyspace '" + std::string(name) + "'");
}

bool hidden(std::string_view name) { return name.starts_with(Tree::kHiddenMark); }

}  // namespace

std::string attached_name(std::string_view owner, std::string_view name) {
  return Tree::kHiddenMark + std::string(owner) + Tree::kHiddenMark + std::string(name);
}

Status check_keyspace_name(std::string_view name) {
  if (name.empty() || name.size() > kKeyspaceNameBytesMax)
    return Error(ErrorCode::kInvalidArgument,
                 "a keyspace name has 1 to " + std::to_string(kKeyspaceNameBytesMax) + " bytes");
  for (const char c : name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return Error(ErrorCode::kInvalidArgument, "a keyspace name holds no control characters");
  return {};
}

Result<Keyspace> Engine::keyspace(std::string_view name) const {
  if (closed_.load(std::memory_order_acquire)) return Error(ErrorCode::kClosed, "the database is closed");
  base::MutexLock lock(keyspaces_mutex_);
  const auto found = trees_.find(name);
  if (found == trees_.end() || hidden(name)) return unknown_keyspace(name);
  return Keyspace(found->second);
}

std::vector<std::string> Engine::keyspaces() const {
  base::MutexLock lock(keyspaces_mutex_);
  std::vector<std::string> names;
  names.reserve(trees_.size());
  for (const auto& [name, tree] : trees_)
    if (!hidden(name)) names.push_back(name);
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
  if (out_of_use_.load(std::memory_order_acquire)) [[unlikely]]
    return closed_.load() ? Error(ErrorCode::kClosed, "the database is closed") : halted();
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
  constexpr std::uint64_t kThresholdMin = 256;
  if (const std::uint64_t threshold = options.blob_threshold.value_or(0);
      threshold != 0 && (threshold < kThresholdMin || threshold > kValueBytesMax))
    return Error(ErrorCode::kInvalidArgument, "blob_threshold is " + std::to_string(threshold) +
                                                  " bytes; it must be 0 (never), or 256 bytes to 512 MiB");
  return {};
}

// After a failed append nobody knows what is on record: writes stop until a new manifest has replaced this one.
Result<Keyspace> Engine::create_keyspace(std::string_view name, const KeyspaceOptions& options) {
  LIGHTNING_TRY(check_keyspace_name(name));
  LIGHTNING_TRY(check_options(options));
  LIGHTNING_TRY(check_writable());
  Result<Keyspace> made = add_tree(name, options);
  if (!made && made.error().category() != ErrorCategory::kCallerFault) background_failed(made.error());
  if (made) roll_grown_manifest();
  return made;
}

Result<Keyspace> Engine::add_tree(std::string_view name, const KeyspaceOptions& options) {
  base::MutexLock lock(keyspaces_mutex_);
  LIGHTNING_ASSIGN(TreePtr tree, change_trees({}, NewTree{.name = std::string(name), .options = options}));
  return Keyspace(std::move(tree));
}

// Drops some and adds one, in one edit: after a crash all of it has happened or nothing.
Result<TreePtr> Engine::change_trees(const std::vector<TreePtr>& drops, std::optional<NewTree> add) {
  TreePtr tree;
  const auto is_dropped = [&](const TreePtr& which) {
    return std::find(drops.begin(), drops.end(), which) != drops.end();
  };
  if (add)
    if (const auto there = trees_.find(add->name); there != trees_.end() && !is_dropped(there->second))
      return Error(ErrorCode::kKeyspaceExists, "there is already a keyspace '" + add->name + "'");
  {
    base::MutexLock manifest_lock(manifest_mutex_);
    manifest::VersionEdit edit;
    for (const TreePtr& drop : drops) edit.drop_keyspaces.push_back(drop->id);
    if (add) {
      const format::KeyspaceId id = state_.next_keyspace;
      if (id == format::kNoKeyspace)
        return Error(ErrorCode::kInvalidArgument, "this store has given out all of its keyspace numbers");
      edit.add_keyspaces.push_back({id, add->name, add->options});
      if (add->attachment) edit.attach.push_back({id, add->attachment->owner, add->attachment->definition});
      edit.next_keyspace = id + 1;
      tree = std::make_shared<Tree>(id, add->name, add->options, epochs_, budget_,
                                    std::make_shared<manifest::Version>(), wal_->last_reserved());
      tree->merge_operator = merge_operators_.find(add->options.merge_operator);
      if (add->options.default_ttl.count() > 0) has_default_ttls_.store(true, std::memory_order_release);
    }
    tell_archive(edit);
    LIGHTNING_TRY(record(edit));
    for (const TreePtr& drop : drops)
      drop->dropped.store(true, std::memory_order_release);  // under the lock: no job installs into it afterwards
  }
  for (const TreePtr& drop : drops) {
    trees_.erase(drop->name);
    dropped_trees_.push_back(drop);
  }
  std::erase_if(dropped_trees_, [](const std::weak_ptr<Tree>& gone) { return gone.expired(); });
  if (tree && tree->kept()) keeps_.store(true, std::memory_order_release);
  if (tree) trees_.emplace(tree->name, tree);
  const WriteGate::Closure closed(gate_);  // no batch is on its way into what goes, nor looks into the old table
  publish_tree_table();
  return tree;
}

// The files of what was dropped go when the last reader has left.
void Engine::let_go_of(std::vector<TreePtr> dropped) {
  for (const TreePtr& tree : dropped) {
    const PinnedView view = tree->pin_view();
    for (const auto& level : view->version->levels)
      for (const auto& table : level) table->mark_obsolete();
    for (const auto& blob : view->version->blobs) blob->mark_obsolete();
  }
  dropped.clear();
  roll_grown_manifest();
  epochs_.collect();
  remove_obsolete_files();
  update_pressure();  // writers may have waited for these keyspaces
}

Status Engine::drop_keyspace(std::string_view name) {
  LIGHTNING_TRY(check_writable());
  if (name == kDefaultKeyspaceName) return Error(ErrorCode::kInvalidArgument, "the default keyspace cannot be dropped");
  if (hidden(name)) return unknown_keyspace(name);
  LIGHTNING_TRY(sync());  // the drop is durable at once: writes that came before it must not be lost behind it
  std::vector<TreePtr> dropped;
  const auto drop = [&]() -> Status {
    base::MutexLock lock(keyspaces_mutex_);
    const auto found = trees_.find(name);
    if (found == trees_.end()) return unknown_keyspace(name);
    dropped = attached_to(found->second->id);
    dropped.push_back(found->second);
    LIGHTNING_TRY(change_trees(dropped, std::nullopt));
    return {};
  };
  if (const Status status = drop(); !status) {
    if (status.error().category() != ErrorCategory::kCallerFault) background_failed(status.error());
    return status;
  }
  let_go_of(std::move(dropped));
  return {};
}

// --- attached keyspaces: hidden, and dropped with their owner --------------------------------------------------------

std::vector<TreePtr> Engine::attached_to(format::KeyspaceId owner) {
  std::vector<TreePtr> attached;
  base::MutexLock manifest_lock(manifest_mutex_);
  for (const auto& [name, tree] : trees_) {
    const auto known = state_.keyspaces.find(tree->id);
    if (known != state_.keyspaces.end() && known->second.attachment && known->second.attachment->owner == owner)
      attached.push_back(tree);
  }
  return attached;
}

std::vector<Engine::Attached> Engine::attached() {
  base::MutexLock lock(keyspaces_mutex_);
  base::MutexLock manifest_lock(manifest_mutex_);
  std::vector<Attached> all;
  for (const auto& [name, tree] : trees_) {
    const auto known = state_.keyspaces.find(tree->id);
    if (known == state_.keyspaces.end() || !known->second.attachment) continue;
    const manifest::KeyspaceState::Attachment& attachment = *known->second.attachment;
    for (const auto& [owner_name, owner] : trees_)
      if (owner->id == attachment.owner) all.push_back({Keyspace(tree), Keyspace(owner), attachment.definition});
  }
  return all;
}

Result<Keyspace> Engine::attach(const Keyspace& owner, std::string_view name, std::string_view definition,
                                const Keyspace& replaces) {
  LIGHTNING_TRY(check_keyspace_name(name));
  LIGHTNING_TRY(check_writable());
  LIGHTNING_TRY(sync());
  std::vector<TreePtr> drops;
  if (replaces.tree_) drops.push_back(replaces.tree_);
  const auto add = [&]() -> Result<TreePtr> {
    base::MutexLock lock(keyspaces_mutex_);
    LIGHTNING_TRY(tree_of(owner));
    if (replaces.tree_) LIGHTNING_TRY(tree_of(replaces));
    return change_trees(drops, NewTree{.name = attached_name(owner.name(), name),
                                       .options = {},  // entries say alone what they hold: puts with the value in place
                                       .attachment = {{owner.id(), std::string(definition)}}});
  };
  Result<TreePtr> tree = add();
  if (!tree) {
    if (tree.error().category() != ErrorCategory::kCallerFault) background_failed(tree.error());
    return std::move(tree).error();
  }
  let_go_of(std::move(drops));
  return Keyspace(std::move(*tree));
}

Status Engine::redefine(const Keyspace& attached, std::string_view definition) {
  LIGHTNING_TRY(check_writable());
  LIGHTNING_TRY(sync());  // what the definition says of the records must not outlive them
  const auto change = [&]() -> Status {
    base::MutexLock lock(keyspaces_mutex_);
    LIGHTNING_TRY(tree_of(attached));
    base::MutexLock manifest_lock(manifest_mutex_);
    const auto known = state_.keyspaces.find(attached.id());
    if (known == state_.keyspaces.end() || !known->second.attachment)
      return Error(ErrorCode::kInvalidArgument, "the keyspace is not attached to another one");
    manifest::VersionEdit edit;
    edit.attach.push_back({attached.id(), known->second.attachment->owner, std::string(definition)});
    tell_archive(edit);
    return record(edit);
  };
  const Status changed = change();
  if (!changed && changed.error().category() != ErrorCategory::kCallerFault) background_failed(changed.error());
  if (changed) roll_grown_manifest();
  return changed;
}

Status Engine::detach(const Keyspace& attached) {
  LIGHTNING_TRY(check_writable());
  const auto drop = [&]() -> Status {
    base::MutexLock lock(keyspaces_mutex_);
    LIGHTNING_TRY(tree_of(attached));
    LIGHTNING_TRY(change_trees({attached.tree_}, std::nullopt));
    return {};
  };
  const Status dropped = drop();
  if (!dropped && dropped.error().category() != ErrorCategory::kCallerFault) background_failed(dropped.error());
  if (dropped) let_go_of({attached.tree_});
  return dropped;
}

void Engine::set_keeper(const Keyspace& keyspace, std::shared_ptr<const Keeper> keeper) {
  const WriteGate::Closure closed(gate_);
  if (keeper) {
    has_keepers_.store(true, std::memory_order_release);
    keeps_.store(true, std::memory_order_release);
  }
  keyspace.tree_->set_keeper(std::move(keeper));
}

}  // namespace lightning::engine
