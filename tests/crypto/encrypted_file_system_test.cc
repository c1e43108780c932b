// Files that are sealed: they hold what was written, or they say that they don't.
#include "crypto/encrypted_file_system.h"

#include <cstdlib>
#include <map>

#include "crypto/page_format.h"
#include "env/place.h"
#include "keyed.h"
#include "support/simulated_seeds.h"

namespace lightning::crypto {
namespace {

using env::CrashMode;
using env::FileClass;
using env::pattern;
using env::SimulatedFileSystem;

bool is_plain(std::string_view name) { return name.starts_with("PLAIN"); }

struct Sealed {
  explicit Sealed(std::uint64_t seed = 1, env::SimulatedDiskOptions options = {})
      : below(seed, std::move(options)), entropy(seed), keyring(create_keyring(keyring_files, entropy)) {}

  Status write(const std::string& path, std::string_view bytes, FileClass file_class = FileClass::kTable) {
    LIGHTNING_ASSIGN(auto file, files.create_writable(path, file_class));
    LIGHTNING_TRY(file->append(bytes));
    LIGHTNING_TRY(file->sync());
    return file->close();
  }
  // The content, or the name of the error's code.
  std::string read(const std::string& path, FileClass file_class = FileClass::kTable) {
    auto file = files.open_random_access(path, file_class);
    if (!file) return std::string(name_of(file.error().code()));
    std::string bytes((*file)->size(), '\0');
    const Status status = (*file)->read(0, bytes);
    return status ? bytes : std::string(name_of(status.error().code()));
  }

  SimulatedFileSystem keyring_files{1}, below;
  SeededEntropy entropy;
  std::unique_ptr<Keyring> keyring;
  EncryptedFileSystem files{below, *keyring, is_plain, entropy};
};

// Sizes around those of pages.
constexpr std::size_t kSizes[] = {0, 1, 4047, 4048, 4049, 8095, 8096, 8097, 100'000};

TEST(EncryptedFiles, HoldWhatWasWrittenWhateverItsSize) {
  Sealed sealed;
  for (const std::size_t size : kSizes) {
    const std::string path = "/f" + std::to_string(size), bytes = pattern(size, 3);
    ASSERT_OK(sealed.write(path, bytes));
    for (const FileClass file_class : {FileClass::kTable, FileClass::kBlob, FileClass::kManifest, FileClass::kOther})
      EXPECT_TRUE(sealed.read(path, file_class) == bytes) << size;
    EXPECT_EQ(must(sealed.files.info(path)).bytes, size);
    const std::uint64_t pages = (size + kPagePlainBytes - 1) / kPagePlainBytes;
    EXPECT_EQ(must(sealed.below.info(path)).bytes, (pages + 1) * kPageBytes);
  }
}

TEST(EncryptedFiles, AreReadAtAnyPlaceHoweverTheyWereSynced) {
  Sealed sealed;
  const std::string bytes = pattern(60'000, 5);
  auto file = must(sealed.files.create_writable("/f", FileClass::kTable));
  for (std::size_t at = 0, piece = 1; at < bytes.size(); piece = piece * 3 % 9001 + 1) {
    ASSERT_OK(file->append(std::string_view(bytes).substr(at, piece)));
    at += piece;
    ASSERT_OK(at % 2 == 0 ? file->sync() : file->flush());
  }
  EXPECT_EQ(file->size(), bytes.size());
  ASSERT_OK(file->close());
  const auto reader = must(sealed.files.open_random_access("/f", FileClass::kTable));
  ASSERT_EQ(reader->size(), bytes.size());
  for (std::size_t at = 0; at < bytes.size(); at += 997)
    for (const std::size_t size : kSizes) {
      if (size > bytes.size() - at) break;
      std::string part(size, '\0');
      ASSERT_OK(reader->read(at, part));
      ASSERT_TRUE(part == std::string_view(bytes).substr(at, size)) << at << " " << size;
    }
}

TEST(EncryptedFiles, LargerThanAnyReadGoesAtATimeComeWhole) {
  Sealed sealed;
  const std::string bytes = pattern(3 << 20, 6);
  ASSERT_OK(sealed.write("/f", bytes));
  EXPECT_TRUE(sealed.read("/f") == bytes);
  sealed.below.flip_bit("/f", 2 << 20);
  EXPECT_EQ(sealed.read("/f"), "Corruption");
}

TEST(EncryptedFiles, ShowNothingOfWhatIsInThemAndNoTwoAreAlike) {
  Sealed sealed;
  const std::string secret = "a secret that no disk may see";
  std::string text;
  while (text.size() < 20'000) text += secret;
  ASSERT_OK(sealed.write("/a", text));
  ASSERT_OK(sealed.write("/b", text));
  const std::string a = sealed.below.content("/a"), b = sealed.below.content("/b");
  for (std::size_t at = 0; at + 8 <= secret.size(); ++at) {
    EXPECT_EQ(a.find(secret.substr(at, 8)), std::string::npos);
    EXPECT_EQ(b.find(secret.substr(at, 8)), std::string::npos);
  }
  for (std::size_t page = 1; page * kPageBytes < a.size(); ++page)
    EXPECT_NE(a.substr(page * kPageBytes + 32, 64), b.substr(page * kPageBytes + 32, 64))
        << "one key or nonce for both";
  // Nor do two equal pages of one file look alike.
  ASSERT_OK(sealed.write("/zeros", std::string(3 * kPagePlainBytes, '\0')));
  const std::string zeros = sealed.below.content("/zeros");
  EXPECT_NE(zeros.substr(kPageBytes + 32, 64), zeros.substr(2 * kPageBytes + 32, 64));
}

// --- who may read -------------------------------------------------------------------------------------------------

TEST(EncryptedFiles, OfAnotherKeyringAreRefused) {
  Sealed one(1), other(2);
  ASSERT_OK(one.write("/f", "text"));
  ASSERT_TRUE(other.below.put_file("/f", one.below.content("/f")));
  EXPECT_EQ(other.read("/f"), "Corruption");
  EXPECT_EQ(one.read("/f"), "text");
}

TEST(EncryptedFiles, StayReadableWhenNewOnesGetAnotherKey) {
  Sealed sealed;
  ASSERT_OK(sealed.write("/old", "old"));
  const DataKeyInfo old = sealed.keyring->active().info;
  ASSERT_OK(sealed.keyring->add_data_key(kNow + 1));
  ASSERT_OK(sealed.write("/new", "new"));
  EXPECT_EQ(sealed.read("/old"), "old");
  EXPECT_EQ(sealed.read("/new"), "new");
  ASSERT_OK(sealed.keyring->retire(old.id, kNow + 2));
  EXPECT_EQ(sealed.read("/new"), "new");
  EXPECT_EQ(sealed.read("/old"), "Corruption") << "its key is gone";
}

TEST(EncryptedFiles, APlainFileInTheirPlaceIsNotTakenForOne) {
  Sealed sealed;
  ASSERT_TRUE(sealed.below.put_file("/f", std::string(3 * kPageBytes, 'x')));
  EXPECT_EQ(sealed.read("/f"), "Corruption");
  EXPECT_CODE(kCorruption, sealed.files.read_file("/f", 1 << 20));
  EXPECT_EQ(must(sealed.files.info("/f")).bytes, 3 * kPagePlainBytes) << "what it could hold";
}

TEST(EncryptedFiles, PlainNamesPassAsTheyAreAndNoFileChangesSides) {
  Sealed sealed;
  ASSERT_OK(sealed.write("/PLAIN", "as it is"));
  EXPECT_EQ(sealed.below.content("/PLAIN"), "as it is");
  EXPECT_EQ(sealed.read("/PLAIN"), "as it is");
  ASSERT_OK(sealed.write("/f", "text"));
  EXPECT_CODE(kInvalidArgument, sealed.files.rename("/PLAIN", "/g"));
  EXPECT_CODE(kInvalidArgument, sealed.files.rename("/f", "/PLAIN2"));
  EXPECT_CODE(kInvalidArgument, sealed.files.link("/f", "/PLAIN2"));
  EXPECT_OK(sealed.files.rename("/PLAIN", "/PLAIN2"));
  EXPECT_OK(sealed.files.link("/f", "/g"));
  EXPECT_EQ(sealed.read("/g"), "text");
}

TEST(EncryptedFiles, WhatCannotBeSealedIsRefusedInsteadOfLeftPlain) {
  Sealed sealed;
  EXPECT_CODE(kNotSupported, sealed.files.open_updatable("/f", FileClass::kSuperblock, 8192));
  EXPECT_CODE(kNotSupported, sealed.files.create_log("/f", 8192));
  EXPECT_CODE(kNotSupported, sealed.files.reuse_log("/f"));
  EXPECT_CODE(kNotSupported, sealed.files.reserve_space("/f", 8192));
  EXPECT_FALSE(must(sealed.below.exists("/f")));
}

// --- damage and deceit --------------------------------------------------------------------------------------------

TEST(EncryptedDamage, NoByteCanBeChangedAndGoUnseen) {
  Sealed sealed;
  const std::string bytes = pattern(2 * kPagePlainBytes + 500, 9);
  ASSERT_OK(sealed.write("/f", bytes));
  const std::uint64_t size = must(sealed.below.info("/f")).bytes;
  ASSERT_EQ(size, 4 * kPageBytes);
  for (std::uint64_t at = 0; at < size; ++at) {
    ASSERT_TRUE(sealed.below.flip_bit("/f", at, at % 8));
    if (at < 3 * kPageBytes) {
      EXPECT_EQ(sealed.read("/f"), "Corruption") << at;
    } else {
      EXPECT_EQ(sealed.read("/f").size(), 2 * kPagePlainBytes)
          << at << ": a lost end, which whoever knows the size sees";
    }
    ASSERT_TRUE(sealed.below.flip_bit("/f", at, at % 8));
  }
  EXPECT_TRUE(sealed.read("/f") == bytes);
}

TEST(EncryptedDamage, OnePageCostsWhatIsInItAndNothingElse) {
  Sealed sealed;
  const std::string bytes = pattern(5 * kPagePlainBytes, 9);
  ASSERT_OK(sealed.write("/f", bytes));
  ASSERT_TRUE(sealed.below.flip_bit("/f", 3 * kPageBytes + 77));
  const auto file = must(sealed.files.open_random_access("/f", FileClass::kTable));
  std::string part(2 * kPagePlainBytes, '\0');
  EXPECT_OK(file->read(0, part));
  EXPECT_TRUE(part == bytes.substr(0, part.size()));
  EXPECT_OK(file->read(3 * kPagePlainBytes, part));
  EXPECT_TRUE(part == bytes.substr(3 * kPagePlainBytes));
  const Status damaged = file->read(kPagePlainBytes, part);
  EXPECT_CODE(kCorruption, damaged);
  EXPECT_EQ(damaged.error().context().file, "/f");
  EXPECT_EQ(damaged.error().context().offset, 3 * kPageBytes) << "where it lies on the disk";
}

TEST(EncryptedDamage, PagesCannotChangePlacesNorFiles) {
  Sealed sealed;
  const std::string bytes = pattern(5 * kPagePlainBytes, 1);
  ASSERT_OK(sealed.write("/a", bytes));
  ASSERT_OK(sealed.write("/b", pattern(5 * kPagePlainBytes, 2)));
  const std::string a = sealed.below.content("/a"), b = sealed.below.content("/b");
  const auto page = [](const std::string& file, std::size_t number) {
    return std::string_view(file).substr(number * kPageBytes, kPageBytes);
  };
  for (std::size_t to = 0; to <= 5; ++to) {
    for (std::size_t from = 0; from <= 5; ++from) {
      for (const std::string* source : {&a, &b}) {
        if (source == &a && from == to) continue;
        ASSERT_TRUE(sealed.below.overwrite("/a", to * kPageBytes, page(*source, from)));
        const std::string got = sealed.read("/a");
        // Where the end is not genuine it may have been torn; whoever knows the size sees that.
        EXPECT_TRUE(got == "Corruption" || (got.size() < bytes.size() && bytes.starts_with(got)))
            << from << " to " << to;
        ASSERT_TRUE(sealed.below.overwrite("/a", to * kPageBytes, page(a, to)));
      }
    }
  }
  EXPECT_TRUE(sealed.read("/a") == bytes);
}

TEST(EncryptedDamage, AnEarlierStateOfAFileIsOnlyEverAShorterOne) {
  Sealed sealed;
  auto file = must(sealed.files.create_writable("/f", FileClass::kManifest));
  std::vector<std::string> states;
  for (int i = 0; i < 4; ++i) {
    ASSERT_OK(file->append(pattern(1000, static_cast<unsigned>(i))));
    ASSERT_OK(file->sync());
    states.push_back(sealed.below.content("/f"));
  }
  for (std::size_t i = 1; i < states.size(); ++i)
    EXPECT_EQ(states[i].substr(0, states[i - 1].size()), states[i - 1]) << "nothing was written twice";
}

// --- the power goes -----------------------------------------------------------------------------------------------

// A log of records, each a hash and as many bytes, appended and synced in pieces, as the manifest is.
TEST(EncryptedCrash, KeepsWhatWasSyncedAndEndsWhereTheRestIsTorn) {
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 1; seed <= testing_support::simulated_seeds(300); ++seed) {
    Sealed sealed(seed, {.write_back = true});
    env::Dice dice(seed);
    std::string written;
    std::size_t durable = 0;
    {
      auto file = must(sealed.files.create_writable("/f", FileClass::kManifest));
      ASSERT_OK(sealed.below.sync_directory("/"));
      const std::uint64_t steps = dice.below(12);
      for (std::uint64_t i = 0; i < steps; ++i) {
        const std::string piece = pattern(dice.below(15'000), static_cast<unsigned>(dice.next()));
        ASSERT_OK(file->append(piece));
        written += piece;
        if (dice.one_in(3)) {
          ASSERT_OK(file->sync());
          durable = written.size();
        }
      }
      if (dice.one_in(2)) ASSERT_OK(file->flush());
      sealed.below.crash(CrashMode::kRandom);
    }
    auto file = sealed.files.open_random_access("/f", FileClass::kManifest);
    if (!file) {
      EXPECT_EQ(durable, 0u) << seed << ": " << file.error().to_string();
      ++seen["torn header"];
      continue;
    }
    std::string bytes((*file)->size(), '\0');
    const Status status = (*file)->read(0, bytes);
    ASSERT_TRUE(status) << "seed " << seed << ": " << status.error().to_string();
    EXPECT_GE(bytes.size(), durable) << seed;
    EXPECT_TRUE(written.starts_with(bytes)) << seed;
    ++seen[bytes.size() == written.size() ? "all" : bytes.size() == durable ? "synced" : "between"];
  }
#ifndef __SANITIZE_THREAD__
  for (const char* outcome : {"torn header", "all", "synced", "between"}) EXPECT_GT(seen[outcome], 0) << outcome;
#endif
}

TEST(EncryptedCrash, DamageBeforeWhatWasSyncedIsNotTakenForTheEnd) {
  Sealed sealed;
  auto file = must(sealed.files.create_writable("/f", FileClass::kManifest));
  for (int i = 0; i < 5; ++i) {
    ASSERT_OK(file->append(std::string(100, static_cast<char>('a' + i))));
    ASSERT_OK(file->sync());
  }
  ASSERT_OK(file->close());
  for (const std::uint64_t page : {0u, 1u, 2u, 3u}) {
    ASSERT_TRUE(sealed.below.flip_bit("/f", (page + 1) * kPageBytes + 50));
    const auto opened = must(sealed.files.open_random_access("/f", FileClass::kManifest));
    EXPECT_EQ(opened->size(), 500u);
    std::string part(100, '\0');
    for (std::uint64_t record = 0; record < 5; ++record) {
      if (record == page) {
        EXPECT_CODE(kCorruption, opened->read(record * 100, part));
      } else {
        EXPECT_OK(opened->read(record * 100, part));
      }
    }
    ASSERT_TRUE(sealed.below.flip_bit("/f", (page + 1) * kPageBytes + 50));
  }
}

TEST(EncryptedCrash, AfterAFailureNothingIsSealedAgain) {
  for (const auto kind : {env::IoKind::kWrite, env::IoKind::kSync}) {
    Sealed sealed;
    auto file = must(sealed.files.create_writable("/f", FileClass::kManifest));
    ASSERT_OK(file->append("first"));
    ASSERT_OK(file->sync());
    sealed.below.add_fault({.kind = kind, .path_part = "/f"});
    ASSERT_OK(file->append("second"));
    EXPECT_FALSE(file->sync());
    sealed.below.clear_faults();
    const std::string after = sealed.below.content("/f");
    EXPECT_FALSE(file->append("third"));
    EXPECT_FALSE(file->flush());
    EXPECT_FALSE(file->sync());
    EXPECT_FALSE(file->close());
    EXPECT_EQ(sealed.below.content("/f"), after);
  }
}

// --- beside a model -----------------------------------------------------------------------------------------------

// Any sequence of calls gives what it gives on a plain file system.
void run_beside_a_model(std::uint64_t seed) {
  SCOPED_TRACE("LIGHTNING_TEST_SEED=" + std::to_string(seed));
  Sealed sealed(seed);
  SimulatedFileSystem model(seed);
  env::Dice dice(seed);
  const auto below = [&](std::uint64_t limit) { return dice.below(limit); };
  const auto name = [&] { return "/f" + std::to_string(below(6)); };
  // Two by two: on the encrypted one, on the model.
  std::map<std::string, std::pair<std::unique_ptr<env::WritableFile>, std::unique_ptr<env::WritableFile>>> open;
  const auto expect_alike = [](const Status& one, const Status& two) {
    ASSERT_EQ(one.has_value(), two.has_value()) << (one ? two : one).error().to_string();
    if (one) return;
    EXPECT_EQ(one.error().code(), two.error().code());
  };
  const auto as_status = [](const auto& result) { return result ? Status() : Status(result.error()); };

  for (int step = 0; step < 400 && !::testing::Test::HasFatalFailure(); ++step) {
    const std::string path = name(), other = name();
    const FileClass file_class = below(2) == 0 ? FileClass::kTable : FileClass::kOther;
    switch (below(10)) {
      case 0: {
        auto one = sealed.files.create_writable(path, file_class);
        auto two = model.create_writable(path, file_class);
        expect_alike(as_status(one), as_status(two));
        if (one && two) open[path] = {std::move(*one), std::move(*two)};
        break;
      }
      case 1:
      case 2:
      case 3: {
        if (open.empty()) break;
        auto& [one, two] = std::next(open.begin(), static_cast<long>(below(open.size())))->second;
        const std::string bytes = pattern(below(3) == 0 ? below(20'000) : below(100), static_cast<unsigned>(step));
        expect_alike(one->append(bytes), two->append(bytes));
        EXPECT_EQ(one->size(), two->size());
        if (below(3) == 0) expect_alike(one->sync(), two->sync());
        break;
      }
      case 4: {
        const auto found = open.find(path);
        if (found == open.end()) break;
        expect_alike(found->second.first->close(), found->second.second->close());
        open.erase(found);
        break;
      }
      case 5:
        if (!open.contains(path)) expect_alike(sealed.files.remove(path), model.remove(path));
        break;
      case 6:
        if (!open.contains(path) && !open.contains(other))
          expect_alike(sealed.files.rename(path, other), model.rename(path, other));
        break;
      case 7:
        expect_alike(sealed.files.link(path, other), model.link(path, other));
        break;
      default: {
        for (auto& [opened, files] : open) expect_alike(files.first->flush(), files.second->flush());
        const auto one = sealed.files.open_random_access(path, file_class);
        const auto two = model.open_random_access(path, file_class);
        expect_alike(as_status(one), as_status(two));
        if (!one || !two) break;
        ASSERT_EQ((*one)->size(), (*two)->size());
        EXPECT_EQ(must(sealed.files.info(path)).bytes, (*two)->size());
        EXPECT_EQ(must(sealed.files.read_file(path, 1 << 20)), must(model.read_file(path, 1 << 20)));
        std::vector<std::string> got(8), wanted(8);
        std::vector<env::RandomAccessFile::Request> requests;
        for (std::size_t i = 0; i < got.size(); ++i) {
          const std::uint64_t at = below((*two)->size() + 2);
          got[i].resize(below(9000));
          wanted[i].resize(got[i].size());
          requests.push_back({.offset = at, .into = got[i]});
        }
        (*one)->read_many(requests);
        for (std::size_t i = 0; i < got.size(); ++i) {
          expect_alike(requests[i].status, (*two)->read(requests[i].offset, wanted[i]));
          EXPECT_TRUE(!requests[i].status || got[i] == wanted[i]);
        }
      }
    }
    EXPECT_EQ(must(sealed.files.list("/")), must(model.list("/")));
  }
}

TEST(EncryptedModel, DoesWhatAPlainFileSystemDoes) {
  if (const char* chosen = std::getenv("LIGHTNING_TEST_SEED"))
    return run_beside_a_model(std::strtoull(chosen, nullptr, 10));
  for (std::uint64_t seed = 1; seed <= testing_support::simulated_seeds(30); ++seed) {
    run_beside_a_model(seed);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace lightning::crypto
