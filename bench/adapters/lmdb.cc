// LMDB: a copy-on-write B+-tree in a shared mapping. Its cache is the page cache of the system.
//
// Unsynced rows: MDB_WRITEMAP | MDB_NOSYNC | MDB_NOMETASYNC, so a commit is memory only and outlives the process.
// Synced rows:   no flags: each commit writes its pages and syncs; LMDB has one writer at a time and no group commit.
// Reads:         one read transaction per session, reset and renewed per call (MDB_NOTLS).
#include <lmdb.h>

#include <algorithm>
#include <string>
#include <vector>

#include "adapter.h"
#include "data.h"

namespace lightning::bench {
namespace {

void check(int rc, const char* what) {
  if (rc != MDB_SUCCESS) fail(std::string("lmdb: ") + what + ": " + mdb_strerror(rc));
}

MDB_val to_val(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }
std::string_view to_view(const MDB_val& val) { return {static_cast<const char*>(val.mv_data), val.mv_size}; }

class LmdbSession final : public Session {
 public:
  LmdbSession(MDB_env* env, MDB_dbi dbi, unsigned put_flags) : env_(env), dbi_(dbi), put_flags_(put_flags) {}
  ~LmdbSession() override {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    if (read_ != nullptr) mdb_txn_abort(read_);
  }

  void put(std::string_view key, std::string_view value) override {
    batch_put(key, value);
    batch_commit();
  }

  void batch_put(std::string_view key, std::string_view value) override {
    if (write_ == nullptr) {
      end_read();  // an open read transaction would keep the writer from reusing pages
      check(mdb_txn_begin(env_, nullptr, 0, &write_), "txn_begin");
    }
    MDB_val k = to_val(key), v = to_val(value);
    check(mdb_put(write_, dbi_, &k, &v, put_flags_), "put");
  }

  void batch_commit() override {
    check(mdb_txn_commit(write_), "commit");
    write_ = nullptr;
  }

  bool get(std::string_view key, std::string_view& value) override {
    begin_read();
    return lookup(key, value);
  }

  void multi_get(std::span<const std::string_view> keys, std::span<std::string_view> values) override {
    begin_read();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!lookup(keys[i], values[i])) values[i] = {};
    }
  }

  // The one writer: nobody else changes anything until it has committed.
  bool transact(std::span<const std::string_view> keys, const Change& change) override {
    end_read();
    MDB_txn* txn = nullptr;
    check(mdb_txn_begin(env_, nullptr, 0, &txn), "txn_begin");
    if (before_.size() < keys.size()) before_.resize(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      MDB_val k = to_val(keys[i]), v{};
      const int rc = mdb_get(txn, dbi_, &k, &v);
      if (rc != MDB_NOTFOUND) check(rc, "get");
      before_[i].assign(rc == MDB_NOTFOUND ? std::string_view() : to_view(v));
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      MDB_val k = to_val(keys[i]), v = to_val(change(i, before_[i]));
      check(mdb_put(txn, dbi_, &k, &v, 0), "put");
    }
    check(mdb_txn_commit(txn), "commit");
    return true;
  }

  ScanSum scan(std::string_view from, std::uint64_t limit, Direction direction) override {
    begin_read();
    if (cursor_ == nullptr) {
      check(mdb_cursor_open(read_, dbi_, &cursor_), "cursor_open");
    } else {
      check(mdb_cursor_renew(read_, cursor_), "cursor_renew");
    }
    const bool forward = direction == Direction::kForward;
    ScanSum sum;
    MDB_val k = to_val(from), v;
    int rc = mdb_cursor_get(cursor_, &k, &v, !forward ? MDB_LAST : from.empty() ? MDB_FIRST : MDB_SET_RANGE);
    const MDB_cursor_op step = forward ? MDB_NEXT : MDB_PREV;
    while (rc == MDB_SUCCESS && sum.entries < limit) {
      sum.touched += touch(to_view(k)) + touch(to_view(v));
      if (++sum.entries < limit) rc = mdb_cursor_get(cursor_, &k, &v, step);
    }
    if (rc != MDB_NOTFOUND) check(rc, "cursor_get");
    return sum;
  }

 private:
  void begin_read() {
    if (read_ == nullptr) {
      check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &read_), "txn_begin");
    } else {
      end_read();
      check(mdb_txn_renew(read_), "txn_renew");
    }
    reading_ = true;
  }
  void end_read() {
    if (reading_) mdb_txn_reset(read_);
    reading_ = false;
  }
  bool lookup(std::string_view key, std::string_view& value) {
    MDB_val k = to_val(key), v;
    const int rc = mdb_get(read_, dbi_, &k, &v);
    if (rc == MDB_NOTFOUND) return false;
    check(rc, "get");
    value = to_view(v);
    return true;
  }

  MDB_env* env_;
  MDB_dbi dbi_;
  unsigned put_flags_;
  MDB_txn* write_ = nullptr;
  MDB_txn* read_ = nullptr;
  MDB_cursor* cursor_ = nullptr;
  bool reading_ = false;
  std::vector<std::string> before_;
};

class LmdbStore final : public Store {
 public:
  explicit LmdbStore(const StoreOptions& options) : put_flags_(options.append ? MDB_APPEND : 0) {
    check(mdb_env_create(&env_), "env_create");
    // The map is address space and a sparse file, not memory: free pages and half-full nodes included.
    const std::uint64_t map_bytes = std::max<std::uint64_t>(options.data_bytes * 6, 4ull << 30);
    check(mdb_env_set_mapsize(env_, map_bytes), "set_mapsize");
    check(mdb_env_set_maxreaders(env_, 256), "set_maxreaders");
    const unsigned flags = MDB_NOTLS | (options.sync ? 0u : MDB_WRITEMAP | MDB_NOSYNC | MDB_NOMETASYNC);
    check(mdb_env_open(env_, options.path.c_str(), flags, 0644), "env_open");
    MDB_txn* txn;
    check(mdb_txn_begin(env_, nullptr, 0, &txn), "txn_begin");
    check(mdb_dbi_open(txn, nullptr, 0, &dbi_), "dbi_open");
    check(mdb_txn_commit(txn), "commit");
  }
  ~LmdbStore() override { mdb_env_close(env_); }

  std::unique_ptr<Session> session() override { return std::make_unique<LmdbSession>(env_, dbi_, put_flags_); }
  void flush() override { check(mdb_env_sync(env_, 1), "env_sync"); }

 private:
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
  unsigned put_flags_;
};

}  // namespace

Engine lmdb_engine() {
  return {"lmdb",
          std::to_string(MDB_VERSION_MAJOR) + "." + std::to_string(MDB_VERSION_MINOR) + "." +
              std::to_string(MDB_VERSION_PATCH),
          Serves::kEverything,
          [](const StoreOptions& options) -> std::unique_ptr<Store> { return std::make_unique<LmdbStore>(options); }};
}

}  // namespace lightning::bench
