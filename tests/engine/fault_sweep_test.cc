// Every call to the disk fails once, and every call from there on: nothing acknowledged is lost, and the store opens.
#include <gtest/gtest.h>

#include <cerrno>

#include "sim/crash_run.h"
#include "support/child_process.h"

namespace lightning::sim {
namespace {

struct Sweep {
  env::IoKind kind;
  int os_error;
};

#ifdef __SANITIZE_THREAD__
constexpr std::uint64_t kStride = 7;  // all fibers share one thread: a sample will do
#else
constexpr std::uint64_t kStride = 1;
#endif

// All n of one kind of call; ends at the first n that the program does not reach.
void sweep(const Sweep& what) {
  std::uint64_t runs = 0, errors = 0;
  for (const WalSyncMode mode : {WalSyncMode::kSync, WalSyncMode::kAsync}) {
    for (const bool sticky : {false, true}) {
      for (std::uint64_t nth = 1;; nth += kStride) {
        std::uint64_t met = 0;
        for (const bool power_cut : {false, true}) {
          const RunResult result = run_with_fault(
              {.kind = what.kind, .nth = nth, .sticky = sticky, .os_error = what.os_error}, mode, power_cut);
          EXPECT_EQ(result.failure, "") << "call " << nth << (sticky ? " and all later ones" : "") << ", mode "
                                        << static_cast<int>(mode) << (power_cut ? ", then a power cut" : "");
          met += result.errors;
          ++runs;
        }
        if (testing::Test::HasFailure()) return;
        // Calls whose failure nobody needs to hear of are in between: the end is where many in a row change nothing.
        errors += met;
        if (nth > 200 || (met == 0 && nth > 60)) break;
      }
    }
  }
  // Removals are done again at the next open, and nobody needs to hear of them.
  if (what.kind != env::IoKind::kRemove) {
    EXPECT_GT(errors, runs / 50) << "hardly a fault was met in " << runs << " runs";
  }
}

class FaultSweep : public testing::TestWithParam<Sweep> {};

TEST_P(FaultSweep, LosesNothingAcknowledgedAndOpensAgain) {
  EXPECT_TRUE(testing_support::passes_in_child([] { sweep(GetParam()); }));
}

INSTANTIATE_TEST_SUITE_P(Creates, FaultSweep,
                         testing::Values(Sweep{env::IoKind::kCreate, EIO}, Sweep{env::IoKind::kCreate, ENOSPC}));
INSTANTIATE_TEST_SUITE_P(Writes, FaultSweep,
                         testing::Values(Sweep{env::IoKind::kWrite, EIO}, Sweep{env::IoKind::kWrite, ENOSPC}));
INSTANTIATE_TEST_SUITE_P(Syncs, FaultSweep, testing::Values(Sweep{env::IoKind::kSync, EIO}));
INSTANTIATE_TEST_SUITE_P(DirectorySyncs, FaultSweep, testing::Values(Sweep{env::IoKind::kSyncDirectory, EIO}));
INSTANTIATE_TEST_SUITE_P(Removals, FaultSweep, testing::Values(Sweep{env::IoKind::kRemove, EIO}));

}  // namespace
}  // namespace lightning::sim
