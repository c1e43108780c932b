#include "index/catalog.h"

#include <algorithm>
#include <utility>

#include "txn/key_text.h"

namespace lightning::index {

namespace {

Error no_such_index(const Keyspace& owner, std::string_view name) {
  return Error(ErrorCode::kIndexNotFound, "keyspace '" + owner.name() + "' has no index '" + std::string(name) + "'");
}

}  // namespace

Catalog::~Catalog() { stop(); }

// --- opening and closing ---------------------------------------------------------------------------------------------

Status Catalog::open(engine::Engine& engine, UserExtractors user) {
  auto catalog = std::unique_ptr<Catalog>(new Catalog(engine, std::move(user)));
  Catalog& self = *catalog;
  engine.set_companion(std::move(catalog));
  return self.load(engine.check_writable().has_value());
}

Status Catalog::load(bool writable) {
  std::map<std::uint32_t, std::pair<Keyspace, std::vector<IndexPtr>>> by_owner;
  std::vector<Keyspace> dropping;
  std::vector<std::pair<Keyspace, IndexPtr>> unfinished;
  for (const engine::Engine::Attached& attached : engine_.attached()) {
    LIGHTNING_ASSIGN(Definition definition, decode_definition(attached.definition));
    Keyspace entries = attached.keyspace;
    if (definition.state == Definition::State::kDropping) {
      dropping.push_back(entries);
      continue;
    }
    if (definition.state == Definition::State::kEmptying) {
      definition.state = Definition::State::kBuilding;
      if (writable) {
        LIGHTNING_ASSIGN(entries, engine_.attach(attached.owner, definition.name, encode(definition), entries));
      }
    }
    const IndexPtr index = make(entries, std::move(definition));
    auto& [owner, indexes] = by_owner[attached.owner.id()];
    owner = attached.owner;
    indexes.push_back(index);
    if (index->definition.state == Definition::State::kBuilding) unfinished.emplace_back(owner, index);
  }
  if (!by_owner.empty()) txn::Coordinator::for_kept(engine_);
  for (auto& [id, kept] : by_owner)
    engine_.set_keeper(kept.first, std::make_shared<const IndexKeeper>(std::move(kept.second)));
  if (!writable) return {};
  for (const Keyspace& keyspace : dropping) LIGHTNING_TRY(engine_.detach(keyspace));
  base::MutexLock lock(mutex_);
  for (const auto& [owner, index] : unfinished) {
    const BuildPtr begun = begin_build(*index);
    threads_.push_back(base::Thread::spawn("ldb-index", [this, owner, index, begun] {
      if (const Status built = run(owner, index, begun, {}); !built) return;  // list() tells
    }));
  }
  return {};
}

void Catalog::stop() {
  std::vector<base::Thread> threads;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [id, build] : builds_) build->control.cancelled.store(true, std::memory_order_relaxed);
    threads.swap(threads_);
  }
  threads.clear();
  base::MutexLock lock(mutex_);
  while (!builds_.empty()) ended_.wait(mutex_);
}

// --- what there is ---------------------------------------------------------------------------------------------------

IndexPtr Catalog::make(const Keyspace& entries, Definition definition) const {
  // One that was made by another build, or by hand: nothing can be extracted, and all else works.
  class Impossible final : public Extract {
   public:
    explicit Impossible(Error error) : error_(std::move(error)) {}
    Result<std::optional<IndexValue>> operator()(std::string_view, std::string_view) const override { return error_; }

   private:
    const Error error_;
  };
  auto index = std::make_shared<Index>();
  auto extract = make_extract(definition.extractor, user_);
  index->extract = extract
                       ? std::move(*extract)
                       : std::make_shared<const Impossible>(Error(ErrorCode::kNotSupported, extract.error().message()));
  index->definition = std::move(definition);
  index->entries = entries;
  index->tree = engine::Engine::tree_behind(entries);
  return IndexPtr(std::move(index));
}

std::shared_ptr<const IndexKeeper> Catalog::keeper_of(const Keyspace& owner) {
  return std::static_pointer_cast<const IndexKeeper>(engine::Engine::tree_behind(owner)->keeper());
}

Result<IndexPtr> Catalog::find(const Keyspace& owner, std::string_view name) const {
  LIGHTNING_TRY(engine_.tree_of(owner));
  if (const auto keeper = keeper_of(owner))
    for (const IndexPtr& index : keeper->indexes())
      if (index->definition.name == name) return index;
  return no_such_index(owner, name);
}

// The keyspace's keeper, with another index of this name, or without.
void Catalog::replace(const Keyspace& owner, std::string_view name, IndexPtr with) {
  std::vector<IndexPtr> indexes;
  if (const auto keeper = keeper_of(owner))
    for (const IndexPtr& index : keeper->indexes())
      if (index->definition.name != name) indexes.push_back(index);
  if (with) indexes.push_back(std::move(with));
  engine_.set_keeper(owner, indexes.empty() ? nullptr : std::make_shared<const IndexKeeper>(std::move(indexes)));
}

// On record first: that it is ready, only once its entries are durable; that it is not, before it is not kept any more.
Status Catalog::change_state(const Keyspace& owner, const Index& index, Definition definition) {
  LIGHTNING_TRY(engine_.redefine(index.entries, encode(definition)));
  IndexPtr changed = make(index.entries, std::move(definition));
  const std::string name = changed->definition.name;
  const bool goes = changed->definition.state == Definition::State::kDropping;
  replace(owner, name, goes ? nullptr : std::move(changed));
  return {};
}

std::vector<IndexInfo> Catalog::list(const Keyspace* owner) {
  std::vector<IndexInfo> infos;
  for (const engine::Engine::Attached& attached : engine_.attached()) {
    if (owner != nullptr && owner->id() != attached.owner.id()) continue;
    const auto definition = decode_definition(attached.definition);
    if (!definition || definition->state == Definition::State::kDropping) continue;  // open() has read them all
    IndexInfo info;
    info.keyspace = attached.owner.name();
    info.name = definition->name;
    info.extractor = definition->extractor;
    info.unique = definition->unique;
    info.on_extract_failure = definition->on_extract_failure;
    info.state = definition->state == Definition::State::kReady    ? IndexState::kReady
                 : definition->state == Definition::State::kFailed ? IndexState::kFailed
                                                                   : IndexState::kBuilding;
    info.error = definition->error;
    if (const auto bytes = engine_.approximate_size(attached.keyspace, {})) info.bytes = *bytes;
    base::MutexLock lock(mutex_);
    if (const auto build = builds_.find(attached.keyspace.id()); build != builds_.end())
      info.progress = {build->second->control.records.load(std::memory_order_relaxed),
                       build->second->control.records_total.load(std::memory_order_relaxed)};
    infos.push_back(std::move(info));
  }
  std::sort(infos.begin(), infos.end(), [](const IndexInfo& a, const IndexInfo& b) {
    return std::tie(a.keyspace, a.name) < std::tie(b.keyspace, b.name);
  });
  return infos;
}

// --- changing it -----------------------------------------------------------------------------------------------------

Status Catalog::create(const Keyspace& owner, std::string_view name, const IndexOptions& options) {
  LIGHTNING_TRY(engine_.tree_of(owner));
  Definition definition;
  definition.name = name;
  definition.extractor = options.extractor;
  definition.unique = options.unique;
  definition.on_extract_failure = options.on_extract_failure;
  if (const auto* user = std::get_if<UserExtractor>(&options.extractor); user != nullptr && !user_.contains(user->name))
    return Error(ErrorCode::kExtractorMissing,
                 "the extractor '" + user->name + "' was not registered when the database was opened");
  LIGHTNING_TRY(make_extract(options.extractor, user_));
  IndexPtr index;
  BuildPtr begun;
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return Error(ErrorCode::kClosed, "the database is closing");
    if (find(owner, name))
      return Error(ErrorCode::kIndexExists,
                   "keyspace '" + owner.name() + "' already has an index '" + std::string(name) + "'");
    txn::Coordinator::for_kept(engine_);
    LIGHTNING_ASSIGN(const Keyspace entries, engine_.attach(owner, name, encode(definition)));
    index = make(entries, std::move(definition));
    replace(owner, name, index);
    begun = begin_build(*index);
  }
  return start(owner, index, begun, options, OnFailure::kDrop);
}

Status Catalog::drop(const Keyspace& owner, std::string_view name) {
  base::MutexLock lock(mutex_);
  LIGHTNING_ASSIGN(IndexPtr index, find(owner, name));
  return drop_one(owner, std::move(index));
}

Status Catalog::drop_one(const Keyspace& owner, IndexPtr index) {
  end_build(*index);
  const Keyspace entries = index->entries;
  LIGHTNING_ASSIGN(index, find(owner, index->definition.name));
  if (index->entries.id() != entries.id()) return no_such_index(owner, index->definition.name);  // another one by now
  Definition definition = index->definition;
  definition.state = Definition::State::kDropping;
  LIGHTNING_TRY(change_state(owner, *index, std::move(definition)));
  return engine_.detach(entries);
}

Status Catalog::rebuild(const Keyspace& owner, std::string_view name, const IndexOptions& how) {
  IndexPtr index;
  BuildPtr begun;
  {
    base::MutexLock lock(mutex_);
    LIGHTNING_ASSIGN(index, find(owner, name));
    end_build(*index);
    LIGHTNING_ASSIGN(index, find(owner, name));
    Definition definition = index->definition;
    definition.state = Definition::State::kEmptying;
    LIGHTNING_TRY(change_state(owner, *index, definition));
    definition.state = Definition::State::kBuilding;
    definition.error.clear();
    definition.ready = 0;
    LIGHTNING_ASSIGN(const Keyspace entries, engine_.attach(owner, name, encode(definition), index->entries));
    index = make(entries, std::move(definition));
    replace(owner, name, index);
    begun = begin_build(*index);
  }
  return start(owner, index, begun, how, OnFailure::kKeep);
}

// --- building --------------------------------------------------------------------------------------------------------

Catalog::BuildPtr Catalog::begin_build(const Index& index) {
  auto build = std::make_shared<Build>();
  builds_.emplace(index.entries.id(), build);
  return build;
}

// Cancels the build of an index, if one is running, and waits for its end.
void Catalog::end_build(const Index& index) {
  const auto found = builds_.find(index.entries.id());
  if (found == builds_.end()) return;
  const BuildPtr build = found->second;
  build->control.cancelled.store(true, std::memory_order_relaxed);
  while (build->running) ended_.wait(mutex_);
}

bool Catalog::stopping() {
  base::MutexLock lock(mutex_);
  return stopping_;
}

Status Catalog::start(const Keyspace& owner, const IndexPtr& index, const BuildPtr& begun, const IndexOptions& how,
                      OnFailure on_failure) {
  const auto to_the_end = [this, owner, index, begun, on_failure, progress = how.progress,
                           waited = how.wait]() -> Status {
    const Status built = run(owner, index, begun, progress);
    if (built || stopping()) return built;
    // Nobody gets a broken index from a call that failed, nor one that he does not want any more.
    const bool unwanted = begun->control.unwanted.load(std::memory_order_relaxed);
    const bool cancelled = built.error().code() == ErrorCode::kCancelled;
    if (unwanted || (!cancelled && waited && on_failure == OnFailure::kDrop)) {
      base::MutexLock lock(mutex_);
      if (const Status dropped = drop_one(owner, index); !dropped) return built;  // it was dropped by another
    }
    return built;
  };
  if (how.wait) return to_the_end();
  base::MutexLock lock(mutex_);
  if (stopping_) return {};  // opening the database again goes on with it
  threads_.push_back(base::Thread::spawn("ldb-index", [to_the_end] {
    if (const Status built = to_the_end(); !built) return;  // list() tells
  }));
  return {};
}

Status Catalog::run(const Keyspace& owner, const IndexPtr& index, const BuildPtr& begun,
                    const std::function<bool(const IndexProgress&)>& progress) {
  Status built = build(engine_, txn::Coordinator::for_kept(engine_), owner, *index, begun->control, progress);
  base::MutexLock lock(mutex_);
  Definition definition = index->definition;
  if (built) {
    definition.state = Definition::State::kReady;
    definition.ready = engine_.visible();
    built = change_state(owner, *index, std::move(definition));
  } else if (const ErrorCode code = built.error().code();
             code == ErrorCode::kNotUnique || code == ErrorCode::kExtractFailed || code == ErrorCode::kNotSupported ||
             code == ErrorCode::kMergeFailed) {
    definition.state = Definition::State::kFailed;
    definition.error = built.error().message();
    if (const Status changed = change_state(owner, *index, std::move(definition)); !changed) built = changed;
  }
  begun->running = false;
  builds_.erase(index->entries.id());
  ended_.notify_all();
  return built;
}

}  // namespace lightning::index
