// Destination: where the files of an archive go: a directory, or a command of the user's.
#pragma once

#include <memory>
#include <string>

#include "archive/history_file.h"
#include "lightning/config.h"

namespace lightning::archive {

// Threads: one at a time.
class Destination {
 public:
  virtual ~Destination() = default;
  // Where history files are made: complete and synced as NAME.part, then renamed.
  virtual const std::string& workshop() const = 0;
  // A history file is durable in the workshop under its name. At return it is in the archive.
  virtual Status deliver_history(const std::string& name) = 0;
  // The same for any other file, which stays where it is.
  virtual Status deliver(const std::string& path, const std::string& name) = 0;
  // The manifest knows that the file is in the archive.
  virtual void recorded(const std::string& name) = 0;
  // Before the first file. kConfigInvalid if what is there is another history than that which ends at `mark`.
  virtual Status check(const format::Uid& store_id, const manifest::VersionEdit::ArchiveMark& mark) = 0;
};

// `waiting`: the store's own directory of what is to be archived.
std::unique_ptr<Destination> make_destination(env::Env& env, const LightningDbConfig& config,
                                              const std::string& waiting);

// `command` with %p, %f and %% replaced.
std::string command_for(const std::string& command, const std::string& path, const std::string& name);

}  // namespace lightning::archive
