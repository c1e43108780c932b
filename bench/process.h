// What Linux says about this process and its files.
#pragma once

#include <cstdint>
#include <string>

namespace lightning::bench {

struct ProcessMemory {
  std::uint64_t anonymous = 0, file = 0;  // resident bytes
};
ProcessMemory resident_memory();

// Bytes that this process caused to be sent to the storage layer, counted when a page becomes dirty, less what was
// truncated before it went out.
std::uint64_t written_bytes();

// User and system time of all threads.
double cpu_seconds();

// Allocated bytes of all files below `path`.
std::uint64_t allocated_bytes(const std::string& path);

// Returns once the process has used next to no processor time and written nothing for a third of a second: its
// background work is done. The same for every engine, whatever it can say about itself. Gives up after two minutes.
void wait_until_quiet();

// Writes back everything on the file system of `path`, so that one trial does not pay for the one before.
void sync_file_system(const std::string& path);

}  // namespace lightning::bench
