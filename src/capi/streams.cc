// Values in pieces.
#include "capi/handles.h"

using namespace lightning;
using namespace lightning::capi;

lightning_error* lightning_put_stream(lightning_db* db, const lightning_keyspace* keyspace, const void* key,
                                      size_t key_size, lightning_value_writer** writer) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(writer, "writer"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(ValueWriter made, home->database.put_stream(*in, key_bytes));
    *writer = new lightning_value_writer{.live = LiveHandle(home), .writer = std::move(made)};
    return {};
  });
}

lightning_error* lightning_value_writer_append(lightning_value_writer* writer, const void* data, size_t size) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(writer, "writer"));
    LIGHTNING_ASSIGN(const auto bytes, value_of(data, size));
    return writer->writer.append(bytes);
  });
}

uint64_t lightning_value_writer_size(const lightning_value_writer* writer) {
  return writer ? writer->writer.size() : 0;
}

lightning_error* lightning_value_writer_commit(lightning_value_writer* writer, const lightning_write_options* options) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(writer, "writer"));
    LIGHTNING_ASSIGN(const auto known, write_options_of(options));
    return writer->writer.commit(known);
  });
}

void lightning_value_writer_free(lightning_value_writer* writer) { delete writer; }

lightning_error* lightning_get_stream(lightning_db* db, const lightning_keyspace* keyspace, const void* key,
                                      size_t key_size, const lightning_read_options* options,
                                      lightning_value_reader** reader) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(cleared(reader, "reader"));
    LIGHTNING_ASSIGN(const auto home, home_of(db));
    LIGHTNING_ASSIGN(const Keyspace* const in, keyspace_of(home, keyspace));
    LIGHTNING_ASSIGN(const auto key_bytes, key_of(key, key_size));
    LIGHTNING_ASSIGN(const auto known, read_options_of(home, options));
    LIGHTNING_ASSIGN(auto found, home->database.get_stream(*in, key_bytes, known));
    if (found) *reader = new lightning_value_reader{.live = LiveHandle(home), .reader = std::move(*found)};
    return {};
  });
}

uint64_t lightning_value_reader_size(const lightning_value_reader* reader) {
  return reader ? reader->reader.size() : 0;
}

lightning_error* lightning_value_reader_read(lightning_value_reader* reader, uint64_t offset, void* into, size_t size) {
  return guarded([&]() -> Status {
    LIGHTNING_TRY(required(reader, "reader"));
    if (size > 0) LIGHTNING_TRY(required(into, "into"));
    return reader->reader.read(offset, {static_cast<char*>(into), size});
  });
}

void lightning_value_reader_free(lightning_value_reader* reader) { delete reader; }
