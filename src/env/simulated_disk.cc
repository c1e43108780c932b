#include "env/simulated_disk.h"

#include <algorithm>
#include <cerrno>

namespace lightning::env {

namespace {

// The next component of `path`, which is cut; empty at the end.
std::string_view next_component(std::string_view& path) {
  for (;;) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size());
    if (name != ".") return name;
  }
}

}  // namespace

SimulatedDisk::SimulatedDisk(std::uint64_t capacity_bytes)
    : root_(std::make_shared<Node>()), capacity_(capacity_bytes) {
  root_->is_directory = true;
  root_->links = 1;
}

// Changes and directories point at each other.
SimulatedDisk::~SimulatedDisk() {
  for (const NodePtr& node : unsynced_) node->pending.clear();
}

// --- names as they are --------------------------------------------------------------------------------------------

int SimulatedDisk::find(std::string_view path, NodePtr& node) const {
  if (path.empty()) return ENOENT;
  const bool wants_directory = path.ends_with('/');
  const NodePtr* at = &root_;
  for (std::string_view name = next_component(path); !name.empty(); name = next_component(path)) {
    if (!(*at)->is_directory) return ENOTDIR;
    const auto found = (*at)->names.find(name);
    if (found == (*at)->names.end()) return ENOENT;
    at = &found->second;
  }
  if (wants_directory && !(*at)->is_directory) return ENOTDIR;
  node = *at;
  return 0;
}

int SimulatedDisk::find_place(std::string_view path, Place& place) const {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  place.name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  if (place.name.empty()) return path.empty() ? ENOENT : EEXIST;
  const std::string_view parent = slash == std::string_view::npos ? "/" : path.substr(0, slash + 1);
  return find(parent, place.directory);
}

int SimulatedDisk::create_file(std::string_view path, FileClass file_class, NodePtr& node) {
  Place place;
  if (const int error = find_place(path, place)) return error;
  if (place.directory->names.contains(place.name)) return EEXIST;
  node = std::make_shared<Node>();
  node->file_class = file_class;
  change({{place.directory, std::string(place.name), node}});
  return 0;
}

int SimulatedDisk::create_directory(std::string_view path) {
  Place place;
  if (const int error = find_place(path, place)) return error;
  if (place.directory->names.contains(place.name)) return EEXIST;
  auto node = std::make_shared<Node>();
  node->is_directory = true;
  change({{place.directory, std::string(place.name), std::move(node)}});
  return 0;
}

int SimulatedDisk::rename(std::string_view from, std::string_view to) {
  Place source, target;
  NodePtr node;
  if (const int error = find(from, node)) return error;
  if (const int error = find_place(from, source)) return error;
  if (const int error = find_place(to, target)) return error;
  if (const auto found = target.directory->names.find(target.name); found != target.directory->names.end()) {
    if (found->second == node) return 0;
    if (found->second->is_directory && !node->is_directory) return EISDIR;
    if (!found->second->is_directory && node->is_directory) return ENOTDIR;
    if (found->second->is_directory && !found->second->names.empty()) return ENOTEMPTY;
  }
  change({{source.directory, std::string(source.name), nullptr}, {target.directory, std::string(target.name), node}});
  return 0;
}

int SimulatedDisk::remove(std::string_view path) {
  Place place;
  NodePtr node;
  if (const int error = find(path, node)) return error;
  if (const int error = find_place(path, place)) return error == EEXIST ? EBUSY : error;
  if (node->is_directory && !node->names.empty()) return ENOTEMPTY;
  change({{place.directory, std::string(place.name), nullptr}});
  return 0;
}

int SimulatedDisk::link(std::string_view from, std::string_view to) {
  Place place;
  NodePtr node;
  if (const int error = find(from, node)) return error;
  if (const int error = find_place(to, place)) return error;
  if (place.directory->names.contains(place.name)) return EEXIST;
  if (node->is_directory) return EPERM;
  change({{place.directory, std::string(place.name), node}});
  return 0;
}

void SimulatedDisk::change(std::vector<Change::Half> halves) {
  auto made = std::make_shared<Change>();
  made->halves = std::move(halves);
  made->number = ++changes_;
  for (const Change::Half& half : made->halves)  // first: a file that only gets another name is never without one
    if (half.node != nullptr) ++half.node->links;
  for (const Change::Half& half : made->halves) {
    NodePtr& entry = half.directory->names[half.name];
    const NodePtr former = std::exchange(entry, half.node);
    if (half.node == nullptr) half.directory->names.erase(half.name);
    if (former != nullptr) {
      --former->links;
      release_if_unused(*former);
    }
    note_unsynced(half.directory);
    auto& pending = half.directory->pending;
    if (pending.empty() || pending.back() != made) pending.push_back(made);
  }
}

// --- names on the disk --------------------------------------------------------------------------------------------

void SimulatedDisk::apply_durably(Change& change) {
  if (change.durable) return;
  change.durable = true;
  for (const Change::Half& half : change.halves) {
    if (half.node != nullptr)
      half.directory->durable_names[half.name] = half.node;
    else
      half.directory->durable_names.erase(half.name);
  }
}

// A change of two directories drags along what came before it in both: a journal has one order.
void SimulatedDisk::apply_with_predecessors(Change& change) {
  if (change.durable) return;
  for (const Change::Half& half : change.halves) {
    if (half.directory == change.halves.front().directory && &half != &change.halves.front()) continue;
    for (const auto& earlier : half.directory->pending) {
      if (earlier->number >= change.number) break;
      if (!earlier->durable) apply_with_predecessors(*earlier);
    }
  }
  apply_durably(change);
}

void SimulatedDisk::sync_directory(Node& directory) {
  for (const auto& pending : directory.pending) apply_with_predecessors(*pending);
  directory.pending.clear();
}

int SimulatedDisk::sync_parent(std::string_view path) {
  Place place;
  if (const int error = find_place(path, place)) return error;
  sync_directory(*place.directory);
  return 0;
}

std::uint64_t SimulatedDisk::pending() const {
  std::uint64_t count = 0;
  for (const NodePtr& node : unsynced_)
    count += node->is_directory ? (node->pending.empty() ? 0 : 1) : node->content.pending();
  return count;
}

void SimulatedDisk::cut_power(PowerCut& cut, bool any_subset_of_names) {
  const std::vector<NodePtr> unsynced = std::exchange(unsynced_, {});
  for (const NodePtr& node : unsynced) {
    node->listed = false;
    if (!node->is_directory) node->content.cut_power(cut);
  }
  cut_names(unsynced, cut, any_subset_of_names);
  recount();
}

void SimulatedDisk::cut_names(const std::vector<NodePtr>& unsynced, PowerCut& cut, bool any_subset) {
  std::map<std::uint64_t, Change*> kept;  // by number
  for (const NodePtr& node : unsynced) {
    const std::uint64_t prefix = any_subset ? node->pending.size() : cut.prefix(node->pending.size());
    for (std::uint64_t i = 0; i < prefix; ++i)
      if (!any_subset || cut.coin()) kept.emplace(node->pending[i]->number, node->pending[i].get());
  }
  for (const auto& [number, change] : kept) any_subset ? apply_durably(*change) : apply_with_predecessors(*change);
  for (const NodePtr& node : unsynced) {
    node->pending.clear();
    if (node->is_directory) node->names = node->durable_names;
  }
}

// --- space --------------------------------------------------------------------------------------------------------

std::uint64_t SimulatedDisk::write(const NodePtr& file, std::uint64_t offset, std::string_view bytes) {
  const std::uint64_t size = file->content.size();
  const std::uint64_t limit = size + free_bytes();
  if (offset >= limit && !bytes.empty()) return 0;
  bytes = bytes.substr(0, limit - offset);
  note_unsynced(file);
  file->content.write(offset, bytes);
  used_ += file->content.size() - size;
  return bytes.size();
}

bool SimulatedDisk::allocate(const NodePtr& file, std::uint64_t size) {
  const std::uint64_t former = file->content.size();
  if (size > former + free_bytes()) return false;
  note_unsynced(file);
  file->content.allocate(size);
  used_ += file->content.size() - former;
  return true;
}

bool SimulatedDisk::reserve(Node& file, std::uint64_t bytes) {
  if (bytes > free_bytes()) return false;
  file.reserved = bytes;
  used_ += bytes;
  return true;
}

void SimulatedDisk::note_unsynced(const NodePtr& node) {
  if (node->listed) return;
  if (unsynced_.size() >= unsynced_trim_) {
    std::erase_if(unsynced_, [](const NodePtr& other) {
      const bool synced = other->is_directory ? other->pending.empty() : !other->content.differs_from_disk();
      if (synced) other->listed = false;
      return synced;
    });
    unsynced_trim_ = std::max<std::size_t>(64, unsynced_.size() * 2);
  }
  node->listed = true;
  unsynced_.push_back(node);
}

void SimulatedDisk::closed(Node& node) {
  --node.opens;
  release_if_unused(node);
}

void SimulatedDisk::release_if_unused(Node& node) {
  if (node.links == 0 && node.opens == 0) used_ -= std::min(used_, node.bytes());
}

// After a power cut names and their numbers are others.
void SimulatedDisk::recount() {
  const auto visit = [](auto& self, Node& directory, const auto& enter) -> void {
    for (const auto& [name, node] : directory.names) {
      enter(*node);
      if (node->is_directory) self(self, *node, enter);
    }
  };
  used_ = 0;
  visit(visit, *root_, [](Node& node) { node.links = 0; });
  visit(visit, *root_, [this](Node& node) {
    if (node.links++ == 0) used_ += node.bytes();
  });
}

}  // namespace lightning::env
