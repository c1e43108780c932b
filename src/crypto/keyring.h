// The keyring: the data keys of a store, wrapped by a key-encryption key that lies elsewhere.
//
//   LIGHTNING_ASSIGN(auto keyring, Keyring::open(files, path, {.store_id = id}, key, Entropy::system()));
//   keyring->active();                  // what new files are sealed under
//   keyring->rewrap(other_key, now);    // from here on only `other_key` opens it; no file is touched
//   keyring->add_data_key(now);         // new files get a new key; old ones stay readable
//
// Two slots in one file (docs/format/encryption.md). Every change is written to the slot that is not relied on, synced,
// and then to the other one: whenever the power goes, one of them is whole and opens with the key from before or the
// one from after. When a change has returned, both slots hold it, so that damage to one costs nothing, and no slot is
// left that an older key opens.
//
// Threads: active(), find() and status() from any thread, changes one at a time beside them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/sync.h"
#include "crypto/cipher.h"
#include "env/file_system.h"

namespace lightning::crypto {

inline constexpr std::size_t kDataKeysMax = 40;

enum class DataKeyState : std::uint8_t { kActive = 1, kDecryptOnly = 2 };  // stored on disk

struct DataKeyInfo {
  format::Uid id{};
  std::uint32_t generation = 0;  // from 1, in the order in which they were made
  DataKeyState state = DataKeyState::kActive;
  std::uint64_t created_ns = 0;
};
struct DataKey {
  DataKeyInfo info;
  Key key;
};

struct KeyringStatus {
  format::Uid store_id{};
  std::uint64_t generation = 0;  // rises with each write of a slot
  std::uint64_t written_ns = 0;
  std::vector<DataKeyInfo> keys{};  // by generation
  bool both_slots_whole = false;    // false: a change was cut short, or a slot was damaged; the next change repairs it
};

// What the newest whole slot says, which needs no key: nothing in it is known to be true.
// Errors: as Keyring::open(), but for those of the key.
Result<KeyringStatus> inspect_keyring(env::FileSystem& files, const std::string& path);

class Keyring {
 public:
  // What is known about the keyring from elsewhere.
  struct Expected {
    format::Uid store_id{};
    std::uint64_t generation_min = 0;  // an older one was put back: kStaleStore
  };

  // A new keyring with one data key, durable at return with its name. A file that holds no whole slot is what a
  // creation that was cut short has left, and is written over. Errors: kDatabaseExists if there is a keyring.
  static Result<std::unique_ptr<Keyring>> create(env::FileSystem& files, std::string path, const format::Uid& store_id,
                                                 const Key& key, Entropy& entropy, std::uint64_t now_ns);
  // Writes nothing. Errors: kConfigInvalid if `key` is not the one that it was wrapped with; kCorruption if no slot is
  // whole, or was altered by somebody without the key; kStorageUnavailable if there is no file; kFormatUnsupported;
  // kStaleStore; kNotADatabase if it is another store's.
  static Result<std::unique_ptr<Keyring>> open(env::FileSystem& files, std::string path, const Expected& expected,
                                               const Key& key, Entropy& entropy);

  DataKey active() const;
  // Errors: kCorruption if there is none of this id. `path`: the file that wants it.
  Result<DataKey> find(const format::Uid& id, const std::string& path) const;
  KeyringStatus status() const;

  // Changes. After an error it is as before for this process; on the disk it may be changed already, which opens with
  // the key from before or from after; repeat the call. Errors: those of FileSystem; kInvalidArgument where noted.
  Status rewrap(const Key& key, std::uint64_t now_ns);
  Status add_data_key(std::uint64_t now_ns);  // kInvalidArgument: there are kDataKeysMax
  // The key is gone for good, and with it what was sealed under it: only when no file refers to it any more.
  Status retire(const format::Uid& id, std::uint64_t now_ns);  // kInvalidArgument: it is active, or not there

 private:
  struct State {
    format::Uid store_id{};
    std::uint64_t generation = 0, written_ns = 0;
    std::vector<DataKey> keys{};
    bool both_slots_whole = true;
  };
  Keyring(env::FileSystem& files, std::string path, Entropy& entropy, const Key& key)
      : files_(files), path_(std::move(path)), entropy_(entropy), wrapping_key_(key) {}
  State copy() const;
  Status change(State next, const Key& key, std::uint64_t now_ns);
  Status write_slot(const State& state, const Key& key);

  env::FileSystem& files_;
  const std::string path_;
  Entropy& entropy_;
  Key wrapping_key_;  // of who changes
  // Of who changes: the highest generation that any slot had, and that of the slot that is whole and opens.
  std::uint64_t newest_seen_ = 0, relied_on_ = 0;
  mutable base::Mutex mutex_{base::LockRank::kLeaf};
  State state_ LIGHTNING_GUARDED_BY(mutex_);
};

}  // namespace lightning::crypto
