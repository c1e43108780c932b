#include "index/definition.h"

#include "base/coding.h"
#include "index/value_order.h"

namespace lightning::index {

namespace {

// Stored: never reused.
enum Field : std::uint64_t {
  kName = 1,
  kState = 2,
  kUnique = 3,
  kLeavesOut = 4,
  kReadySequence = 5,
  kErrorText = 6,
  kJsonPointer = 16,
  kByteRange = 17,
  kDelimitedField = 18,
  kUserExtractor = 19,
};
constexpr std::uint64_t kFirstIgnorableField = 128;

void append_field(std::string& to, Field field, std::string_view body) {
  base::append_varint(to, field);
  base::append_length_prefixed(to, body);
}

std::string numbers(std::initializer_list<std::uint64_t> values) {
  std::string body;
  for (const std::uint64_t value : values) base::append_varint(body, value);
  return body;
}

bool get_numbers(std::string_view body, std::initializer_list<std::uint64_t*> values) {
  for (std::uint64_t* value : values)
    if (!base::get_varint(body, *value)) return false;
  return body.empty();
}

Error malformed(std::string_view what) {
  return Error(ErrorCode::kManifestCorrupt, "the definition of an index is malformed: " + std::string(what));
}

}  // namespace

std::string encode(const Definition& definition) {
  std::string to;
  append_field(to, kName, definition.name);
  append_field(to, kState, numbers({static_cast<std::uint64_t>(definition.state)}));
  if (definition.unique) append_field(to, kUnique, {});
  if (definition.on_extract_failure == OnExtractFailure::kLeaveOut) append_field(to, kLeavesOut, {});
  if (definition.ready != 0) append_field(to, kReadySequence, numbers({definition.ready}));
  if (!definition.error.empty()) append_field(to, kErrorText, definition.error);
  if (const auto* pointer = std::get_if<JsonPointer>(&definition.extractor))
    append_field(to, kJsonPointer, pointer->pointer);
  if (const auto* range = std::get_if<ByteRange>(&definition.extractor))
    append_field(to, kByteRange, numbers({range->offset, range->bytes, range->of_key ? 1u : 0u}));
  if (const auto* field = std::get_if<DelimitedField>(&definition.extractor))
    append_field(to, kDelimitedField,
                 numbers({field->field, static_cast<unsigned char>(field->delimiter), field->of_key ? 1u : 0u}));
  if (const auto* user = std::get_if<UserExtractor>(&definition.extractor))
    append_field(to, kUserExtractor, user->name);
  return to;
}

Result<Definition> decode_definition(std::string_view bytes) {
  Definition definition;
  bool extracts = false;
  while (!bytes.empty()) {
    std::uint64_t field = 0, a = 0, b = 0, c = 0;
    std::string_view body;
    if (!base::get_varint(bytes, field) || !base::get_length_prefixed(bytes, body)) return malformed("a field");
    switch (field) {
      case kName:
        definition.name = body;
        break;
      case kState:
        if (!get_numbers(body, {&a}) || a < 1 || a > static_cast<std::uint64_t>(Definition::State::kEmptying))
          return malformed("its state");
        definition.state = static_cast<Definition::State>(a);
        break;
      case kUnique:
        definition.unique = true;
        break;
      case kLeavesOut:
        definition.on_extract_failure = OnExtractFailure::kLeaveOut;
        break;
      case kReadySequence:
        if (!get_numbers(body, {&definition.ready})) return malformed("its sequence");
        break;
      case kErrorText:
        definition.error = body;
        break;
      case kJsonPointer:
        definition.extractor = JsonPointer{std::string(body)};
        extracts = true;
        break;
      case kByteRange:
        if (!get_numbers(body, {&a, &b, &c}) || a > ~std::uint32_t{0} || b > ~std::uint32_t{0} || c > 1)
          return malformed("its byte range");
        definition.extractor = ByteRange{static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b), c == 1};
        extracts = true;
        break;
      case kDelimitedField:
        if (!get_numbers(body, {&a, &b, &c}) || a > ~std::uint32_t{0} || b > 255 || c > 1)
          return malformed("its field");
        definition.extractor = DelimitedField{static_cast<std::uint32_t>(a), static_cast<char>(b), c == 1};
        extracts = true;
        break;
      case kUserExtractor:
        definition.extractor = UserExtractor{std::string(body)};
        extracts = true;
        break;
      default:
        if (field < kFirstIgnorableField)
          return Error(ErrorCode::kFormatUnsupported,
                       "field " + std::to_string(field) + " of an index is not known to this version");
    }
  }
  if (definition.name.empty() || !extracts) return malformed("it has no name or no extractor");
  return definition;
}

bool append_entry_key(std::string& to, const IndexValue& value, std::string_view record, bool unique) {
  const std::size_t start = to.size();
  if (!append_value(to, value) || to.size() - start > kEncodedValueBytesMax) return false;
  if (!unique) to.append(record);
  return to.size() - start <= kKeyBytesMax;
}

std::string entry_value(std::string_view record, bool unique) { return unique ? std::string(record) : std::string(); }

std::optional<Entry> parse_entry(std::string_view key, std::string_view value, bool unique) {
  std::string_view rest = key;
  std::optional<IndexValue> extracted = take_value(rest);
  if (!extracted) return std::nullopt;
  const std::string_view record = unique ? value : rest;
  if (record.empty() || (unique && !rest.empty()) || (!unique && !value.empty())) return std::nullopt;
  return Entry{std::move(*extracted), record};
}

}  // namespace lightning::index
