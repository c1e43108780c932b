#include "capi/errors.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace lightning::capi {

namespace {

constinit lightning_error no_memory{
    .code = LIGHTNING_ERROR_OUT_OF_MEMORY,
    .category = LIGHTNING_CATEGORY_RECOVERABLE,
    .outcome = LIGHTNING_OUTCOME_UNKNOWN,  // where the memory was missing is not known
    .message = "there is not enough memory",
    .advice = "free memory, or lower cache_size",
    .text = "error[LDB-3007] there is not enough memory: free memory, or lower cache_size",
    .storage = {},
};

}  // namespace

lightning_error* out_of_memory() noexcept { return &no_memory; }

lightning_error* make_error(const Error& error) {
  const ErrorContext& context = error.context();
  const std::string text = error.to_string();
  const std::string_view parts[] = {error.message(), error.advice(), context.file, context.key_range, text};
  std::size_t bytes = 0;
  for (const std::string_view part : parts) bytes += part.size() + 1;

  auto made = std::make_unique<lightning_error>();
  made->code = static_cast<std::int32_t>(error.code());
  made->category = static_cast<std::int32_t>(error.category());
  made->outcome = static_cast<std::int32_t>(error.outcome());
  made->os_error = context.os_error;
  made->offset = context.offset;
  made->storage = std::make_unique<char[]>(bytes);  // zeroed: each part ends with 0
  const char** const texts[] = {&made->message, &made->advice, &made->file, &made->key_range, &made->text};
  char* at = made->storage.get();
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    *texts[i] = at;
    at = std::copy(parts[i].begin(), parts[i].end(), at) + 1;
  }
  return made.release();
}

Error error_of(const lightning_error& error) {
  Error made = Error(static_cast<ErrorCode>(error.code), error.message)
                   .at_file(error.file, error.offset)
                   .in_key_range(error.key_range)
                   .with_os_error(error.os_error)
                   .with_outcome(static_cast<WriteOutcome>(error.outcome));
  if (error.advice != standard_advice(made.code())) made = std::move(made).with_advice(error.advice);
  return made;
}

Status taken(lightning_error* error) {
  if (error == nullptr) return {};
  const std::unique_ptr<lightning_error, decltype(&lightning_error_free)> held(error, lightning_error_free);
  return error_of(*held);
}

Error invalid(std::string what) { return Error(ErrorCode::kInvalidArgument, std::move(what)); }

lightning_error* unexpected_exception(const char* what) noexcept {
  try {
    return make_error(Error(ErrorCode::kInternal, std::string("an exception came out of the engine: ") + what)
                          .with_outcome(WriteOutcome::kUnknown));
  } catch (...) {
    return out_of_memory();
  }
}

}  // namespace lightning::capi

using lightning::capi::out_of_memory;

lightning_error* lightning_error_create(int32_t code, const char* message) {
  using namespace lightning;
  return capi::guarded([&]() -> Status {
    const auto named = static_cast<ErrorCode>(code);
    const bool known = code == LIGHTNING_ERROR_INTERNAL ||
                       (code > 0 && code < LIGHTNING_ERROR_INTERNAL && name_of(named) != name_of(ErrorCode::kInternal));
    return Error(known ? named : ErrorCode::kInvalidArgument, message != nullptr ? message : "");
  });
}

int32_t lightning_error_code(const lightning_error* error) { return error ? error->code : LIGHTNING_OK; }
int32_t lightning_error_category(const lightning_error* error) { return error ? error->category : 0; }
int32_t lightning_error_outcome(const lightning_error* error) { return error ? error->outcome : 0; }
const char* lightning_error_message(const lightning_error* error) { return error ? error->message : ""; }
const char* lightning_error_advice(const lightning_error* error) { return error ? error->advice : ""; }
const char* lightning_error_file(const lightning_error* error) { return error ? error->file : ""; }
uint64_t lightning_error_offset(const lightning_error* error) { return error ? error->offset : LIGHTNING_NO_OFFSET; }
const char* lightning_error_key_range(const lightning_error* error) { return error ? error->key_range : ""; }
int32_t lightning_error_os_error(const lightning_error* error) { return error ? error->os_error : 0; }
const char* lightning_error_text(const lightning_error* error) { return error ? error->text : ""; }
void lightning_error_free(lightning_error* error) {
  if (error != out_of_memory()) delete error;
}
