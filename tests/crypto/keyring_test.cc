// The keyring: who can open it, and what is left of it when the power goes, the disk rots or somebody alters it.
#include "crypto/keyring.h"

#include <functional>

#include "base/hash.h"
#include "crypto/keyring_slot.h"
#include "keyed.h"

namespace lightning::crypto {
namespace {

const std::string kPath = "/KEYRING";

std::string ids_of(const KeyringStatus& status) {
  std::string ids;
  for (const DataKeyInfo& key : status.keys) {
    ids += std::to_string(key.generation);
    ids += key.state == DataKeyState::kActive ? "* " : " ";
  }
  return ids;
}

class KeyringTest : public ::testing::Test {
 protected:
  std::unique_ptr<Keyring> create() { return create_keyring(files_, entropy_); }
  Result<std::unique_ptr<Keyring>> open(const Key& key = key_of('k')) { return open_keyring(files_, entropy_, key); }

  env::SimulatedWorld world_{1};
  env::SimulatedFileSystem& files_ = world_.files;
  SeededEntropy entropy_;
};

TEST_F(KeyringTest, OpensWithItsKeyAndGivesTheSameDataKeys) {
  const auto made = create();
  EXPECT_EQ(ids_of(made->status()), "1* ");
  const auto opened = must(open());
  EXPECT_TRUE(opened->active().key == made->active().key);
  EXPECT_FALSE(opened->active().key == Key()) << "drawn, not zeros";
  EXPECT_EQ(opened->active().info.id, made->active().info.id);
  EXPECT_EQ(opened->active().info.created_ns, kNow);
  EXPECT_EQ(opened->status().generation, made->status().generation);
  EXPECT_TRUE(opened->status().both_slots_whole);
  EXPECT_EQ(opened->status().store_id, kStore);
}

TEST_F(KeyringTest, HoldsNoKeyInPlain) {
  const auto keyring = create();
  const std::string bytes = files_.content(kPath);
  EXPECT_EQ(bytes.size(), kKeyringBytes);
  EXPECT_EQ(bytes.find(keyring->active().key.view()), std::string::npos);
  EXPECT_EQ(bytes.find(key_of('k').view()), std::string::npos);
}

TEST_F(KeyringTest, AWrongKeyIsToldFromADamagedKeyringAndFromNone) {
  EXPECT_CODE(kStorageUnavailable, open());
  create();
  const auto wrong = open(key_of('w'));
  EXPECT_CODE(kConfigInvalid, wrong);
  EXPECT_NE(wrong.error().message().find("the key is wrong"), std::string::npos) << wrong.error().to_string();
  for (const std::uint64_t slot : {0u, 1u}) ASSERT_TRUE(files_.flip_bit(kPath, slot * kSlotBytes + 100));
  const auto damaged = open();
  EXPECT_CODE(kCorruption, damaged);
  EXPECT_NE(damaged.error().message().find("damaged"), std::string::npos) << damaged.error().to_string();
}

TEST_F(KeyringTest, OfAnotherStoreIsRefused) {
  create();
  EXPECT_CODE(kNotADatabase, Keyring::open(files_, kPath, {.store_id = uid_of(8)}, key_of('k'), entropy_));
}

TEST_F(KeyringTest, AnOldCopyIsRefusedByWhoKnowsANewerOne) {
  auto keyring = create();
  const std::string old = files_.content(kPath);
  ASSERT_OK(keyring->add_data_key(kNow + 1));
  const std::uint64_t known = keyring->status().generation;
  EXPECT_OK(Keyring::open(files_, kPath, {.store_id = kStore, .generation_min = known}, key_of('k'), entropy_));
  ASSERT_TRUE(files_.put_file(kPath, old));
  EXPECT_CODE(kStaleStore,
              Keyring::open(files_, kPath, {.store_id = kStore, .generation_min = known}, key_of('k'), entropy_));
}

TEST_F(KeyringTest, IsNotMadeOverAnother) {
  create();
  EXPECT_CODE(kDatabaseExists, Keyring::create(files_, kPath, kStore, key_of('k'), entropy_, kNow));
  EXPECT_OK(open());
}

TEST_F(KeyringTest, AfterARewrapOnlyTheNewKeyOpensIt) {
  auto keyring = create();
  const DataKey before = keyring->active();
  ASSERT_OK(keyring->rewrap(key_of('n'), kNow + 1));
  EXPECT_CODE(kConfigInvalid, open());
  EXPECT_TRUE(must(open(key_of('n')))->active().key == before.key);
  // Nor is there a slot that the old key would open, were the other one lost.
  for (const std::uint64_t slot : {0u, 1u}) {
    const std::string whole = files_.content(kPath);
    ASSERT_TRUE(files_.flip_bit(kPath, slot * kSlotBytes));
    EXPECT_CODE(kConfigInvalid, open());
    EXPECT_OK(open(key_of('n')));
    ASSERT_TRUE(files_.put_file(kPath, whole));
  }
}

TEST_F(KeyringTest, AnAddedKeyIsUsedFromThenOnAndOldOnesAreFound) {
  auto keyring = create();
  const DataKey first = keyring->active();
  ASSERT_OK(keyring->add_data_key(kNow + 1));
  const DataKey second = keyring->active();
  EXPECT_FALSE(first.key == second.key);
  EXPECT_EQ(ids_of(keyring->status()), "1 2* ");
  const auto opened = must(open());
  EXPECT_EQ(ids_of(opened->status()), "1 2* ");
  EXPECT_TRUE(must(opened->find(first.info.id, "f")).key == first.key);
  EXPECT_TRUE(opened->active().key == second.key);
  EXPECT_CODE(kCorruption, opened->find(uid_of(1), "/some/file"));
  EXPECT_EQ(opened->find(uid_of(1), "/some/file").error().context().file, "/some/file");
}

TEST_F(KeyringTest, ARetiredKeyIsGoneAndTheActiveOneCannotBe) {
  auto keyring = create();
  const DataKey first = keyring->active();
  EXPECT_CODE(kInvalidArgument, keyring->retire(first.info.id, kNow));
  ASSERT_OK(keyring->add_data_key(kNow + 1));
  ASSERT_OK(keyring->retire(first.info.id, kNow + 2));
  EXPECT_CODE(kInvalidArgument, keyring->retire(first.info.id, kNow + 3));
  EXPECT_EQ(ids_of(must(open())->status()), "2* ");
  EXPECT_CODE(kCorruption, keyring->find(first.info.id, "f"));
}

TEST_F(KeyringTest, HoldsFortyKeysAndSaysWhatToDoThen) {
  auto keyring = create();
  for (std::size_t i = 1; i < kDataKeysMax; ++i) ASSERT_OK(keyring->add_data_key(kNow));
  const auto full = keyring->add_data_key(kNow);
  EXPECT_CODE(kInvalidArgument, full);
  EXPECT_NE(full.error().advice().find("retire"), std::string::npos);
  const auto opened = must(open());
  EXPECT_EQ(opened->status().keys.size(), kDataKeysMax);
  ASSERT_OK(opened->retire(opened->status().keys.front().id, kNow));
  EXPECT_OK(opened->add_data_key(kNow));
}

TEST_F(KeyringTest, IsInspectedWithoutAKey) {
  EXPECT_CODE(kStorageUnavailable, inspect_keyring(files_, kPath));
  auto keyring = create();
  ASSERT_OK(keyring->add_data_key(kNow + 1));
  const KeyringStatus seen = must(inspect_keyring(files_, kPath));
  EXPECT_EQ(ids_of(seen), "1 2* ");
  EXPECT_EQ(seen.generation, keyring->status().generation);
  EXPECT_EQ(seen.written_ns, kNow + 1);
  EXPECT_TRUE(seen.both_slots_whole);
  ASSERT_TRUE(files_.flip_bit(kPath, 5));
  EXPECT_FALSE(must(inspect_keyring(files_, kPath)).both_slots_whole);
}

TEST_F(KeyringTest, OfANewerFormatIsRefusedAndNotTakenForDamage) {
  create();
  std::string slot = files_.content(kPath).substr(0, kSlotBytes);
  slot[8] = 2;
  const base::Tag tag = base::tag_of(base::TagAlgorithm::kBlake3, std::string_view(slot).substr(0, kSlotBytes - 16));
  slot.replace(kSlotBytes - 16, 16, base::as_bytes(tag.bytes));
  ASSERT_TRUE(files_.overwrite(kPath, 0, slot));
  EXPECT_CODE(kFormatUnsupported, open());
}

// --- damage -------------------------------------------------------------------------------------------------------

TEST_F(KeyringTest, OneSlotIsEnoughWhicheverByteOfTheOtherIsWrong) {
  auto keyring = create();
  ASSERT_OK(keyring->add_data_key(kNow + 1));
  for (std::uint64_t at = 0; at < kKeyringBytes; ++at) {
    ASSERT_TRUE(files_.flip_bit(kPath, at, at % 8));
    const auto opened = open();
    ASSERT_TRUE(opened) << "byte " << at << ": " << opened.error().to_string();
    EXPECT_EQ(ids_of((*opened)->status()), "1 2* ");
    EXPECT_FALSE((*opened)->status().both_slots_whole);
    ASSERT_TRUE(files_.flip_bit(kPath, at, at % 8));
  }
  ASSERT_TRUE(files_.flip_bit(kPath, 10));
  ASSERT_OK(must(open())->rewrap(key_of('k'), kNow + 2));
  EXPECT_TRUE(must(open())->status().both_slots_whole) << "a change repairs it";
}

// The tag over a slot finds accidents and takes no key; what somebody alters on purpose finds the seal.
TEST_F(KeyringTest, NoByteCanBeAlteredByWhoPutsTheTagRight) {
  create();
  const std::string whole = files_.content(kPath);
  for (std::size_t at = 0; at < kSlotBytes - 16; at += 3) {
    std::string altered = whole;
    for (const std::size_t slot : {std::size_t{0}, kSlotBytes}) {
      char& byte = altered[slot + at];
      byte = static_cast<char>(byte ^ 1);
      const base::Tag tag =
          base::tag_of(base::TagAlgorithm::kBlake3, std::string_view(altered).substr(slot, kSlotBytes - 16));
      altered.replace(slot + kSlotBytes - 16, 16, base::as_bytes(tag.bytes));
    }
    ASSERT_TRUE(files_.put_file(kPath, altered));
    EXPECT_FALSE(open()) << "byte " << at;
  }
}

TEST_F(KeyringTest, AShortenedFileIsDamageNotAnEmptyKeyring) {
  create();
  for (const std::uint64_t size : {0u, 1u, 4095u, 4096u, 4097u, 8191u}) {
    const std::string whole = files_.content(kPath);
    ASSERT_TRUE(files_.truncate_file(kPath, size));
    EXPECT_EQ(open().has_value(), size >= kSlotBytes) << size;
    if (size >= kSlotBytes) {
      EXPECT_OK(must(open())->rewrap(key_of('k'), kNow));
      EXPECT_TRUE(must(open())->status().both_slots_whole) << size;
    }
    ASSERT_TRUE(files_.put_file(kPath, whole));
  }
}

// --- crashes and failures -----------------------------------------------------------------------------------------

struct Change {
  const char* name;
  std::function<Status(Keyring&)> make;
  char key_after;
  const char* ids_after;
};

const Change kChanges[] = {
    {"rewrap", [](Keyring& keyring) { return keyring.rewrap(key_of('n'), kNow + 2); }, 'n', "1 2* "},
    {"add", [](Keyring& keyring) { return keyring.add_data_key(kNow + 2); }, 'k', "1 2 3* "},
    {"retire", [](Keyring& keyring) { return keyring.retire(keyring.status().keys.front().id, kNow + 2); }, 'k', "2* "},
};

constexpr env::CrashMode kModes[] = {env::CrashMode::kDropAll, env::CrashMode::kKeepAll, env::CrashMode::kRandom};
constexpr env::CrashStage kStages[] = {env::CrashStage::kBefore, env::CrashStage::kDuring, env::CrashStage::kAfter};

// What a change that met a crash at its nth I/O leaves, and whether it had an nth I/O.
bool crash_at(const Change& change, std::uint64_t nth, env::CrashStage stage, env::CrashMode mode, std::uint64_t seed) {
  env::SimulatedFileSystem files(seed);
  SeededEntropy entropy(seed);
  auto keyring = create_keyring(files, entropy);
  EXPECT_OK(keyring->add_data_key(kNow + 1));
  const DataKey active = keyring->active();
  bool crashed = false;
  files.set_crash_at(nth, stage, [&] {
    crashed = true;
    files.halt();
  });
  const bool made = change.make(*keyring).has_value();
  EXPECT_NE(made, crashed);
  keyring.reset();
  files.crash(mode);

  const auto before = open_keyring(files, entropy, key_of('k'));
  const auto after = open_keyring(files, entropy, key_of(change.key_after));
  EXPECT_TRUE(before || after) << "neither key opens it";
  EXPECT_TRUE(after || !made);
  for (const auto* opened : {&before, &after}) {
    if (!*opened) continue;
    const std::string ids = ids_of((**opened)->status());
    EXPECT_TRUE(ids == change.ids_after || (!made && ids == "1 2* ")) << ids;
    const auto found = (**opened)->find(active.info.id, "f");
    EXPECT_TRUE(found && found->key == active.key);
  }
  // And from there the change is made, for good.
  const auto& opened = before ? before : after;
  const bool there = after && ids_of((*opened)->status()) == change.ids_after;
  EXPECT_TRUE(there || change.make(**opened));
  const auto last = open_keyring(files, entropy, key_of(change.key_after));
  EXPECT_OK(last);
  EXPECT_TRUE(last && ids_of((*last)->status()) == change.ids_after);
  return crashed;
}

TEST(KeyringCrash, AtAnyMomentOfAChangeLeavesTheOneBeforeOrTheOneAfter) {
  for (const Change& change : kChanges)
    for (const env::CrashStage stage : kStages)
      for (const env::CrashMode mode : kModes) {
        std::uint64_t crashes = 0;
        for (std::uint64_t nth = 1; crash_at(change, nth, stage, mode, nth); ++nth) {
          ++crashes;
          ASSERT_FALSE(::testing::Test::HasFailure()) << change.name << " at " << nth;
        }
        EXPECT_GE(crashes, 6u) << change.name;
      }
}

TEST(KeyringCrash, InItsCreationLeavesNoneOrAWholeOneAndItCanBeMadeAgain) {
  for (const env::CrashStage stage : kStages)
    for (const env::CrashMode mode : kModes) {
      bool crashed = true;
      for (std::uint64_t nth = 1; crashed; ++nth) {
        env::SimulatedFileSystem files(nth);
        SeededEntropy entropy(nth);
        crashed = false;
        files.set_crash_at(nth, stage, [&] {
          crashed = true;
          files.halt();
        });
        const bool made = Keyring::create(files, kPath, kStore, key_of('k'), entropy, kNow).has_value();
        files.crash(mode);
        SCOPED_TRACE(nth);
        if (made || open_keyring(files, entropy)) {
          EXPECT_OK(open_keyring(files, entropy));
          continue;
        }
        EXPECT_OK(Keyring::create(files, kPath, kStore, key_of('k'), entropy, kNow));
        EXPECT_OK(open_keyring(files, entropy));
      }
    }
}

TEST(KeyringFailure, OfAnyCallLeavesWhatWasAndTheChangeCanBeRepeated) {
  for (const Change& change : kChanges) {
    bool failed = true;
    for (std::uint64_t nth = 1; failed; ++nth) {
      env::SimulatedFileSystem files(nth);
      SeededEntropy entropy(nth);
      auto keyring = create_keyring(files, entropy);
      ASSERT_OK(keyring->add_data_key(kNow + 1));
      const DataKey active = keyring->active();
      files.add_fault({.path_part = "KEYRING", .nth = nth});
      failed = !change.make(*keyring);
      files.clear_faults();
      if (failed) {
        EXPECT_TRUE(keyring->active().key == active.key) << "what the process goes on with";
        // The disk may hold the change or not, but one key opens it even if the power goes while it is repeated.
        files.set_crash_at(nth % 5 + 1, env::CrashStage::kDuring);
        (void)change.make(*keyring);
        files.cancel_crash();
        files.crash(env::CrashMode::kRandom);
        const auto before = open_keyring(files, entropy, key_of('k'));
        const auto after = open_keyring(files, entropy, key_of(change.key_after));
        ASSERT_TRUE(before || after) << change.name << " at " << nth;
      }
      EXPECT_TRUE(open_keyring(files, entropy, key_of(change.key_after)) || open_keyring(files, entropy));
    }
  }
}

}  // namespace
}  // namespace lightning::crypto
