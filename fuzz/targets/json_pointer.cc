// index/extract.h: what a JSON pointer finds in a value, compared with what it finds in the tree that another parser
// makes of it. Input: a piece with the pointer, then the JSON.
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "fuzz/support/bytes.h"
#include "fuzz/support/target.h"
#include "index/extract.h"

namespace lightning::index {

namespace {

namespace json = boost::json;

// RFC 6901, on a tree; null: nothing there.
const json::value* find(const json::value& root, std::string_view pointer) {
  const json::value* at = &root;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    std::string token(pointer.substr(0, pointer.find('/')));
    pointer.remove_prefix(token.size());
    for (std::size_t i = 0; i < token.size(); ++i)
      if (token[i] == '~' && i + 1 < token.size()) token.replace(i, 2, token[i + 1] == '0' ? "~" : "/");
    if (const json::object* object = at->if_object()) {
      at = object->if_contains(token);
    } else if (const json::array* array = at->if_array()) {
      std::uint64_t place = 0;
      const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), place);
      const bool canonical = token.size() == 1 || (!token.empty() && token.front() != '0');
      const bool number = error == std::errc{} && end == token.data() + token.size() && canonical;
      at = number && place < array->size() ? &(*array)[place] : nullptr;
    } else {
      at = nullptr;
    }
    if (at == nullptr) return nullptr;
  }
  return at;
}

void expect_same(const IndexValue& value, const json::value& expected) {
  const IndexValue::Any& any = value.any();
  if (const auto* text = std::get_if<std::string>(&any))
    FUZZ_EXPECT(expected.is_string() && std::string_view(expected.get_string()) == *text);
  else if (const auto* truth = std::get_if<bool>(&any))
    FUZZ_EXPECT(expected.is_bool() && expected.get_bool() == *truth);
  else if (const auto* whole = std::get_if<std::int64_t>(&any))
    FUZZ_EXPECT(expected.is_int64() && expected.get_int64() == *whole);
  else if (const auto* large = std::get_if<std::uint64_t>(&any))
    FUZZ_EXPECT(expected.is_uint64() && expected.get_uint64() == *large);
  else if (const auto* real = std::get_if<double>(&any))  // boost's own may be a little off, ours must not
    FUZZ_EXPECT(expected.is_double() && (std::abs(*real - expected.get_double()) <= std::abs(*real) * 1e-10 ||
                                         std::abs(*real) < 1e-300 || std::abs(*real) > 1e300));
}

}  // namespace

LIGHTNING_FUZZ_TARGET(json_pointer) {
  const std::string pointer(fuzz::take_piece(input));
  const auto extract = make_json_pointer({pointer});
  if (!extract) return false;
  const auto value = (**extract)("key", input);
  json::error_code error;
  json::parse_options options;
  options.max_depth = 64;
  const json::value tree = json::parse(json::string_view(input.data(), input.size()), error, {}, options);
  if (error) {
    FUZZ_EXPECT(!value);
    return false;
  }
  const json::value* const expected = find(tree, pointer);
  if (expected == nullptr || expected->is_null()) {
    FUZZ_EXPECT(value && !*value);
  } else if (expected->is_array() || expected->is_object()) {
    FUZZ_EXPECT(!value);
  } else {
    FUZZ_EXPECT(value && *value);
    expect_same(**value, *expected);
  }
  return true;
}

}  // namespace lightning::index
