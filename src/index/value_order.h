// The order of index values as the order of bytes (docs/format/index.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lightning/index.h"

namespace lightning::index {

inline constexpr std::size_t kEncodedValueBytesMax = 16 * 1024;

// Appends the encoding: no value's is a prefix of another's, and they sort as the values do. False for what has no
// place in the order (not a number).
bool append_value(std::string& to, const IndexValue& value);
// Takes a value off the front of `from`. None if the bytes are no value's encoding.
std::optional<IndexValue> take_value(std::string_view& from);
// Appends what the encodings of all strings that begin with `prefix` begin with.
void append_string_prefix(std::string& to, std::string_view prefix);

// All encodings of values of the same kind lie in [first, end).
struct Kind {
  std::string first, end;
};
Kind kind_of(const IndexValue& value);

// The smallest string that sorts after all that begin with `prefix`; none if there is none.
std::optional<std::string> after_prefix(std::string prefix);

// For messages: 'Oslo', 42, true; long text is cut.
std::string value_text(const IndexValue& value);

}  // namespace lightning::index
