// What people and other programs write: dumps, JSONL, CSV, TSV, configuration, bytes on a command line.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "fuzz/make_seeds/seeds.h"

namespace lightning::fuzz {

namespace {

// Check values stay zero: the target puts them right.
void append_chunk(std::string& dump, char type, std::string_view payload) {
  dump += type;
  base::append_le(dump, static_cast<std::uint32_t>(payload.size()));
  base::append_le(dump, std::uint64_t{0});
  dump += payload;
}

std::string records_of(const std::vector<std::pair<std::string, std::string>>& records, bool expiring) {
  std::string payload;
  for (const auto& [key, value] : records) {
    base::append_varint(payload, key.size());
    base::append_varint(payload, value.size());
    if (expiring) base::append_varint(payload, 1'900'000'000'000);
    payload += key + value;
  }
  return payload;
}

void add_dumps(SeedsOfTarget& dumps) {
  std::string dump = "LDBDUMP\n";
  base::append_le(dump, std::uint64_t{1});
  const std::string header = dump, trailer(56, '\0');
  append_chunk(dump, 1, "default");
  append_chunk(dump, 2, records_of({{"a", "1"}, {"b", ""}, {std::string("c\0", 2), "3"}}, false));
  append_chunk(dump, 4, records_of({{"d", "expires"}}, true));
  append_chunk(dump, 1, "orders");
  append_chunk(dump, 2, records_of({{"a", std::string(200, 'v')}}, false));
  append_chunk(dump, 3, trailer);
  dumps["valid-two-keyspaces"] = dump;
  dumps["valid-empty"] = header;
  append_chunk(dumps["valid-empty"], 3, trailer);
  dumps["hostile-order"] = header;
  append_chunk(dumps["hostile-order"], 1, "default");
  append_chunk(dumps["hostile-order"], 2, records_of({{"b", "1"}, {"a", "2"}}, false));
  dumps["hostile-length"] = header + std::string("\2\xff\xff\xff\x1f\0\0\0\0\0\0\0\0", 13);
  dumps["hostile-cut"] = dump.substr(0, 60);
}

void add_texts(SeedsOfTarget& texts) {
  texts["valid-jsonl"] =
      std::string(1, '\0') +
      "{\"key\":\"a\",\"value\":\"1\"}\n"
      "{\"keyspace\":\"orders\",\"key_base64\":\"AP8=\",\"value\":\"\\u00e9\\n\",\"expires_at\":null}\r\n"
      "\n{\"key\":\"b\",\"value_base64\":\"\",\"expires_at\":1900000000000}";
  texts["valid-csv"] = "\1key,value,more\na,1,x\n\"b \"\"quoted\"\"\",\"two\nlines\",y\r\nc,\"\",\n";
  texts["valid-csv-base64"] = "\1\xef\xbb\xbfkey,value,key_base64,value_base64\na,1,,\n,,AP8=,/w==\n";
  texts["valid-tsv"] = "\2key\tvalue\na\t1\n\"b\tc\"\t2\n";
  texts["hostile-jsonl"] =
      std::string(1, '\0') + "{\"key\":\"a\"}\n{\"key\":1,\"value\":2}\n[\n" + std::string(100, '[') +
      "\n{\"key\":\"\\ud800\",\"value\":\"\"}\n{\"key\":\"a\",\"key_base64\":\"YQ==\",\"value\":\"\"}";
  texts["hostile-csv"] = "\1key,value\n\"never closed\na\n,,,,,,,,,,\n\"a\"b,c\n";
  texts["hostile-fields"] = "\1key,value\n" + std::string(500, ',');
  texts["hostile-header"] = "\1key,key,value\na,b,c\n";
}

void add_configurations(SeedsOfTarget& configurations) {
  configurations["valid-some"] =
      "# a comment\ncache_size: 512MiB\nwal_sync_mode: {Periodic: {interval_ms: 100}}\nmax_active_transactions: 50\n";
  configurations["valid-preset"] = "preset: production\npath: \"/data/db\"\nlock_timeout: 250ms\n";
  configurations["valid-empty"] = "";
  configurations["hostile-nested"] = std::string(600, '[');
  configurations["hostile-maps"] = "a: {b: {c: {d: [e, *f]}}}\n? [x]\n: y\n";
  configurations["hostile-aliases"] = "a: &x [1,1]\nb: &y [*x,*x]\nc: &z [*y,*y]\nd: *z\n";
  configurations["hostile-twice"] = "cache_size: 1GiB\ncache_size: 2GiB\n";
  configurations["hostile-values"] = "cache_size: 99999999999999999999GiB\n";
  configurations["hostile-tags"] = "%YAML 9.9\n---\n!!binary cache_size: !<tag:x> 'x\n";
}

}  // namespace

void add_text_seeds(Seeds& seeds) {
  add_dumps(seeds["dump"]);
  add_texts(seeds["text_records"]);
  add_configurations(seeds["config_yaml"]);
  SeedsOfTarget& typed = seeds["bytes_text"];
  typed["valid-hex"] = "00ff7E";
  typed["valid-base64"] = "AP8+/w==";
  typed["valid-duration"] = "250ms";
  typed["valid-prefix"] = "hex:00ff";
  typed["hostile-base64"] = "====";
  typed["hostile-utf8"] = "\xc2\x85\xed\xa0\x80\xf4\x90\x80\x80\xff\\\x1b[0m";
  typed["hostile-duration"] = "18446744073709551615d";
}

}  // namespace lightning::fuzz
