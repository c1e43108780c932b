#include "format/batch.h"

#include <limits>

#include "format/expiry.h"

namespace lightning::format {

void append_operation(std::string& to, const Operation& operation) {
  const std::size_t before = to.size();
  to.resize(before + operation_bytes(operation));
  put_operation(to.data() + before, operation);
}

Operation erase_range(KeyspaceId keyspace, const std::optional<std::string>& start,
                      const std::optional<std::string>& end) {
  using namespace std::string_view_literals;
  const std::string_view from = start ? std::string_view(*start) : ""sv;
  if (!end || !end->empty()) return {EntryType::kEraseRange, keyspace, from, end ? std::string_view(*end) : ""sv};
  // Stored, an empty end is none; asked for, it lies before every key: nothing is between, or less than nothing.
  return {EntryType::kEraseRange, keyspace, from.empty() ? "\0"sv : "\1"sv, "\0"sv};
}

BatchReader::Fault BatchReader::read() {
  const auto first = static_cast<std::uint8_t>(rest_.front());
  const auto type = static_cast<std::uint8_t>(first & ~kChangesCount);
  if (!is_known(static_cast<EntryType>(type))) return Fault::kUnknownType;
  operation_.type = static_cast<EntryType>(type);
  operation_.changes_count = type != first;
  std::string_view rest = rest_.substr(1);
  std::uint64_t keyspace = 0, size = 0;
  if (!base::get_varint(rest, keyspace)) return Fault::kTruncated;
  if (keyspace > std::numeric_limits<KeyspaceId>::max()) return Fault::kKeyspace;
  operation_.keyspace = static_cast<KeyspaceId>(keyspace);
  if (!base::get_varint(rest, size)) return Fault::kTruncated;
  const bool range = operation_.type == EntryType::kEraseRange;
  if (size == 0 && !range) return Fault::kKeyEmpty;
  if (size > kKeyBytesMax) return Fault::kKeySize;
  if (!base::get_bytes(rest, size, operation_.key)) return Fault::kTruncated;
  operation_.value = {};
  if (has_value(operation_.type)) {
    if (!base::get_varint(rest, size)) return Fault::kTruncated;
    if (size > kValueBytesMax) return Fault::kValueSize;
    if (range && size > kKeyBytesMax) return Fault::kKeySize;
    if (!base::get_bytes(rest, size, operation_.value)) return Fault::kTruncated;
    if (operation_.type == EntryType::kPutExpiring && source_ != Source::kUnsettled && !is_settled(operation_.value))
        [[unlikely]]
      return Fault::kExpiry;
  }
  if (range && !operation_.value.empty() && operation_.value < operation_.key) return Fault::kRange;
  rest_ = rest;
  return Fault::kNone;
}

Error BatchReader::describe() const {
  const auto malformed = [this](std::string_view what, ErrorCode callers_fault = ErrorCode::kWalCorrupt) {
    return Error(source_ != Source::kStore ? callers_fault : ErrorCode::kWalCorrupt,
                 "operation at byte " + std::to_string(start_) + " of a batch of " + std::to_string(size_) + " bytes " +
                     std::string(what));
  };
  switch (fault_) {
    case Fault::kKeyspace:
      return malformed("names a keyspace beyond 32 bits");
    case Fault::kKeyEmpty:
      return malformed("has an empty key", ErrorCode::kKeyEmpty);
    case Fault::kKeySize:
      return malformed("has a key of more than 65536 bytes", ErrorCode::kKeyTooLarge);
    case Fault::kValueSize:
      return malformed("has a value of more than 512 MiB", ErrorCode::kValueTooLarge);
    case Fault::kExpiry:
      return malformed("does not say when its record expires", ErrorCode::kInvalidArgument);
    case Fault::kRange:
      return malformed("erases a range that ends before it begins", ErrorCode::kInvertedRange);
    case Fault::kUnknownType:
      return malformed("has an unknown type");
    case Fault::kTruncated:
    case Fault::kNone:
      break;
  }
  return malformed("reaches beyond its end");
}

Result<std::uint64_t> count_operations(std::string_view encoded) {
  std::uint64_t count = 0;
  BatchReader reader(encoded);
  while (reader.next()) ++count;
  LIGHTNING_TRY(reader.status());
  return count;
}

}  // namespace lightning::format
