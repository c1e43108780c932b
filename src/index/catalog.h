// Catalog: the indexes of one database: making, dropping and rebuilding them.
//
// It lives beside the engine and keeps no list of its own: what indexes there are stands in the manifest, and what is
// kept in step in the keepers of the keyspaces. The order of changes is the same everywhere: before an index is no
// longer kept in step, it is on record that it is not ready; before it is on record as ready, its entries are durable.
//
// Threads: any.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "engine/engine.h"
#include "index/build.h"
#include "index/index_keeper.h"

namespace lightning::index {

class Catalog final : public engine::Engine::Companion {
 public:
  // The one of `engine`, which open() has made.
  static Catalog& of(engine::Engine& engine) { return static_cast<Catalog&>(*engine.companion()); }
  // Reads what indexes there are, has them kept in step, and goes on building those that are not complete. Before
  // anybody writes.
  static Status open(engine::Engine& engine, UserExtractors user);
  ~Catalog() override;

  Status create(const Keyspace& owner, std::string_view name, const IndexOptions& options);
  Status drop(const Keyspace& owner, std::string_view name);
  Status rebuild(const Keyspace& owner, std::string_view name, const IndexOptions& how);
  std::vector<IndexInfo> list(const Keyspace* owner);
  void stop() override;

 private:
  Catalog(engine::Engine& engine, UserExtractors user) : engine_(engine), user_(std::move(user)) {}
  struct Build {
    BuildControl control;
    bool running = true;  // guarded by mutex_
  };
  using BuildPtr = std::shared_ptr<Build>;

  Status load(bool writable);
  IndexPtr make(const Keyspace& entries, Definition definition) const;
  static std::shared_ptr<const IndexKeeper> keeper_of(const Keyspace& owner);
  Result<IndexPtr> find(const Keyspace& owner, std::string_view name) const;
  void replace(const Keyspace& owner, std::string_view name, IndexPtr with) LIGHTNING_REQUIRES(mutex_);
  Status change_state(const Keyspace& owner, const Index& index, Definition definition) LIGHTNING_REQUIRES(mutex_);
  void end_build(const Index& index) LIGHTNING_REQUIRES(mutex_);
  BuildPtr begin_build(const Index& index) LIGHTNING_REQUIRES(mutex_);
  // What becomes of an index that is asked for and cannot be built.
  enum class OnFailure : std::uint8_t { kDrop, kKeep };
  Status start(const Keyspace& owner, const IndexPtr& index, const BuildPtr& build, const IndexOptions& how,
               OnFailure on_failure);
  Status run(const Keyspace& owner, const IndexPtr& index, const BuildPtr& build,
             const std::function<bool(const IndexProgress&)>& progress);
  Status drop_one(const Keyspace& owner, IndexPtr index) LIGHTNING_REQUIRES(mutex_);
  bool stopping();

  engine::Engine& engine_;
  const UserExtractors user_;
  base::Mutex mutex_{base::LockRank::kIndexes};
  base::CondVar ended_;
  std::map<std::uint32_t, BuildPtr> builds_ LIGHTNING_GUARDED_BY(mutex_);  // by the id of the hidden keyspace
  std::vector<base::Thread> threads_ LIGHTNING_GUARDED_BY(mutex_);
  bool stopping_ LIGHTNING_GUARDED_BY(mutex_) = false;
};

}  // namespace lightning::index
