// Runs part of a test in a child process, so that what it leaks ends with it.
//
// For tests that kill many simulated worlds: what abandoned fibers owned is lost by design, and thousands of such
// deaths in one process would use up its memory. A few hundred worlds per child keep it small.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

namespace lightning::testing_support {

// True if `body` returned in the child without a failed expectation. The calling process must have one thread only.
inline bool passes_in_child(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace lightning::testing_support
