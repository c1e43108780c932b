// Merge operators and extractors of the program, and what else it gives to a database that it opens.
#include <array>

#include "capi/handles.h"

using namespace lightning;
using namespace lightning::capi;

namespace {

lightning_bytes view_of(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

// Functions of the program with their context, which is given back when nobody is left who could call them.
template <class Functions>
class Registered {
 public:
  explicit Registered(const Functions& functions) : functions_(functions), name_(functions.name) {}
  Registered(const Registered&) = delete;
  Registered& operator=(const Registered&) = delete;
  ~Registered() {
    if (!ours_ || functions_.destroy == nullptr) return;
    goes_on([this] { return functions_.destroy(functions_.context), true; });
  }
  // Until then the context is the program's.
  void take_over() { ours_ = true; }
  const Functions* operator->() const { return &functions_; }
  const std::string& name() const { return name_; }

 private:
  Functions functions_;
  std::string name_;  // functions_.name need not live on
  bool ours_ = false;
};

// What is thrown passes through to the engine, which makes it the failure of the record at hand.
class UserOperator final : public MergeOperator {
 public:
  explicit UserOperator(const lightning_merge_operator& functions) : user_(functions) {}
  void take_over() { user_.take_over(); }

  std::string_view name() const override { return user_.name(); }
  Status check(std::string_view operand) const override {
    if (user_->check == nullptr) return {};
    return taken(user_->check(user_->context, operand.data(), operand.size()));
  }
  Status merge(std::string_view key, std::optional<std::string_view> base, std::span<const std::string_view> operands,
               std::string& value) const override {
    std::array<lightning_bytes, 16> few;
    std::vector<lightning_bytes> many(operands.size() > few.size() ? operands.size() : 0);
    lightning_bytes* const views = many.empty() ? few.data() : many.data();
    std::transform(operands.begin(), operands.end(), views, view_of);
    const lightning_bytes before = view_of(base.value_or(std::string_view()));
    lightning_buffer made{value};
    return taken(
        user_->merge(user_->context, key.data(), key.size(), base ? &before : nullptr, views, operands.size(), &made));
  }
  bool combine(std::string_view key, std::string_view older, std::string_view newer,
               std::string& combined) const override {
    if (user_->combine == nullptr) return false;
    lightning_buffer made{combined};
    return user_->combine(user_->context, key.data(), key.size(), view_of(older), view_of(newer), &made);
  }

 private:
  Registered<lightning_merge_operator> user_;
};

Result<std::optional<IndexValue>> extract_with(const Registered<lightning_user_extractor>& user, std::string_view key,
                                               std::string_view value) {
  lightning_index_value found{};
  std::string text;
  lightning_buffer buffer{text};
  LIGHTNING_TRY(
      taken(user->extract(user->context, key.data(), key.size(), value.data(), value.size(), &found, &buffer)));
  if (found.kind == LIGHTNING_VALUE_STRING && found.string.data == nullptr && found.string.size == 0)
    return std::optional<IndexValue>(std::move(text));
  return index_value_of(found, "what the extractor found");
}

Status check_name(const char* name) {
  LIGHTNING_TRY(required(name, "the name"));
  if (*name == 0) return invalid("the name is empty");
  return {};
}

}  // namespace

lightning_error* lightning_buffer_append(lightning_buffer* buffer, const void* data, size_t size) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(buffer, "the buffer"));
    LIGHTNING_ASSIGN(const auto bytes, value_of(data, size));
    if (buffer->bytes.size() + bytes.size() > kValueBytesMax)
      return Error(ErrorCode::kValueTooLarge, "with these bytes the value would have more than 512 MiB");
    buffer->bytes.append(bytes);
    return {};
  });
}

lightning_error* lightning_open_options_create(lightning_open_options** options) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(options, "options"));
    *options = new lightning_open_options{};
    return {};
  });
}

lightning_error* lightning_open_options_add_merge_operator(lightning_open_options* options,
                                                           const lightning_merge_operator* merge_operator) {
  return guarded([&]() -> Status {
    static constexpr lightning_merge_operator kDefaults = LIGHTNING_MERGE_OPERATOR_INIT;
    LIGHTNING_TRY(required(options, "options"));
    LIGHTNING_TRY(required(merge_operator, "the merge operator"));
    LIGHTNING_ASSIGN(const auto known, options_of(merge_operator, kDefaults, sizeof(kDefaults)));
    LIGHTNING_TRY(check_name(known.name));
    if (known.merge == nullptr) return invalid("the merge operator has no function merge");
    const auto made = std::make_shared<UserOperator>(known);
    options->options.merge_operators.push_back(made);
    made->take_over();
    return {};
  });
}

lightning_error* lightning_open_options_add_extractor(lightning_open_options* options,
                                                      const lightning_user_extractor* extractor) {
  return guarded([&]() -> Status {
    static constexpr lightning_user_extractor kDefaults = LIGHTNING_USER_EXTRACTOR_INIT;
    LIGHTNING_TRY(required(options, "options"));
    LIGHTNING_TRY(required(extractor, "the extractor"));
    LIGHTNING_ASSIGN(const auto known, options_of(extractor, kDefaults, sizeof(kDefaults)));
    LIGHTNING_TRY(check_name(known.name));
    if (known.extract == nullptr) return invalid("the extractor has no function extract");
    const auto made = std::make_shared<Registered<lightning_user_extractor>>(known);
    const auto extract = [made](std::string_view key, std::string_view value) {
      return extract_with(*made, key, value);
    };
    if (!options->options.extractors.emplace(made->name(), extract).second)
      return invalid("there are two extractors of the name '" + made->name() + "'");
    made->take_over();
    return {};
  });
}

lightning_error* lightning_open_options_set_default_keyspace(lightning_open_options* options,
                                                             const lightning_keyspace_options* keyspace) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(options, "options"));
    LIGHTNING_ASSIGN(options->options.default_keyspace, keyspace_options_of(keyspace));
    return {};
  });
}

void lightning_open_options_free(lightning_open_options* options) { delete options; }
