#include "place.h"

#include <cstdlib>
#include <filesystem>

#include "env/posix_file_system.h"
#include "env/simulated_file_system.h"

namespace lightning::env {

namespace {

class PosixPlace final : public Place {
 public:
  PosixPlace() {
    std::string name = (std::filesystem::temp_directory_path() / "lightning-env-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    root_ = name;
  }
  ~PosixPlace() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  FileSystem& files() override { return files_; }
  const std::string& root() const override { return root_; }

 private:
  PosixFileSystem files_;
  std::string root_;
};

class SimulatedPlace final : public Place {
 public:
  SimulatedPlace() : files_(1), root_("/store") { EXPECT_OK(files_.create_directories(root_)); }
  FileSystem& files() override { return files_; }
  const std::string& root() const override { return root_; }

 private:
  SimulatedFileSystem files_;
  std::string root_;
};

}  // namespace

std::unique_ptr<Place> make_posix_place() { return std::make_unique<PosixPlace>(); }
std::unique_ptr<Place> make_simulated_place() { return std::make_unique<SimulatedPlace>(); }

void write_whole(FileSystem& files, const std::string& path, std::string_view bytes) {
  auto file = must(files.create_writable(path, FileClass::kOther));
  EXPECT_OK(file->append(bytes));
  EXPECT_OK(file->sync());
  EXPECT_OK(file->close());
}

std::string read_whole(FileSystem& files, const std::string& path) {
  auto bytes = files.read_file(path, 1ull << 30);
  return bytes ? *bytes : bytes.error().to_string();
}

std::string pattern(std::size_t bytes, unsigned seed) {
  std::string text(bytes, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (char& c : text) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

}  // namespace lightning::env
