#include "backup/catalogue.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "base/coding.h"
#include "engine/engine.h"

namespace lightning::backup {

namespace {

constexpr std::uint64_t kMagic = 0x31'5055'4B42'4244'4CULL;  // "LDBBKUP1"
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 24;
constexpr std::size_t kDigestBytes = std::tuple_size_v<base::Digest>;

Error corrupt(std::string_view what, const std::string& path) {
  return Error(ErrorCode::kBackupCorrupt, "the catalogue of a backup " + std::string(what)).at_file(path);
}

}  // namespace

std::string StoredFile::name() const {
  const format::Uid& uid = is_blob ? blob->uid : table->uid;
  const base::Tag& root = is_blob ? blob->root : table->root;
  return base::to_hex(base::as_bytes(uid.bytes)) + "-" + base::to_hex(base::as_bytes(root.bytes)) +
         (is_blob ? ".blob" : ".sst");
}

std::vector<StoredFile> files_of(const manifest::State& state) {
  std::vector<StoredFile> files;
  for (const auto& [id, keyspace] : state.keyspaces) {
    for (const auto& level : keyspace.levels)
      for (const sstable::TableMeta& meta : level) files.push_back({.is_blob = false, .table = &meta});
    for (const auto& [number, file] : keyspace.blobs) files.push_back({.is_blob = true, .blob = &file.meta});
  }
  return files;
}

std::string catalogue_name(std::uint64_t number) {
  char name[40];
  std::snprintf(name, sizeof name, "%012llu.backup", static_cast<unsigned long long>(number));
  return name;
}

std::string Catalogue::encode() const {
  std::string body;
  base::append_le(body, superblock.features.incompatible);
  base::append_le(body, superblock.features.write_compatible);
  base::append_le(body, superblock.features.compatible);
  body += base::as_bytes(superblock.store_id.bytes);
  base::append_le(body, superblock.generation);
  base::append_le(body, superblock.created_ns);
  base::append_le(body, number);
  base::append_le(body, taken_ns);
  base::append_le(body, new_files);
  base::append_le(body, new_bytes);
  base::append_length_prefixed(body, state.snapshot().encode());
  base::append_varint(body, digests.size());
  for (const base::Digest& digest : digests) body += base::as_bytes(digest);

  std::string bytes;
  base::append_le(bytes, kMagic);
  base::append_le(bytes, kVersion);
  base::append_le(bytes, std::uint32_t{0});
  base::append_le(bytes, std::uint64_t{body.size()});
  bytes += body;
  bytes += base::as_bytes(base::digest_of(bytes));
  return bytes;
}

Result<Catalogue> Catalogue::decode(std::string_view bytes, const std::string& path) {
  if (bytes.size() < kHeaderBytes + kDigestBytes) return corrupt("is cut short", path);
  if (base::load_le<std::uint64_t>(bytes.data()) != kMagic) return corrupt("does not begin as one", path);
  const std::string_view signed_part = bytes.substr(0, bytes.size() - kDigestBytes);
  if (bytes.substr(signed_part.size()) != base::as_bytes(base::digest_of(signed_part)))
    return corrupt("does not agree with its digest", path);
  const auto version = base::load_le<std::uint32_t>(bytes.data() + 8);
  if (version > kVersion)
    return Error(ErrorCode::kFormatUnsupported, "the backup has format version " + std::to_string(version) +
                                                    ", this build reads up to " + std::to_string(kVersion))
        .at_file(path);
  if (base::load_le<std::uint64_t>(bytes.data() + 16) != signed_part.size() - kHeaderBytes)
    return corrupt("says another length", path);

  Catalogue catalogue;
  std::string_view rest = signed_part.substr(kHeaderBytes), store, encoded;
  format::FeatureMasks& features = catalogue.superblock.features;
  std::uint64_t count = 0;
  const bool whole = base::get_le(rest, features.incompatible) && base::get_le(rest, features.write_compatible) &&
                     base::get_le(rest, features.compatible) && base::get_bytes(rest, 16, store) &&
                     base::get_le(rest, catalogue.superblock.generation) &&
                     base::get_le(rest, catalogue.superblock.created_ns) && base::get_le(rest, catalogue.number) &&
                     base::get_le(rest, catalogue.taken_ns) && base::get_le(rest, catalogue.new_files) &&
                     base::get_le(rest, catalogue.new_bytes) && base::get_length_prefixed(rest, encoded) &&
                     base::get_varint(rest, count) && rest.size() / kDigestBytes == count &&
                     rest.size() % kDigestBytes == 0;
  if (!whole) return corrupt("cannot be read", path);
  std::ranges::copy(store, catalogue.superblock.store_id.bytes.begin());
  if ((features.incompatible & ~format::kKnownFeatures.incompatible) != 0 ||
      (features.write_compatible & ~format::kKnownFeatures.write_compatible) != 0)
    return Error(ErrorCode::kFormatUnsupported, "the backup uses features that this build does not know").at_file(path);
  auto edit = manifest::VersionEdit::decode(encoded);
  if (!edit) return std::move(edit).error().at_file(path);
  if (auto applied = catalogue.state.apply(*edit); !applied) return std::move(applied).error().at_file(path);
  if (files_of(catalogue.state).size() != count) return corrupt("names other files than it has digests for", path);
  catalogue.digests.resize(count);
  for (base::Digest& digest : catalogue.digests) {
    std::memcpy(digest.data(), rest.data(), kDigestBytes);
    rest.remove_prefix(kDigestBytes);
  }
  return catalogue;
}

Status Catalogue::keep(const std::vector<RestoredKeyspace>& chosen) {
  if (chosen.empty()) return {};
  std::map<format::FileNumber, base::Digest> digest_of;
  std::size_t place = 0;
  for (const StoredFile& file : files_of(state)) digest_of[file.number()] = digests[place++];

  std::map<format::KeyspaceId, std::string> kept;  // and their new names
  for (const RestoredKeyspace& wanted : chosen) {
    const std::string& name = wanted.as.empty() ? wanted.name : wanted.as;
    LIGHTNING_TRY(engine::check_keyspace_name(name));
    const auto found = std::ranges::find_if(state.keyspaces, [&](const auto& entry) {
      return entry.second.name == wanted.name && !entry.second.attachment;
    });
    if (found == state.keyspaces.end())
      return Error(ErrorCode::kKeyspaceNotFound, "the backup holds no keyspace '" + wanted.name + "'");
    if (found->first == 0 && name != wanted.name)
      return Error(ErrorCode::kInvalidArgument, "the default keyspace keeps its name");
    const bool taken = std::ranges::any_of(kept, [&](const auto& entry) { return entry.second == name; });
    if (taken || (name == kDefaultKeyspaceName && found->first != 0) || !kept.emplace(found->first, name).second)
      return Error(ErrorCode::kInvalidArgument, "two keyspaces are to be '" + name + "'");
  }
  for (auto it = state.keyspaces.begin(); it != state.keyspaces.end();) {
    manifest::KeyspaceState& keyspace = it->second;
    if (keyspace.attachment) {
      const auto owner = kept.find(keyspace.attachment->owner);
      const std::size_t mark = keyspace.name.rfind(engine::Tree::kHiddenMark);
      if (owner == kept.end() || mark == std::string::npos) {
        it = state.keyspaces.erase(it);
        continue;
      }
      keyspace.name = engine::attached_name(owner->second, keyspace.name.substr(mark + 1));
    } else if (const auto found = kept.find(it->first); found != kept.end()) {
      keyspace.name = found->second;
    } else if (it->first == 0) {
      for (auto& level : keyspace.levels) level.clear();
      keyspace.blobs.clear();
      keyspace.records = 0;
    } else {
      it = state.keyspaces.erase(it);
      continue;
    }
    ++it;
  }
  digests.clear();
  for (const StoredFile& file : files_of(state)) digests.push_back(digest_of[file.number()]);
  return {};
}

BackupInfo Catalogue::info() const {
  BackupInfo info;
  info.number = number;
  info.sequence = state.log_anchor.last_sequence;
  info.created_at = std::chrono::milliseconds(static_cast<std::int64_t>(taken_ns / 1'000'000));
  info.new_files = new_files;
  info.new_bytes = new_bytes;
  for (const StoredFile& file : files_of(state)) {
    info.files += 1;
    info.bytes += file.bytes();
  }
  info.store_id = base::to_hex(base::as_bytes(superblock.store_id.bytes));
  for (const auto& [id, keyspace] : state.keyspaces)
    if (!keyspace.attachment) info.keyspaces.push_back(keyspace.name);
  std::ranges::sort(info.keyspaces);
  return info;
}

}  // namespace lightning::backup
