// The calls of FileSystem on a simulated disk. What each call goes through (scheduling, counting, faults, crashes) and
// the contents of open files are in simulated_io.cc.
#include "env/simulated_file_system.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/sync.h"
#include "env/os_error.h"
#include "env/posix_lock.h"
#include "env/simulated_files.h"

namespace lightning::env {

using Guard = std::lock_guard<std::mutex>;

SimulatedFileSystem::SimulatedFileSystem(std::uint64_t seed, Options options)
    : options_(std::move(options)), dice_(seed), disk_(options_.capacity_bytes) {}

SimulatedFileSystem::~SimulatedFileSystem() = default;

// --- opening and creating -----------------------------------------------------------------------------------------

Result<SimulatedFileSystem::Handle> SimulatedFileSystem::open_handle(SimulatedDisk::NodePtr node,
                                                                     const std::string& path, FileClass file_class) {
  if (opens_.size() - free_slots_.size() >= options_.open_files_max)
    return system_error(EMFILE, "cannot open the file", path);
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(opens_.size()));
    opens_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  disk_.opened(*node);
  Open open;
  open.node = std::move(node);
  open.used = true;
  opens_[slot] = std::move(open);
  return Handle{.files = this, .life = life_, .slot = slot, .file_class = file_class, .path = path};
}

Result<SimulatedFileSystem::Handle> SimulatedFileSystem::open_existing(const std::string& path, FileClass file_class,
                                                                       std::string_view what) {
  const Io io{.kind = IoKind::kOpen, .file_class = file_class, .path = &path};
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  Result<Handle> handle = [&]() -> Result<Handle> {
    if (entered.os_error != 0) return system_error(entered.os_error, what, path);
    Guard guard(mutex_);
    SimulatedDisk::NodePtr node;
    if (const int error = disk_.find(path, node)) return system_error(error, what, path);
    if (node->is_directory) return Error(ErrorCode::kStorageUnavailable, "this is not a regular file").at_file(path);
    return open_handle(std::move(node), path, file_class);
  }();
  LIGHTNING_TRY(leave(entered, io));
  return handle;
}

Result<SimulatedFileSystem::Handle> SimulatedFileSystem::create(const std::string& path, FileClass file_class,
                                                                std::string_view what) {
  const Io io{.kind = IoKind::kCreate, .file_class = file_class, .path = &path};
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  Result<Handle> handle = [&]() -> Result<Handle> {
    if (entered.os_error != 0) return system_error(entered.os_error, what, path);
    Guard guard(mutex_);
    if (opens_.size() - free_slots_.size() >= options_.open_files_max) return system_error(EMFILE, what, path);
    SimulatedDisk::NodePtr node;
    if (const int error = disk_.create_file(path, file_class, node)) return system_error(error, what, path);
    return open_handle(std::move(node), path, file_class);
  }();
  LIGHTNING_TRY(leave(entered, io));
  return handle;
}

Result<std::unique_ptr<RandomAccessFile>> SimulatedFileSystem::open_random_access(const std::string& path,
                                                                                  FileClass file_class) {
  LIGHTNING_ASSIGN(const Handle handle, open_existing(path, file_class, "cannot open the file"));
  return std::make_unique<SimulatedRandomAccessFile>(handle, size(handle));
}

Result<std::unique_ptr<WritableFile>> SimulatedFileSystem::create_writable(const std::string& path,
                                                                           FileClass file_class) {
  LIGHTNING_ASSIGN(const Handle handle, create(path, file_class, "cannot create the file"));
  return std::make_unique<SimulatedWritableFile>(handle);
}

Result<std::unique_ptr<UpdatableFile>> SimulatedFileSystem::open_updatable(const std::string& path,
                                                                           FileClass file_class, std::uint64_t size) {
  Result<Handle> created = create(path, file_class, "cannot create the file");
  if (created) {
    auto file = std::make_unique<SimulatedUpdatableFile>(*created);
    LIGHTNING_TRY(write(*created, 0, std::string(size, '\0')));
    return file;
  }
  if (created.error().context().os_error != EEXIST) return std::move(created).error();
  LIGHTNING_ASSIGN(const Handle handle, open_existing(path, file_class, "cannot open the file"));
  return std::make_unique<SimulatedUpdatableFile>(handle);
}

Result<std::unique_ptr<LogFile>> SimulatedFileSystem::create_log(const std::string& path, std::uint64_t size) {
  if (size == 0) return Error(ErrorCode::kInvalidArgument, "a log segment needs at least one byte").at_file(path);
  LIGHTNING_ASSIGN(const Handle handle, create(path, FileClass::kLog, "cannot create the log segment"));
  Status made = allocate_log(handle, path, size);
  if (made) made = sync(handle, 0, 0);
  Guard guard(mutex_);
  Open* const open = find_open(handle);
  if (made && open != nullptr) return std::make_unique<SimulatedLogFile>(handle, open->node->content.data(), size);
  if (open != nullptr) {  // half a segment would only take space
    release(handle.slot);
    (void)disk_.remove(path);
  }
  return made ? dead_error(path) : std::move(made).error();
}

Status SimulatedFileSystem::allocate_log(const Handle& handle, const std::string& path, std::uint64_t size) {
  const Io io{.kind = IoKind::kWrite, .file_class = FileClass::kLog, .path = &path, .offset = 0, .bytes = size};
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  int error = entered.os_error;
  if (!entered.cut_short()) {
    Guard guard(mutex_);
    Open* const open = find_open(handle);
    if (open == nullptr) return dead_error(path);
    if (!disk_.allocate(open->node, size)) error = ENOSPC;
  }
  LIGHTNING_TRY(leave(entered, io));
  if (error != 0) return system_error(error, "cannot allocate the log segment", path);
  return {};
}

Result<std::unique_ptr<LogFile>> SimulatedFileSystem::reuse_log(const std::string& path) {
  LIGHTNING_ASSIGN(const Handle handle, open_existing(path, FileClass::kLog, "cannot open the log segment"));
  Guard guard(mutex_);
  Open* const open = find_open(handle);
  if (open == nullptr) return dead_error(path);
  SimulatedContent& content = open->node->content;
  if (content.size() == 0) {
    release(handle.slot);
    return short_file_error(path, 0, 1, 0);
  }
  return std::make_unique<SimulatedLogFile>(handle, content.data(), content.size());
}

Result<std::unique_ptr<FileLock>> SimulatedFileSystem::lock(const std::string& path, const std::string& owner_note) {
  const Io io{.kind = IoKind::kLock, .file_class = FileClass::kLock, .path = &path};
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  Result<std::unique_ptr<FileLock>> lock = [&]() -> Result<std::unique_ptr<FileLock>> {
    if (entered.os_error != 0) return system_error(entered.os_error, "cannot open the lock file", path);
    Guard guard(mutex_);
    SimulatedDisk::NodePtr node;
    int error = disk_.find(path, node);
    if (error == ENOENT) error = disk_.create_file(path, FileClass::kLock, node);
    if (error == 0 && node->is_directory) error = EISDIR;
    if (error != 0) return system_error(error, "cannot open the lock file", path);
    if (const Open* const holder = lock_holder(*node)) return lock_held_error(path, holder->lock_note);
    LIGHTNING_ASSIGN(const Handle handle, open_handle(std::move(node), path, FileClass::kLock));
    opens_[handle.slot].is_lock = true;
    opens_[handle.slot].lock_note = lock_record(owner_note);
    return std::make_unique<SimulatedLock>(handle);
  }();
  LIGHTNING_TRY(leave(entered, io));
  return lock;
}

const SimulatedFileSystem::Open* SimulatedFileSystem::lock_holder(const SimulatedDisk::Node& node) const {
  for (const Open& open : opens_)
    if (open.used && open.is_lock && open.node.get() == &node) return &open;
  return nullptr;
}

// --- looking ------------------------------------------------------------------------------------------------------

Status SimulatedFileSystem::look(const std::string& path, SimulatedDisk::NodePtr& node, std::string_view what) {
  const Io io{.kind = IoKind::kLook, .path = &path};
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  int error = entered.os_error;
  if (error == 0) {
    Guard guard(mutex_);
    error = disk_.find(path, node);
  }
  LIGHTNING_TRY(leave(entered, io));
  if (error != 0) return system_error(error, what, path);
  return {};
}

Result<std::string> SimulatedFileSystem::read_file(const std::string& path, std::uint64_t bytes_max) {
  LIGHTNING_ASSIGN(const Handle handle, open_existing(path, FileClass::kOther, "cannot open the file"));
  const SimulatedHandle closer(handle);
  const std::uint64_t bytes = size(handle);
  if (bytes > bytes_max)
    return Error(ErrorCode::kCorruption, "file is larger than it can be: " + std::to_string(bytes) +
                                             " bytes, expected at most " + std::to_string(bytes_max))
        .at_file(path);
  std::string content(static_cast<std::size_t>(bytes), '\0');
  LIGHTNING_TRY(read(handle, 0, content));
  return content;
}

Result<bool> SimulatedFileSystem::exists(const std::string& path) {
  SimulatedDisk::NodePtr node;
  Status found = look(path, node, "cannot look for the file");
  if (found) return true;
  if (found.error().code() == ErrorCode::kStorageUnavailable) return false;
  return std::move(found).error();
}

Result<FileInfo> SimulatedFileSystem::info(const std::string& path) {
  SimulatedDisk::NodePtr node;
  LIGHTNING_TRY(look(path, node, "cannot look at the file"));
  Guard guard(mutex_);
  return FileInfo{.bytes = node->bytes(), .is_directory = node->is_directory};
}

Result<std::vector<std::string>> SimulatedFileSystem::list(const std::string& directory) {
  SimulatedDisk::NodePtr node;
  LIGHTNING_TRY(look(directory, node, "cannot list the directory"));
  if (!node->is_directory) return system_error(ENOTDIR, "cannot list the directory", directory);
  Guard guard(mutex_);
  std::vector<std::string> names;
  names.reserve(node->names.size());
  for (const auto& [name, entry] : node->names) names.push_back(name);
  return names;
}

Result<std::uint64_t> SimulatedFileSystem::free_bytes(const std::string& path) {
  SimulatedDisk::NodePtr node;
  LIGHTNING_TRY(look(path, node, "cannot ask for the free space"));
  Guard guard(mutex_);
  return disk_.free_bytes();
}

Status SimulatedFileSystem::reserve_space(const std::string& path, std::uint64_t bytes) {
  LIGHTNING_ASSIGN(const Handle handle, create(path, FileClass::kOther, "cannot create the file"));
  const SimulatedHandle closer(handle);
  const Io io{.kind = IoKind::kWrite, .path = &path, .offset = 0, .bytes = bytes};
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  int error = entered.os_error;
  if (!entered.cut_short()) {
    Guard guard(mutex_);
    Open* const open = find_open(handle);
    if (open == nullptr) return dead_error(path);
    if (!disk_.reserve(*open->node, bytes)) error = ENOSPC;
    if (error != 0) (void)disk_.remove(path);
  }
  LIGHTNING_TRY(leave(entered, io));
  if (error != 0) return system_error(error, "cannot reserve space", path);
  return {};
}

Result<bool> SimulatedFileSystem::is_locked(const std::string& path) {
  SimulatedDisk::NodePtr node;
  if (Status found = look(path, node, "cannot open the lock file"); !found) {
    if (found.error().code() == ErrorCode::kStorageUnavailable) return false;
    return std::move(found).error();
  }
  Guard guard(mutex_);
  return lock_holder(*node) != nullptr;
}

// --- names --------------------------------------------------------------------------------------------------------

Status SimulatedFileSystem::change_names(const Io& io, std::string_view what, const std::function<int()>& change) {
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  int error = entered.os_error;
  if (error == 0) {
    Guard guard(mutex_);
    error = change();
  }
  LIGHTNING_TRY(leave(entered, io));
  if (error != 0) return system_error(error, what, *io.path);
  return {};
}

Status SimulatedFileSystem::create_directories(const std::string& path) {
  std::string there;
  const auto sync_parent = [&](const std::string& child) {
    const std::size_t slash = child.rfind('/');
    return sync_directory(slash == std::string::npos || slash == 0 ? "/" : child.substr(0, slash));
  };
  // As the real one: what is there may be the work of a process that died before it made it durable.
  const auto sync_deepest = [&] { return there.empty() ? Status() : sync_parent(std::exchange(there, {})); };
  for (std::size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::string prefix = path.substr(0, end);
    {
      Guard guard(mutex_);
      SimulatedDisk::NodePtr node;
      const int error = disk_.find(prefix, node);
      if (error == 0 && node->is_directory) {
        there = prefix;
        continue;
      }
      if (error != ENOENT) return system_error(ENOTDIR, "cannot create the directory", prefix);
    }
    LIGHTNING_TRY(sync_deepest());
    const Io io{.kind = IoKind::kCreateDirectory, .path = &prefix};
    LIGHTNING_TRY(change_names(io, "cannot create the directory", [&] {
      const int error = disk_.create_directory(prefix);
      return error == EEXIST ? 0 : error;  // another thread was faster
    }));
    LIGHTNING_TRY(sync_parent(prefix));
  }
  return sync_deepest();
}

Status SimulatedFileSystem::rename(const std::string& from, const std::string& to) {
  const Io io{.kind = IoKind::kRename, .path = &from};
  return change_names(io, "cannot rename the file to " + to, [&] { return disk_.rename(from, to); });
}

Status SimulatedFileSystem::remove(const std::string& path) {
  const Io io{.kind = IoKind::kRemove, .path = &path};
  return change_names(io, "cannot remove the file", [&] { return disk_.remove(path); });
}

Status SimulatedFileSystem::link(const std::string& from, const std::string& to) {
  const Io io{.kind = IoKind::kLink, .path = &from};
  return change_names(io, "cannot link the file as " + to, [&] { return disk_.link(from, to); });
}

Status SimulatedFileSystem::sync_directory(const std::string& path) {
  const Io io{.kind = IoKind::kSyncDirectory, .path = &path};
  LIGHTNING_ASSIGN(Entered entered, enter(io));
  Status done = [&]() -> Status {
    if (entered.os_error != 0) return sync_error(entered.os_error, path);
    Guard guard(mutex_);
    SimulatedDisk::NodePtr node;
    int error = disk_.find(path, node);
    if (error == 0 && !node->is_directory) error = ENOTDIR;
    if (error != 0) return system_error(error, "cannot open the directory", path);
    if (!entered.cut_short() && !options_.ignore_directory_syncs) disk_.sync_directory(*node);
    return {};
  }();
  LIGHTNING_TRY(leave(entered, io));
  base::scheduling_point();
  return done;
}

// --- damage at rest -----------------------------------------------------------------------------------------------

SimulatedDisk::NodePtr SimulatedFileSystem::file_at(const std::string& path) const {
  SimulatedDisk::NodePtr node;
  return disk_.find(path, node) == 0 && !node->is_directory ? node : nullptr;
}

bool SimulatedFileSystem::flip_bit(const std::string& path, std::uint64_t offset, unsigned bit) {
  Guard guard(mutex_);
  const auto node = file_at(path);
  if (node == nullptr || offset >= node->content.size()) return false;
  const char flipped = static_cast<char>(node->content.data()[offset] ^ (1 << (bit % 8)));
  node->content.damage(offset, {&flipped, 1});
  return true;
}

bool SimulatedFileSystem::overwrite(const std::string& path, std::uint64_t offset, std::string_view bytes) {
  Guard guard(mutex_);
  const auto node = file_at(path);
  if (node == nullptr || offset > node->content.size() || bytes.size() > node->content.size() - offset) return false;
  node->content.damage(offset, bytes);
  return true;
}

bool SimulatedFileSystem::truncate_file(const std::string& path, std::uint64_t size) {
  Guard guard(mutex_);
  const auto node = file_at(path);
  if (node == nullptr) return false;
  node->content.damage_size(size);
  disk_.recount();
  return true;
}

bool SimulatedFileSystem::delete_file(const std::string& path) {
  Guard guard(mutex_);
  return file_at(path) != nullptr && disk_.remove(path) == 0 && disk_.sync_parent(path) == 0;
}

bool SimulatedFileSystem::put_file(const std::string& path, std::string_view bytes) {
  Guard guard(mutex_);
  SimulatedDisk::NodePtr node = file_at(path);
  if (node == nullptr && disk_.create_file(path, FileClass::kOther, node) != 0) return false;
  node->content.damage_size(0);
  node->content.write(0, bytes);
  node->content.sync();
  disk_.recount();
  return disk_.sync_parent(path) == 0;
}

std::vector<std::string> SimulatedFileSystem::files_below(const std::string& directory) const {
  Guard guard(mutex_);
  std::vector<std::string> files;
  const std::function<void(const std::string&, const SimulatedDisk::Node&)> collect =
      [&](const std::string& path, const SimulatedDisk::Node& node) {
        if (!node.is_directory) return files.push_back(path);
        for (const auto& [name, below] : node.names) collect(path + "/" + name, *below);
      };
  SimulatedDisk::NodePtr node;
  if (disk_.find(directory, node) == 0) collect(directory, *node);
  return files;
}

std::string SimulatedFileSystem::content(const std::string& path) const {
  Guard guard(mutex_);
  const auto node = file_at(path);
  return node == nullptr || node->content.size() == 0 ? std::string()
                                                      : std::string(node->content.data(), node->content.size());
}

std::uint64_t SimulatedFileSystem::unsynced_sectors(const std::string& path) const {
  Guard guard(mutex_);
  const auto node = file_at(path);
  return node == nullptr ? 0 : node->content.unsynced_sectors();
}

}  // namespace lightning::env
