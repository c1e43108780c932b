// How failure leaves the library: as a lightning_error, never as an exception.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "lightning/c.h"
#include "lightning/result.h"

// Texts lie behind each other in `storage`, so that an error is two allocations, and one that needs none can exist.
struct lightning_error {
  std::int32_t code = 0, category = 0, outcome = 0, os_error = 0;
  std::uint64_t offset = LIGHTNING_NO_OFFSET;
  const char *message = "", *advice = "", *file = "", *key_range = "", *text = "";
  std::unique_ptr<char[]> storage;
};

namespace lightning::capi {

lightning_error* make_error(const Error& error);  // may throw std::bad_alloc
lightning_error* out_of_memory() noexcept;        // one for all; freeing it does nothing
lightning_error* unexpected_exception(const char* what) noexcept;

// Runs `body`, which returns a Status, and gives what became of it to C.
template <class Body>
lightning_error* guarded(Body&& body) noexcept {
  try {
    const Status done = body();
    return done ? nullptr : make_error(done.error());
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::length_error&) {  // more than a string or vector can ever hold
    return out_of_memory();
  } catch (const std::exception& exception) {
    return unexpected_exception(exception.what());
  } catch (...) {
    return unexpected_exception("an exception of unknown type");
  }
}

// The way back, for what a callback of the program answers: all that the error knows. `taken` frees it.
Error error_of(const lightning_error& error);
Status taken(lightning_error* error);

// Runs a callback of the program, called `what`, which answers a lightning_error. What it throws is an error too.
template <class Callback>
Status called(const char* what, Callback&& callback) {
  try {
    return taken(callback());
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kOutOfMemory, std::string("there is no memory for ") + what);
  } catch (const std::exception& thrown) {
    return Error(ErrorCode::kInternal, std::string(what) + " threw: " + thrown.what());
  } catch (...) {
    return Error(ErrorCode::kInternal, std::string(what) + " threw");
  }
}

// The same of one that answers whether to go on: it does not if it threw.
template <class Callback>
bool goes_on(Callback&& callback) noexcept {
  try {
    return callback();
  } catch (...) {
    return false;
  }
}

Error invalid(std::string what);  // kInvalidArgument

}  // namespace lightning::capi
