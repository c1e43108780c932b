#include "lightning/value_stream.h"

#include "engine/engine.h"
#include "engine/value_stream.h"
#include "lightning/database.h"

namespace lightning {

ValueWriter::ValueWriter(std::unique_ptr<engine::ValueStream> impl) : impl_(std::move(impl)) {}
ValueWriter::ValueWriter(ValueWriter&&) noexcept = default;
ValueWriter& ValueWriter::operator=(ValueWriter&&) noexcept = default;
ValueWriter::~ValueWriter() = default;

Status ValueWriter::append(std::string_view bytes) {
  if (!impl_) return Error(ErrorCode::kInvalidArgument, "the writer was moved from");
  return impl_->append(bytes);
}
Status ValueWriter::commit(const WriteOptions& options) {
  if (!impl_) return Error(ErrorCode::kInvalidArgument, "the writer was moved from");
  return impl_->commit(options);
}
void ValueWriter::discard() {
  if (impl_) impl_->discard();
}
std::uint64_t ValueWriter::size() const { return impl_ ? impl_->size() : 0; }

ValueReader::ValueReader(std::unique_ptr<engine::ValueSource> impl) : impl_(std::move(impl)) {}
ValueReader::ValueReader(ValueReader&&) noexcept = default;
ValueReader& ValueReader::operator=(ValueReader&&) noexcept = default;
ValueReader::~ValueReader() = default;

std::uint64_t ValueReader::size() const { return impl_ ? impl_->size() : 0; }
Status ValueReader::read(std::uint64_t offset, std::span<char> into) {
  if (!impl_) return Error(ErrorCode::kInvalidArgument, "the reader was moved from");
  return impl_->read(offset, into);
}

Result<ValueWriter> Database::put_stream(std::string_view key) { return put_stream(default_keyspace(), key); }
Result<ValueWriter> Database::put_stream(const Keyspace& keyspace, std::string_view key) {
  LIGHTNING_ASSIGN(auto stream, engine_->put_stream(keyspace, key));
  return ValueWriter(std::move(stream));
}

Result<std::optional<ValueReader>> Database::get_stream(std::string_view key, const ReadOptions& options) const {
  return get_stream(default_keyspace(), key, options);
}
Result<std::optional<ValueReader>> Database::get_stream(const Keyspace& keyspace, std::string_view key,
                                                        const ReadOptions& options) const {
  LIGHTNING_ASSIGN(auto source, engine_->get_stream(keyspace, key, options));
  if (!source) return std::optional<ValueReader>();
  return std::optional<ValueReader>(ValueReader(std::move(source)));
}

}  // namespace lightning
