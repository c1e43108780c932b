// SimulatedDisk: names and contents, as the operating system has them and as a power cut would leave them.
//
// A directory holds its names twice: as they are, and as they are on the disk. What lies between is the ordered list of
// changes since its last sync, of which a power cut keeps a prefix (or, if asked to, any subset). A rename is one
// change, even between two directories: journaling file systems keep both halves or neither.
//
// Threads: one at a time (SimulatedFileSystem has the lock). Errors are errno values, 0 for none.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "env/file_system.h"
#include "env/simulated_content.h"

namespace lightning::env {

class SimulatedDisk {
 public:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  struct Change;

  struct Node {
    bool is_directory = false;
    FileClass file_class = FileClass::kOther;
    std::uint32_t links = 0;     // names, as they are
    std::uint32_t opens = 0;     // handles
    bool listed = false;         // in unsynced_: may differ from the disk
    SimulatedContent content;    // of a file
    std::uint64_t reserved = 0;  // space that it takes without content
    std::uint64_t bytes() const { return content.size() + reserved; }
    std::map<std::string, NodePtr, std::less<>> names, durable_names;  // of a directory
    std::vector<std::shared_ptr<Change>> pending;                      // of a directory, oldest first
  };
  // One step from a directory's durable names to its names.
  struct Change {
    struct Half {
      NodePtr directory;
      std::string name;
      NodePtr node;  // null: the name goes away
    };
    std::vector<Half> halves;
    std::uint64_t number = 0;  // order over all directories
    bool durable = false;
  };

  explicit SimulatedDisk(std::uint64_t capacity_bytes);
  ~SimulatedDisk();
  SimulatedDisk(const SimulatedDisk&) = delete;
  SimulatedDisk& operator=(const SimulatedDisk&) = delete;

  // Paths start at "/", with or without it; "." is skipped, ".." is not known.
  int find(std::string_view path, NodePtr& node) const;
  int create_file(std::string_view path, FileClass file_class, NodePtr& node);  // EEXIST
  int create_directory(std::string_view path);                                  // EEXIST
  int rename(std::string_view from, std::string_view to);
  int remove(std::string_view path);
  int link(std::string_view from, std::string_view to);
  void sync_directory(Node& directory);
  int sync_parent(std::string_view path);

  // All growth of contents goes through these. Returns how many bytes fitted.
  std::uint64_t write(const NodePtr& file, std::uint64_t offset, std::string_view bytes);
  bool allocate(const NodePtr& file, std::uint64_t size);
  bool reserve(Node& file, std::uint64_t bytes);

  void opened(Node& node) { ++node.opens; }
  void closed(Node& node);
  // Questions that a power cut would ask, about.
  std::uint64_t pending() const;
  // No file may be open.
  void cut_power(PowerCut& cut, bool any_subset_of_names);

  std::uint64_t free_bytes() const { return capacity_ > used_ ? capacity_ - used_ : 0; }
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  // After contents changed their size behind its back.
  void recount();

 private:
  struct Place {  // where a name is or would be
    NodePtr directory;
    std::string_view name;
  };
  int find_place(std::string_view path, Place& place) const;
  void change(std::vector<Change::Half> halves);
  static void apply_durably(Change& change);
  static void apply_with_predecessors(Change& change);
  void cut_names(const std::vector<NodePtr>& unsynced, PowerCut& cut, bool any_subset);
  void note_unsynced(const NodePtr& node);
  void release_if_unused(Node& node);

  const NodePtr root_;
  std::uint64_t capacity_;
  std::uint64_t used_ = 0;         // bytes of files that have a name or a handle
  std::vector<NodePtr> unsynced_;  // every node that may differ from the disk, in the order of its first change
  std::size_t unsynced_trim_ = 64;
  std::uint64_t changes_ = 0;
};

}  // namespace lightning::env
