// Runs every target with its seeds, those of the tree and those that are made here, as tests
// fuzz.<target>.SeedsDoNoHarm.
//
//   build/dev/tests/fuzz_tests --write-seeds    makes the seeds of the tree anew; what was found stays
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/make_seeds/seeds.h"
#include "fuzz/support/bytes.h"
#include "fuzz/support/target.h"

namespace lightning::fuzz {
namespace {

namespace fs = std::filesystem;

const fs::path kTree = LIGHTNING_FUZZ_SEEDS;
constexpr std::string_view kFound = "found-";  // names of what no program makes

SeedsOfTarget seeds_in_tree(const std::string& target) {
  SeedsOfTarget seeds;
  if (!fs::exists(kTree / target)) return seeds;
  for (const fs::directory_entry& entry : fs::directory_iterator(kTree / target)) {
    std::ifstream file(entry.path(), std::ios::binary);
    seeds[entry.path().filename().string()].assign(std::istreambuf_iterator<char>(file), {});
  }
  return seeds;
}

class SeedsDoNoHarm : public testing::Test {
 public:
  SeedsDoNoHarm(std::string name, Target target) : name_(std::move(name)), target_(target) {}
  void TestBody() override {
    static const Seeds all_made = make_seeds();
    const auto found = all_made.find(name_);
    ASSERT_NE(found, all_made.end()) << "no seeds are made for this target";
    const SeedsOfTarget& made = found->second;
    SeedsOfTarget there = seeds_in_tree(name_);
    for (const auto& [name, bytes] : made)
      EXPECT_TRUE(there.contains(name)) << name << " is not in the tree: fuzz_tests --write-seeds";
    for (const auto& [name, bytes] : there)
      EXPECT_TRUE(made.contains(name) || name.starts_with(kFound)) << name << " is made by nobody";
    for (const SeedsOfTarget* seeds : {&made, static_cast<const SeedsOfTarget*>(&there)})
      for (const auto& [name, bytes] : *seeds) run(name, bytes);
  }

 private:
  void run(const std::string& name, const std::string& bytes) {
    SCOPED_TRACE(name);  // and for whoever finds the process dead:
    if (std::getenv("LIGHTNING_FUZZ_VERBOSE") != nullptr) std::fprintf(stderr, "%s\n", name.c_str());
    const Alone input(bytes);
    const bool taken = target_(input.view());
    EXPECT_TRUE(taken || !name.starts_with("valid")) << "the format has changed: make the seeds anew";
    // Cut, and with each bit of its front turned: what a fuzzer does first.
    for (std::size_t cut = 0; cut < bytes.size(); cut += 1 + bytes.size() / 16)
      target_(Alone(std::string_view(bytes).substr(0, cut)).view());
    std::string turned = bytes;
    for (std::size_t bit = 0; bit < bytes.size() * 8; bit += 1 + bytes.size() / 4) {
      const char mask = static_cast<char>(1 << bit % 8);
      turned[bit / 8] = static_cast<char>(turned[bit / 8] ^ mask);
      target_(Alone(turned).view());
      turned[bit / 8] = bytes[bit / 8];
    }
  }

  const std::string name_;
  const Target target_;
};

void write_seeds() {
  std::uint64_t bytes_written = 0, files = 0;
  for (const auto& [target, seeds] : make_seeds()) {
    fs::create_directories(kTree / target);
    for (const auto& [name, there] : seeds_in_tree(target))
      if (!std::string_view(name).starts_with(kFound)) fs::remove(kTree / target / name);
    for (const auto& [name, bytes] : seeds) {
      std::ofstream(kTree / target / name, std::ios::binary) << bytes;
      bytes_written += bytes.size();
      ++files;
    }
  }
  std::printf("%llu seeds, %llu bytes\n", static_cast<unsigned long long>(files),
              static_cast<unsigned long long>(bytes_written));
}

}  // namespace
}  // namespace lightning::fuzz

int main(int argc, char** argv) {
  using namespace lightning::fuzz;
  testing::InitGoogleTest(&argc, argv);
  if (argc == 2 && std::string_view(argv[1]) == "--write-seeds") {
    write_seeds();
    return 0;
  }
  for (const auto& [name, target] : targets())
    testing::RegisterTest(name.c_str(), "SeedsDoNoHarm", nullptr, nullptr, __FILE__, __LINE__,
                          [named = name, run = target] { return new SeedsDoNoHarm(named, run); });
  return RUN_ALL_TESTS();
}
