// A file system with an empty directory to work in, the same story for every implementation.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "env/file_system.h"
#include "support/expect.h"
#include "support/must.h"

namespace lightning::env {

class Place {
 public:
  virtual ~Place() = default;
  virtual FileSystem& files() = 0;
  virtual const std::string& root() const = 0;  // an existing directory
  std::string path(const std::string& name) const { return root() + "/" + name; }
};

// A new directory of the operating system, removed with all it holds at the end.
std::unique_ptr<Place> make_posix_place();
std::unique_ptr<Place> make_simulated_place();

// What conformance_test.cc holds to the contract; each program that it is part of has its own.
struct Implementation {
  const char* name;
  std::unique_ptr<Place> (*make)();
};
std::vector<Implementation> implementations();

// Creates `path` holding `bytes`, synced.
void write_whole(FileSystem& files, const std::string& path, std::string_view bytes);
// The content of `path`, or its error's text.
std::string read_whole(FileSystem& files, const std::string& path);

// Bytes that differ from place to place, so that misplaced ones show.
std::string pattern(std::size_t bytes, unsigned seed = 1);

}  // namespace lightning::env
