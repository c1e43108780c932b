// Blocks, indexes, filters and whole tables.
#include "env/simulated_world.h"
#include "fuzz/make_seeds/must.h"
#include "fuzz/make_seeds/seeds.h"
#include "fuzz/support/bytes.h"
#include "sstable/block_builder.h"
#include "sstable/codec.h"
#include "sstable/filter.h"
#include "sstable/index.h"
#include "sstable/properties.h"
#include "sstable/table.h"

namespace lightning::fuzz {

namespace {

using format::EntryType;

std::string key_of(int i) { return "user/" + std::string(i < 10 ? "0" : "") + std::to_string(i); }

std::string block_of(const std::vector<format::Entry>& entries) {
  sstable::BlockBuilder builder(64 << 10);
  for (const format::Entry& entry : entries) builder.add(entry, sstable::filter_hash(entry.key));
  return std::string(builder.finish());
}

void add_blocks(SeedsOfTarget& blocks) {
  const std::string long_key(300, 'k');
  blocks["valid-one"] = block_of({{"k", 1, EntryType::kPut, "v"}});
  blocks["valid-versions"] = block_of({{"key", 900, EntryType::kErase, ""},
                                       {"key", 800, EntryType::kMerge, "m"},
                                       {"key", 7, EntryType::kPut, "old"},
                                       {"keys", 1 << 20, EntryType::kPutExpiring, "12345678value"},
                                       {"other", 3, EntryType::kBlobReference, "reference"}});
  blocks["valid-long-keys"] =
      block_of({{long_key + "a", 5, EntryType::kPut, "1"}, {long_key + "bcdef", 4, EntryType::kPut, "2"}});
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i) keys.push_back(key_of(i));
  std::vector<format::Entry> entries;
  for (const std::string& key : keys) entries.push_back({key, 7, EntryType::kPut, key});
  blocks["valid-many"] = block_of(entries);
  blocks["hostile-counts"] = std::string(8, '\xff') + std::string(60, '\0');
  blocks["hostile-cut"] = blocks["valid-many"].substr(0, 700);
}

sstable::BlockHandle handle_of(std::uint64_t offset, std::uint64_t bytes) {
  return {.offset = offset, .stored_bytes = bytes, .raw_bytes = bytes, .tag = {}};
}

std::string index_input(sstable::IndexBuilder& builder) {
  const std::string leaves(builder.finish_leaves());
  std::string input;
  append_piece(input, builder.top(base::TagAlgorithm::kXxh3, {}, 96));
  return input + leaves;
}

void add_indexes(SeedsOfTarget& indexes) {
  sstable::IndexBuilder plain, spilling;
  std::uint64_t at = 96;
  for (int i = 0; i < 70; ++i, at += 300) plain.add(key_of(i), 0, handle_of(at, 300));
  at = 96;
  for (const Sequence sequence : {900, 500, 20, 0}) {
    spilling.add("the same key", sequence, handle_of(at, 300));
    at += 300;
  }
  indexes["valid-plain"] = index_input(plain);
  indexes["valid-spilling"] = index_input(spilling);
  // Each fence says that it shares 2,000 bytes with the one before it, for 22 bytes of the file.
  sstable::IndexBuilder greedy;
  for (char c = 'a'; c < 'z'; ++c) greedy.add(std::string(2000, 'x') + c, 0, handle_of(96 + (c - 'a') * 20, 20));
  indexes["hostile-fences-beyond-their-blocks"] = index_input(greedy);
}

std::string table_of(int entries, const sstable::TableOptions& options, bool with_ranges) {
  env::SimulatedWorld world(1);
  sstable::TableWriter writer(must(world.files.create_writable("/t", env::FileClass::kTable)), world.random.uid(),
                              world.random.uid(), 7, options);
  for (int i = 0; i < entries; ++i) {
    const std::string key = key_of(i), value(20, static_cast<char>('a' + i % 26));
    if (i % 5 == 0) must(writer.add({key, 1000u + static_cast<unsigned>(i), EntryType::kErase, ""}));
    must(writer.add({key, 100u + static_cast<unsigned>(i), EntryType::kPut, value}));
    if (i % 7 == 0) writer.count_expiring(1'900'000'000'000u + static_cast<unsigned>(i), 30);
  }
  if (with_ranges) writer.set_ranges(format::RangeTombstones({{"user/03", "user/09", 500}, {"v", "", 600}}));
  must(writer.finish());
  return world.files.content("/t");
}

void add_tables(Seeds& seeds) {
  SeedsOfTarget& files = seeds["table_file"];
  const sstable::TableOptions small{.block_bytes = 512,
                                    .compression = Compression::kNone,
                                    .filter_bits_per_key = 10,
                                    .tags = base::TagAlgorithm::kXxh3};
  sstable::TableOptions lz4 = small, zstd = small, unfiltered = small;
  lz4.compression = Compression::kLz4;
  zstd.compression = Compression::kZstd;
  zstd.tags = base::TagAlgorithm::kBlake3;
  unfiltered.filter_bits_per_key = 0;
  files["valid-plain"] = table_of(40, small, false);
  files["valid-lz4"] = table_of(40, lz4, false);
  files["valid-zstd"] = table_of(40, zstd, true);
  files["valid-one-entry"] = table_of(1, unfiltered, false);
  files["valid-ranges-alone"] = table_of(0, unfiltered, true);
  files["valid-ranges"] = table_of(12, unfiltered, true);

  SeedsOfTarget& parts = seeds["table_parts"];
  const std::string& file = files["valid-zstd"];
  const auto piece = [&](char which, std::size_t at, std::size_t bytes) {
    return std::string(1, which) + file.substr(at, bytes);
  };
  const std::size_t footer = file.size() - sstable::kFooterBytes - sstable::kTrailerBytes;
  parts["valid-header"] = piece(0, 0, sstable::kHeaderBytes);
  parts["valid-trailer"] = piece(1, file.size() - sstable::kTrailerBytes, sstable::kTrailerBytes);
  parts["valid-footer"] = piece(2, footer, sstable::kFooterBytes);
  const auto properties = base::load_le<std::uint64_t>(file.data() + footer + 88 + 2 * 48);
  parts["valid-properties"] = piece(3, properties, footer - properties);

  SeedsOfTarget& filters = seeds["filter"];
  for (const std::uint32_t bits : {1u, 10u, 40u}) {
    std::vector<std::uint64_t> hashes;
    for (int i = 0; i < 40; ++i) hashes.push_back(sstable::filter_hash(key_of(i)));
    filters["valid-" + std::to_string(bits) + "-bits"] = sstable::Filter::build(hashes, bits).bytes();
  }
  filters["hostile-lines"] = filters["valid-10-bits"].substr(0, 64) + std::string(64, '\1');
}

void add_compressed(SeedsOfTarget& compressed) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "compresses well, " + key_of(i) + "; ";
  for (const auto compression : {Compression::kNone, Compression::kLz4, Compression::kZstd}) {
    sstable::Compressor compressor(compression);
    for (const std::string& raw : {text, std::string(4000, 'a')}) {
      const std::string packed(compressor.compress(raw));
      std::string input(1, static_cast<char>(compression));
      base::append_le(input, static_cast<std::uint32_t>(raw.size()));
      input.pop_back();
      const std::string name = std::string(sstable::name_of(compression)) + (&raw == &text ? "-text" : "-run");
      compressed["valid-" + name + std::to_string(raw.size())] = input + packed;
      compressed["hostile-cut-" + name + std::to_string(raw.size())] = input + packed.substr(0, packed.size() / 2);
    }
  }
}

}  // namespace

void add_table_seeds(Seeds& seeds) {
  add_blocks(seeds["data_block"]);
  add_indexes(seeds["index"]);
  add_tables(seeds);
  add_compressed(seeds["decompress"]);
}

}  // namespace lightning::fuzz
