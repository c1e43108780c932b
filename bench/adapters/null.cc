// The harness alone: what its loops, keys, values and clocks cost. No engine can be faster than this column.
#include "adapter.h"
#include "data.h"

namespace lightning::bench {
namespace {

class NullSession final : public Session {
 public:
  void put(std::string_view key, std::string_view value) override { sum_ = sum_ + touch(key) + touch(value); }
  void batch_put(std::string_view key, std::string_view value) override { sum_ = sum_ + touch(key) + touch(value); }
  void batch_commit() override {}
  bool get(std::string_view key, std::string_view& value) override {
    sum_ = sum_ + touch(key);
    value = {};
    return false;
  }
  void multi_get(std::span<const std::string_view> keys, std::span<std::string_view> values) override {
    for (std::size_t i = 0; i < keys.size(); ++i) get(keys[i], values[i]);
  }
  ScanSum scan(std::string_view, std::uint64_t, Direction) override { return {}; }

 private:
  volatile std::uint64_t sum_ = 0;
};

class NullStore final : public Store {
 public:
  std::unique_ptr<Session> session() override { return std::make_unique<NullSession>(); }
  void flush() override {}
};

}  // namespace

Engine null_engine() {
  return {"null", "-", Serves::kNothing,
          [](const StoreOptions&) -> std::unique_ptr<Store> { return std::make_unique<NullStore>(); }};
}

}  // namespace lightning::bench
