#include "crypto/keyring.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "crypto/keyring_slot.h"

namespace lightning::crypto {

namespace {

// Both slots, and what they are.
struct KeyringFile {
  std::array<SlotContent, 2> contents{SlotContent::kBlank, SlotContent::kBlank};
  std::array<KeyringSlot, 2> slots;

  bool whole(std::size_t index) const { return contents[index] == SlotContent::kWhole; }
  // The newest whole slot first; nothing else.
  std::vector<const KeyringSlot*> newest_first() const {
    std::vector<const KeyringSlot*> found;
    for (std::size_t i = 0; i < 2; ++i)
      if (whole(i)) found.push_back(&slots[i]);
    if (found.size() == 2 && found[0]->generation < found[1]->generation) std::swap(found[0], found[1]);
    return found;
  }
  std::uint64_t newest_generation() const {
    const auto found = newest_first();
    return found.empty() ? 0 : found.front()->generation;
  }
};

Result<KeyringFile> read_keyring(env::FileSystem& files, const std::string& path) {
  LIGHTNING_ASSIGN(std::string bytes, files.read_file(path, kKeyringBytes));
  bytes.resize(kKeyringBytes, '\0');  // shorter: its creation was cut short, or its end was lost
  KeyringFile file;
  for (std::size_t i = 0; i < 2; ++i) {
    file.contents[i] = decode_slot(std::string_view(bytes).substr(i * kSlotBytes, kSlotBytes), i, file.slots[i]);
    if (file.contents[i] == SlotContent::kNewer)
      return Error(ErrorCode::kFormatUnsupported, "the keyring is of format version " +
                                                      std::to_string(file.slots[i].generation) +
                                                      ", this program knows versions up to 1")
          .at_file(path);
  }
  return file;
}

Error damaged_keyring(const std::string& path, const std::string& what) {
  return Error(ErrorCode::kCorruption, what)
      .at_file(path)
      .with_advice("put the keyring back from a copy or a backup; without it nothing in the store can be read");
}

Error no_whole_slot(const std::string& path) {
  return damaged_keyring(path, "the keyring is damaged: neither of its slots is whole");
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

KeyringStatus status_of(const KeyringSlot& slot) {
  KeyringStatus status{.store_id = slot.store_id, .generation = slot.generation, .written_ns = slot.written_ns};
  for (const KeyringSlot::WrappedKey& key : slot.keys) status.keys.push_back(key.info);
  return status;
}

}  // namespace

Result<KeyringStatus> inspect_keyring(env::FileSystem& files, const std::string& path) {
  LIGHTNING_ASSIGN(const KeyringFile file, read_keyring(files, path));
  const auto slots = file.newest_first();
  if (slots.empty()) return no_whole_slot(path);
  KeyringStatus status = status_of(*slots.front());
  status.both_slots_whole = slots.size() == 2;
  return status;
}

Result<std::unique_ptr<Keyring>> Keyring::create(env::FileSystem& files, std::string path, const format::Uid& store_id,
                                                 const Key& key, Entropy& entropy, std::uint64_t now_ns) {
  LIGHTNING_ASSIGN(const bool there, files.exists(path));
  if (there) {
    LIGHTNING_ASSIGN(const KeyringFile file, read_keyring(files, path));
    if (!file.newest_first().empty())
      return Error(ErrorCode::kDatabaseExists, "there is a keyring already: what it opens would be lost").at_file(path);
  }
  std::unique_ptr<Keyring> keyring(new Keyring(files, std::move(path), entropy, key));
  State first{.store_id = store_id};
  DataKey& made = first.keys.emplace_back();
  LIGHTNING_ASSIGN(made.info.id, entropy.uid());
  LIGHTNING_ASSIGN(made.key, entropy.key());
  made.info.generation = 1;
  made.info.created_ns = now_ns;
  LIGHTNING_TRY(keyring->change(std::move(first), key, now_ns));
  LIGHTNING_TRY(files.sync_directory(directory_of(keyring->path_)));
  return keyring;
}

Result<std::unique_ptr<Keyring>> Keyring::open(env::FileSystem& files, std::string path, const Expected& expected,
                                               const Key& key, Entropy& entropy) {
  LIGHTNING_ASSIGN(const KeyringFile file, read_keyring(files, path));
  const auto slots = file.newest_first();
  if (slots.empty()) return no_whole_slot(path);
  LIGHTNING_ASSIGN(const WrappingKeys wrapping, WrappingKeys::of(key, slots.front()->store_id));
  // A change of keys that was cut short has left one slot for each: whichever key is given, it opens its own.
  for (const KeyringSlot* const slot : slots) {
    if (slot->store_id != slots.front()->store_id || slot->key_check != wrapping.check) continue;
    LIGHTNING_ASSIGN(auto keys, unwrap(*slot, wrapping));
    if (!keys)
      return damaged_keyring(path, "the keyring was altered: it was wrapped with this key, and its seal is broken");
    if (slot->store_id != expected.store_id)
      return Error(ErrorCode::kNotADatabase, "the keyring is that of another store")
          .at_file(path)
          .with_advice("put the keyring of this store in its place");
    if (slot->generation < expected.generation_min)
      return Error(ErrorCode::kStaleStore, "an old copy of the keyring lies here: generation " +
                                               std::to_string(slot->generation) + ", the store knows " +
                                               std::to_string(expected.generation_min))
          .at_file(path);
    std::unique_ptr<Keyring> keyring(new Keyring(files, std::move(path), entropy, key));
    keyring->newest_seen_ = file.newest_generation();
    keyring->relied_on_ = slot->generation;
    base::MutexLock lock(keyring->mutex_);
    keyring->state_ = {.store_id = slot->store_id,
                       .generation = slot->generation,
                       .written_ns = slot->written_ns,
                       .keys = std::move(*keys),
                       .both_slots_whole = slots.size() == 2};
    return keyring;
  }
  return Error(ErrorCode::kConfigInvalid, "the key is wrong: the keyring was wrapped with another one")
      .at_file(path)
      .with_advice("give the key that the store was created with, or the one that it was last changed to");
}

DataKey Keyring::active() const {
  base::MutexLock lock(mutex_);
  return state_.keys.back();
}

Result<DataKey> Keyring::find(const format::Uid& id, const std::string& path) const {
  base::MutexLock lock(mutex_);
  for (const DataKey& key : state_.keys)
    if (key.info.id == id) return key;
  return damaged_keyring(path, "the file was sealed under data key " + base::to_hex(base::as_bytes(id.bytes)) +
                                   ", which is not in the keyring");
}

KeyringStatus Keyring::status() const {
  const State state = copy();
  KeyringStatus status{.store_id = state.store_id,
                       .generation = state.generation,
                       .written_ns = state.written_ns,
                       .both_slots_whole = state.both_slots_whole};
  for (const DataKey& key : state.keys) status.keys.push_back(key.info);
  return status;
}

Keyring::State Keyring::copy() const {
  base::MutexLock lock(mutex_);
  return state_;
}

Status Keyring::rewrap(const Key& key, std::uint64_t now_ns) { return change(copy(), key, now_ns); }

Status Keyring::add_data_key(std::uint64_t now_ns) {
  State next = copy();
  if (next.keys.size() >= kDataKeysMax)
    return Error(ErrorCode::kInvalidArgument, "the keyring holds " + std::to_string(kDataKeysMax) + " data keys")
        .at_file(path_)
        .with_advice("retire those that no file uses any more");
  DataKey made;
  LIGHTNING_ASSIGN(made.info.id, entropy_.uid());
  LIGHTNING_ASSIGN(made.key, entropy_.key());
  made.info.generation = next.keys.back().info.generation + 1;
  made.info.created_ns = now_ns;
  next.keys.back().info.state = DataKeyState::kDecryptOnly;
  next.keys.push_back(made);
  return change(std::move(next), wrapping_key_, now_ns);
}

Status Keyring::retire(const format::Uid& id, std::uint64_t now_ns) {
  State next = copy();
  const auto found = std::ranges::find_if(next.keys, [&](const DataKey& key) { return key.info.id == id; });
  if (found == next.keys.end() || found->info.state == DataKeyState::kActive)
    return Error(ErrorCode::kInvalidArgument, found == next.keys.end()
                                                  ? "no data key has this id"
                                                  : "the active data key cannot be retired: add another one first")
        .at_file(path_);
  next.keys.erase(found);
  return change(std::move(next), wrapping_key_, now_ns);
}

Status Keyring::change(State next, const Key& key, std::uint64_t now_ns) {
  next.written_ns = now_ns;
  for (int slot = 0; slot < 2; ++slot) {  // first the one that is not relied on, then the other
    next.generation = newest_seen_ + 1;
    if (next.generation % 2 == relied_on_ % 2) ++next.generation;
    newest_seen_ = next.generation;
    LIGHTNING_TRY(write_slot(next, key));
    relied_on_ = next.generation;
  }
  next.both_slots_whole = true;
  wrapping_key_ = key;
  base::MutexLock lock(mutex_);
  state_ = std::move(next);
  return {};
}

Status Keyring::write_slot(const State& state, const Key& key) {
  LIGHTNING_ASSIGN(const WrappingKeys wrapping, WrappingKeys::of(key, state.store_id));
  LIGHTNING_ASSIGN(const std::string slot,
                   encode_slot(state.store_id, state.generation, state.written_ns, state.keys, wrapping, entropy_));
  LIGHTNING_ASSIGN(const auto file, files_.open_updatable(path_, env::FileClass::kOther, kKeyringBytes));
  // The other slot may be the work of a process that died before its sync: only once it is durable may this one go.
  LIGHTNING_TRY(file->sync());
  LIGHTNING_TRY(file->write(state.generation % 2 * kSlotBytes, slot));
  return file->sync();
}

}  // namespace lightning::crypto
