// The contract of a file system, kept by encrypted ones (env/conformance_test.cc).
#include "crypto/encrypted_file_system.h"
#include "env/place.h"
#include "keyed.h"

namespace lightning::env {

namespace {

class EncryptedPlace final : public Place {
 public:
  explicit EncryptedPlace(std::unique_ptr<Place> below)
      : below_(std::move(below)),
        keyring_(crypto::create_keyring(keyring_files_, entropy_)),
        files_(below_->files(), *keyring_, is_plain, entropy_) {}
  FileSystem& files() override { return files_; }
  const std::string& root() const override { return below_->root(); }

 private:
  // Logs, what is updated in place, reserved space and locks.
  static bool is_plain(std::string_view name) {
    return name == "l" || name == "m" || name == "s" || name == "space" || name.starts_with("LOCK");
  }

  std::unique_ptr<Place> below_;
  SimulatedFileSystem keyring_files_{1};
  crypto::SeededEntropy entropy_;
  std::unique_ptr<crypto::Keyring> keyring_;
  crypto::EncryptedFileSystem files_;
};

std::unique_ptr<Place> make_encrypted_posix_place() { return std::make_unique<EncryptedPlace>(make_posix_place()); }
std::unique_ptr<Place> make_encrypted_simulated_place() {
  return std::make_unique<EncryptedPlace>(make_simulated_place());
}

}  // namespace

std::vector<Implementation> implementations() {
  return {{"EncryptedPosix", make_encrypted_posix_place}, {"EncryptedSimulated", make_encrypted_simulated_place}};
}

}  // namespace lightning::env
