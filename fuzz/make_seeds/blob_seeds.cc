#include "blob/blob_file.h"
#include "env/simulated_world.h"
#include "fuzz/make_seeds/must.h"
#include "fuzz/make_seeds/seeds.h"
#include "fuzz/support/bytes.h"

namespace lightning::fuzz {

namespace {

struct Written {
  std::string file;
  std::vector<blob::Reference> references;
};

Written blob_of(const std::vector<std::pair<std::string, std::string>>& records, const blob::WriterOptions& options) {
  env::SimulatedWorld world(1);
  blob::BlobWriter writer(must(world.files.create_writable("/b", env::FileClass::kBlob)), world.random.uid(),
                          world.random.uid(), 5, options);
  Written written;
  for (const auto& [key, value] : records) written.references.push_back(must(writer.add(key, value)));
  must(writer.finish());
  written.file = world.files.content("/b");
  return written;
}

// The records of `from`, moved to a file of their own.
std::string moved(const Written& from) {
  env::SimulatedWorld world(2);
  blob::BlobWriter writer(must(world.files.create_writable("/m", env::FileClass::kBlob)), world.random.uid(),
                          world.random.uid(), 9, {});
  for (const blob::Reference& reference : from.references) {
    must(writer.begin_moved(reference.id, reference.stored_bytes));
    must(writer.append_moved(std::string_view(from.file).substr(reference.offset, reference.stored_bytes)));
    must(writer.end_moved());
  }
  must(writer.finish());
  return world.files.content("/m");
}

}  // namespace

void add_blob_seeds(Seeds& seeds) {
  const Written plain = blob_of({{"one", std::string(300, 'v')}, {"two", "second value"}},
                                {.compression = Compression::kNone, .tags = base::TagAlgorithm::kXxh3});
  const Written packed = blob_of({{"large", std::string(blob::kChunkBytes + 500, 'a')}, {"small", "b"}}, {});
  SeedsOfTarget& files = seeds["blob_file"];
  files["valid-plain"] = plain.file;
  files["valid-two-chunks-compressed"] = packed.file;
  files["valid-moved"] = moved(plain);
  files["hostile-cut"] = plain.file.substr(0, 500);

  SeedsOfTarget& parts = seeds["blob_parts"];
  blob::Reference expiring = packed.references[0];
  expiring.expiry_ms = 1'900'000'000'000;
  parts["valid-reference"] = std::string(1, '\0') + blob::encode(plain.references[0]);
  parts["valid-reference-that-expires"] = std::string(1, '\0') + blob::encode(expiring);
  const blob::Reference& record = packed.references[0];
  const std::string bytes = packed.file.substr(record.offset, record.stored_bytes);
  parts["valid-shape"] = std::string(1, '\1');
  append_piece(parts["valid-shape"], bytes.substr(0, blob::kHeadBytes + 5));
  parts["valid-shape"] += bytes.substr(bytes.size() - blob::kTailBytes - 2 * blob::kChunkEntryBytes);
  parts["valid-header"] = "\2" + plain.file.substr(0, blob::kHeaderBytes);
  parts["valid-footer"] = "\3" + plain.file.substr(plain.file.size() - blob::kFooterBytes);
}

}  // namespace lightning::fuzz
