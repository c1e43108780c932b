// Work in processes that take turns: killed worlds do not give back their memory, a process that ends does.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <new>
#include <string>

namespace lightning::sim {

// What parent and children share; a program adds its own counters to it.
struct PoolShare {
  std::atomic<std::uint64_t> next{0};  // the first piece of work that nobody has taken
  std::atomic<std::uint64_t> failures{0};
};

// Prints the line and counts a failure.
void report(PoolShare& share, const std::string& line);

// A `Share`, which extends PoolShare, in memory that children will see too. Null without memory; it lives as long as
// the process.
template <class Share>
Share* make_share() {
  void* const memory = ::mmap(nullptr, sizeof(Share), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : new (memory) Share;
}

// Until is_done(), starts processes, at most `jobs` at a time, that each run work() and end. work() begins by raising
// `next`. A process that dies otherwise is a failure, with a line that ends in where(). False if processes cannot be
// made, or die before they take work.
bool run_processes(PoolShare& share, std::uint64_t jobs, const std::function<void()>& work,
                   const std::function<bool()>& is_done, const std::function<std::string()>& where);

}  // namespace lightning::sim
