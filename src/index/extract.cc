#include "index/extract.h"

#include <exception>
#include <new>

namespace lightning::index {

namespace {

using Extracted = Result<std::optional<IndexValue>>;

class OfBytes final : public Extract {
 public:
  explicit OfBytes(const ByteRange& range) : range_(range) {}
  Extracted operator()(std::string_view key, std::string_view value) const override {
    const std::string_view from = range_.of_key ? key : value;
    if (from.size() <= range_.offset) return std::optional<IndexValue>();
    return std::optional<IndexValue>(IndexValue(from.substr(range_.offset, range_.bytes)));
  }

 private:
  const ByteRange range_;
};

class OfField final : public Extract {
 public:
  explicit OfField(const DelimitedField& field) : field_(field) {}
  Extracted operator()(std::string_view key, std::string_view value) const override {
    std::string_view rest = field_.of_key ? key : value;
    for (std::uint32_t skipped = 0; skipped < field_.field; ++skipped) {
      const std::size_t end = rest.find(field_.delimiter);
      if (end == std::string_view::npos) return std::optional<IndexValue>();
      rest.remove_prefix(end + 1);
    }
    return std::optional<IndexValue>(IndexValue(rest.substr(0, rest.find(field_.delimiter))));
  }

 private:
  const DelimitedField field_;
};

class OfUser final : public Extract {
 public:
  OfUser(std::string name, ExtractFunction function) : name_(std::move(name)), function_(std::move(function)) {}
  // Whatever it answers or throws is a failure of this record, and passes no further.
  Extracted operator()(std::string_view key, std::string_view value) const override try {
    if (!function_)
      return Error(ErrorCode::kExtractorMissing,
                   "the extractor '" + name_ + "' was not registered when the database was opened");
    Extracted extracted = function_(key, value);
    if (!extracted) return Error(ErrorCode::kExtractFailed, extracted.error().message());
    return extracted;
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kOutOfMemory, "no memory for the extractor '" + name_ + "'");
  } catch (const std::exception& thrown) {
    return Error(ErrorCode::kExtractFailed, std::string("it threw: ") + thrown.what());
  } catch (...) {
    return Error(ErrorCode::kExtractFailed, "it threw");
  }

 private:
  const std::string name_;
  const ExtractFunction function_;
};

Error senseless(std::string what) { return Error(ErrorCode::kInvalidArgument, "the extractor " + std::move(what)); }

}  // namespace

Result<std::shared_ptr<const Extract>> make_extract(const Extractor& extractor, const UserExtractors& user) {
  if (const auto* pointer = std::get_if<JsonPointer>(&extractor)) return make_json_pointer(*pointer);
  if (const auto* range = std::get_if<ByteRange>(&extractor)) {
    if (range->bytes == 0) return senseless("takes no bytes");
    return std::make_shared<const OfBytes>(*range);
  }
  if (const auto* field = std::get_if<DelimitedField>(&extractor)) return std::make_shared<const OfField>(*field);
  const auto* named = std::get_if<UserExtractor>(&extractor);
  if (named->name.empty() || named->name.size() > kKeyspaceNameBytesMax) return senseless("has no name, or a long one");
  const auto found = user.find(named->name);
  return std::make_shared<const OfUser>(named->name, found == user.end() ? ExtractFunction() : found->second);
}

std::string describe(const Extractor& extractor) {
  if (const auto* pointer = std::get_if<JsonPointer>(&extractor)) return "JSON pointer '" + pointer->pointer + "'";
  if (const auto* range = std::get_if<ByteRange>(&extractor))
    return std::string(range->of_key ? "key" : "value") + " bytes " + std::to_string(range->offset) + "+" +
           std::to_string(range->bytes);
  if (const auto* field = std::get_if<DelimitedField>(&extractor))
    return std::string(field->of_key ? "key" : "value") + " field " + std::to_string(field->field) + " by '" +
           std::string(1, field->delimiter) + "'";
  return "extractor '" + std::get_if<UserExtractor>(&extractor)->name + "'";
}

}  // namespace lightning::index
