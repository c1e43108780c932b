#include "salvage/source.h"

#include <algorithm>
#include <map>

#include "manifest/keyspace_options.h"
#include "sstable/salvage.h"
#include "wal/layout.h"

namespace lightning::salvage {

namespace {

// Is there a database that may be read, and does nobody write to it?
Status check_directory(env::Env& env, const engine::Paths& paths) {
  LIGHTNING_ASSIGN(const bool there, env.files.exists(paths.root));
  if (!there) return Error(ErrorCode::kDatabaseNotFound, "no such directory").at_file(paths.root);
  LIGHTNING_ASSIGN(const env::FileInfo info, env.files.info(paths.root));
  if (!info.is_directory)
    return Error(ErrorCode::kNotADatabase, "this is a file, and a database is a directory").at_file(paths.root);
  LIGHTNING_ASSIGN(const bool unfinished, env.files.exists(paths.root + "/" + std::string(engine::kRestoringName)));
  LIGHTNING_ASSIGN(const bool begun, env.files.exists(paths.root + "/" + std::string(manifest::kSuperblockName)));
  if (unfinished && !begun)
    return Error(ErrorCode::kNotADatabase, "this is what a restore or a repair has not finished").at_file(paths.root);
  LIGHTNING_ASSIGN(const bool held, env.files.is_locked(paths.lock()));
  if (!held) return {};
  const auto holder = env.files.read_file(paths.lock(), 4096);
  const std::string who = holder ? holder->substr(0, holder->find('\n')) : std::string();
  return Error(ErrorCode::kLockHeld, "the database is open" + (who.empty() ? "" : ": " + who))
      .at_file(paths.lock())
      .with_advice("close it first: what is being written cannot be repaired");
}

// Whether there is anything that a database would have left.
Result<bool> holds_files(env::Env& env, const engine::Paths& paths) {
  for (const std::string& directory : {paths.tables(), paths.wal()}) {
    LIGHTNING_ASSIGN(const bool there, env.files.exists(directory));
    if (!there) continue;
    LIGHTNING_ASSIGN(const auto names, env.files.list(directory));
    if (!names.empty()) return true;
  }
  return false;
}

class Looker {
 public:
  Looker(env::Env& env, Source& source, RepairReport& report) : env_(env), report_(report), source_(source) {}
  Status run();
  Status distrust(Error damage);

 private:
  Status read_manifest();
  // What is left of it. `superblock` null: not even that.
  Status salvage_manifest(const manifest::Superblock* superblock, Error damage);
  Status take_unnamed_tables();
  Status drop_missing_tables();
  Status add_unnamed_tables();
  Status add_table(const std::string& path);
  manifest::KeyspaceState* keyspace_of(const sstable::TableOrigin& origin);
  Status find_store_id();

  env::Env& env_;
  RepairReport& report_;
  Source& source_;
  bool has_store_id_ = false;
  std::set<format::FileNumber> named_;  // tables that the manifest has ever named
};

Status Looker::run() {
  LIGHTNING_TRY(check_directory(env_, source_.paths));
  LIGHTNING_TRY(read_manifest());
  if (!source_.trusted()) LIGHTNING_TRY(take_unnamed_tables());
  auto& keyspaces = source_.state.keyspaces;
  if (!keyspaces.contains(0)) {
    keyspaces[0].id = 0;
    keyspaces[0].name = kDefaultKeyspaceName;
  }
  return {};
}

Status Looker::take_unnamed_tables() {
  report_.manifest_damage = source_.damage;
  LIGHTNING_TRY(find_store_id());
  LIGHTNING_TRY(drop_missing_tables());
  return add_unnamed_tables();
}

Status Looker::distrust(Error damage) {
  has_store_id_ = true;
  const auto superblock = manifest::read_superblock(env_, source_.paths.root);
  if (superblock) {
    LIGHTNING_ASSIGN(auto known, manifest::salvage(env_, source_.paths.root, &*superblock));
    // A newer manifest than the superblock has, if it has lost its newest slot.
    auto newest = manifest::salvage(env_, source_.paths.root, nullptr);
    if (newest && newest->superblock.manifest_number > superblock->manifest_number) {
      known = std::move(*newest);
      source_.state = known.state;
    }
    named_ = std::move(known.named);
  }
  source_.damage = std::move(damage);
  return take_unnamed_tables();
}

Status Looker::read_manifest() {
  const auto superblock = manifest::read_superblock(env_, source_.paths.root);
  if (!superblock) {
    const Error& error = superblock.error();
    if (error.code() == ErrorCode::kDatabaseNotFound) {
      LIGHTNING_ASSIGN(const bool something, holds_files(env_, source_.paths));
      if (!something) return error;
    } else if (!sstable::is_loss(error)) {
      return error;
    }
    return salvage_manifest(nullptr, error);
  }
  source_.store_id = superblock->store_id;
  source_.generation = superblock->generation;
  has_store_id_ = true;
  manifest::LoadReport loaded;
  auto state = manifest::load(env_, source_.paths.root, *superblock, loaded);
  if (!state) {
    if (!sstable::is_loss(state.error())) return std::move(state).error();
    return salvage_manifest(&*superblock, state.error());
  }
  source_.state = std::move(*state);
  source_.manifest_records = loaded.records;
  if (loaded.torn_bytes > 0)
    report_.notes.push_back("the manifest ends with " + std::to_string(loaded.torn_bytes) +
                            " bytes of an edit that never took effect");
  return {};
}

Status Looker::salvage_manifest(const manifest::Superblock* superblock, Error damage) {
  source_.damage = std::move(damage);
  auto salvaged = manifest::salvage(env_, source_.paths.root, superblock);
  // The superblock may have lost its newest slot, and name a manifest that was removed.
  if (!salvaged && superblock != nullptr && sstable::is_loss(salvaged.error()))
    salvaged = manifest::salvage(env_, source_.paths.root, nullptr);
  if (!salvaged) {
    if (!sstable::is_loss(salvaged.error())) return std::move(salvaged).error();
    report_.notes.emplace_back("nothing is left of the manifest: tables are taken for what they say of themselves");
    return {};
  }
  if (!has_store_id_) source_.store_id = salvaged->superblock.store_id;
  has_store_id_ = true;
  report_.notes.push_back("of the manifest " + std::to_string(salvaged->records) + " records are left" +
                          (salvaged->damage ? "" : ", and they are whole") +
                          "; tables that they do not name are taken for what they say of themselves");
  source_.manifest_records = salvaged->records;
  source_.state = std::move(salvaged->state);
  named_ = std::move(salvaged->named);
  return {};
}

// The store that most files belong to: one or the other may have been put here by mistake.
Status Looker::find_store_id() {
  if (has_store_id_) return {};
  std::map<std::string, std::pair<std::uint64_t, format::Uid>> found;
  const auto count = [&found](const format::Uid& id) {
    auto& [files, uid] = found[base::to_hex(base::as_bytes(id.bytes))];
    ++files;
    uid = id;
  };
  for (const std::string& directory : {source_.paths.tables(), source_.paths.wal()}) {
    LIGHTNING_ASSIGN(const bool there, env_.files.exists(directory));
    if (!there) continue;
    LIGHTNING_ASSIGN(const auto names, env_.files.list(directory));
    for (const std::string& name : names) {
      const std::string path = directory + "/" + name;
      if (name.ends_with(".sst")) {
        const auto table = sstable::describe_table(env_, path);
        if (table) count(table->store_id);
      } else if (wal::segment_number(name)) {
        const auto segment = wal::inspect_segment(env_, path, [](const wal::RecordFacts&) { return false; });
        if (segment) count(segment->store_id);
      }
    }
  }
  std::uint64_t most = 0;
  for (const auto& [text, candidate] : found) {
    if (candidate.first <= most) continue;
    most = candidate.first;
    source_.store_id = candidate.second;
  }
  if (most == 0) return *source_.damage;
  return {};
}

// What the rest of the manifest would have dropped is gone, and is no loss.
Status Looker::drop_missing_tables() {
  for (auto& [id, keyspace] : source_.state.keyspaces) {
    for (auto& level : keyspace.levels) {
      Status status;
      std::erase_if(level, [&](const sstable::TableMeta& meta) {
        const auto there = env_.files.exists(source_.paths.table(meta.number));
        if (!there) status = there.error();
        return there && !*there;
      });
      LIGHTNING_TRY(status);
    }
  }
  return {};
}

Status Looker::add_unnamed_tables() {
  LIGHTNING_ASSIGN(const bool there, env_.files.exists(source_.paths.tables()));
  if (!there) return {};
  LIGHTNING_ASSIGN(const auto names, env_.files.list(source_.paths.tables()));
  for (const std::string& name : names)
    if (name.ends_with(".sst")) LIGHTNING_TRY(add_table(source_.paths.tables() + "/" + name));
  return {};
}

Status Looker::add_table(const std::string& path) {
  auto table = sstable::describe_table(env_, path);
  const auto lose = [&](Error reason) {
    report_.lost_keys.push_back({.keyspace = {}, .range = {}, .entries = 0, .reason = std::move(reason)});
  };
  if (!table) {
    if (!sstable::is_loss(table.error())) return std::move(table).error();
    // One that the manifest names is read as far as it goes; of the others nobody knows what they held.
    const bool named =
        std::ranges::any_of(named_, [&](format::FileNumber n) { return source_.paths.table(n) == path; });
    if (!named) lose(table.error());
    return {};
  }
  if (named_.contains(table->meta.number)) return {};
  if (source_.paths.table(table->meta.number) != path || table->store_id != source_.store_id) {
    report_.notes.push_back(path + " is no table of this database, and was left out");
    return {};
  }
  if (!table->origin) {
    lose(Error(ErrorCode::kManifestCorrupt, "nothing says which keyspace this table belongs to").at_file(path));
    return {};
  }
  if (manifest::KeyspaceState* keyspace = keyspace_of(*table->origin); keyspace != nullptr)
    keyspace->levels[0].push_back(std::move(table->meta));
  return {};
}

// Null for an index, which is built anew.
manifest::KeyspaceState* Looker::keyspace_of(const sstable::TableOrigin& origin) {
  auto& keyspaces = source_.state.keyspaces;
  if (const auto known = keyspaces.find(origin.keyspace); known != keyspaces.end()) return &known->second;
  const bool is_default = origin.keyspace == 0;
  if (!is_default && !engine::check_keyspace_name(origin.name)) return nullptr;
  manifest::KeyspaceState keyspace;
  keyspace.id = origin.keyspace;
  keyspace.name = is_default ? std::string(kDefaultKeyspaceName) : origin.name;
  for (const auto& [id, other] : keyspaces)
    if (other.name == keyspace.name) keyspace.name += "-" + std::to_string(origin.keyspace);
  if (auto options = manifest::decode_keyspace_options(origin.options)) keyspace.options = std::move(*options);
  source_.state.next_keyspace = std::max(source_.state.next_keyspace, origin.keyspace + 1);
  report_.notes.push_back("keyspace '" + keyspace.name + "' is known from its tables only");
  return &keyspaces.emplace(origin.keyspace, std::move(keyspace)).first->second;
}

}  // namespace

Result<Source> look_at_source(env::Env& env, const std::string& path, RepairReport& report) {
  Source source(path);
  LIGHTNING_TRY(Looker(env, source, report).run());
  return source;
}

Status distrust(env::Env& env, Source& source, Error damage, RepairReport& report) {
  return Looker(env, source, report).distrust(std::move(damage));
}

}  // namespace lightning::salvage
