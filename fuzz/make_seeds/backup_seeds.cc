#include "backup/catalogue.h"
#include "env/simulated_world.h"
#include "fuzz/make_seeds/must.h"
#include "fuzz/make_seeds/seeds.h"
#include "fuzz/support/bytes.h"
#include "sstable/table.h"

namespace lightning::fuzz {

namespace {

// Its check stays zero: the target puts it right.
void append_frame(std::string& stream, std::uint32_t type, std::uint64_t number, std::string_view payload) {
  base::append_le(stream, type);
  base::append_le(stream, static_cast<std::uint32_t>(payload.size()));
  base::append_le(stream, number);
  base::append_le(stream, std::uint64_t{0});
  stream += payload;
}

struct OneTable {
  std::string file;
  backup::Catalogue catalogue;
};

OneTable one_table() {
  constexpr format::FileNumber kNumber = 6;
  env::SimulatedWorld world(1);
  OneTable made;
  made.catalogue.superblock.store_id = world.random.uid();
  sstable::TableWriter writer(must(world.files.create_writable("/t", env::FileClass::kTable)),
                              made.catalogue.superblock.store_id, world.random.uid(), kNumber,
                              {.compression = Compression::kNone, .filter_bits_per_key = 0});
  must(writer.add({"key", 1, format::EntryType::kPut, "value"}));
  manifest::VersionEdit edit;
  edit.add_keyspaces = {{0, "default"}, {1, "other"}};
  edit.add_tables.push_back({0, 0, must(writer.finish())});
  made.file = world.files.content("/t");
  must(made.catalogue.state.apply(edit));
  made.catalogue.number = 3;
  made.catalogue.taken_ns = 1'700'000'000'000'000'000;
  made.catalogue.new_files = 1;
  made.catalogue.new_bytes = made.file.size();
  made.catalogue.digests = {base::digest_of(made.file)};
  return made;
}

}  // namespace

void add_backup_seeds(Seeds& seeds) {
  const OneTable made = one_table();
  const std::string catalogue = made.catalogue.encode();
  SeedsOfTarget& catalogues = seeds["backup_catalogue"];
  catalogues["valid-one-table"] = catalogue;
  backup::Catalogue empty;
  catalogues["valid-nothing"] = empty.encode();
  catalogues["hostile-cut"] = catalogue.substr(0, catalogue.size() / 2);

  std::string stream;
  base::append_le(stream, 0x314D'5254'5342'444CULL);
  base::append_le(stream, std::uint64_t{1});
  std::string twice = stream;
  append_frame(stream, 1, 6, std::string_view(made.file).substr(0, 100));
  append_frame(stream, 1, 6, std::string_view(made.file).substr(100));
  append_frame(stream, 2, 6, {});
  append_frame(stream, 5, 0, catalogue);
  append_frame(stream, 6, 0, {});
  SeedsOfTarget& streams = seeds["backup_stream"];
  streams["valid-one-table"] = stream;
  streams["hostile-cut"] = stream.substr(0, 400);
  streams["hostile-something-behind"] = stream + "more";
  for (int i = 0; i < 20; ++i) append_frame(twice, 3, static_cast<std::uint64_t>(i), "begun, never ended");
  streams["hostile-many-files"] = twice;
}

}  // namespace lightning::fuzz
