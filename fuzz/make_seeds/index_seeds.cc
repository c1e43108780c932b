#include "fuzz/make_seeds/seeds.h"
#include "fuzz/support/bytes.h"
#include "index/definition.h"

namespace lightning::fuzz {

namespace {

std::string entry_of(const IndexValue& value, bool unique) {
  std::string input(1, unique ? '\1' : '\0');
  append_piece(input, index::entry_value("the record", unique));
  index::append_entry_key(input, value, "the record", unique);
  return input;
}

std::string json_of(std::string_view pointer, std::string_view text) {
  std::string input;
  append_piece(input, pointer);
  return input.append(text);
}

}  // namespace

void add_index_seeds(Seeds& seeds) {
  SeedsOfTarget& definitions = seeds["index_definition"];
  index::Definition definition{.name = "by_city", .extractor = JsonPointer{"/address/city"}, .error = {}};
  definitions["valid-json"] = index::encode(definition);
  definition.extractor = ByteRange{4, 8, true};
  definition.unique = true;
  definition.state = index::Definition::State::kReady;
  definition.ready = 12345;
  definitions["valid-bytes"] = index::encode(definition);
  definition.extractor = DelimitedField{2, ';', false};
  definition.on_extract_failure = OnExtractFailure::kLeaveOut;
  definition.state = index::Definition::State::kFailed;
  definition.error = "record 7 has no third field";
  definitions["valid-field"] = index::encode(definition);
  definition.extractor = UserExtractor{"mine"};
  definitions["valid-user"] = index::encode(definition);

  SeedsOfTarget& entries = seeds["index_entry"];
  const std::map<std::string, IndexValue> values = {{"text", "Oslo"},
                                                    {"zeros", std::string("a\0b\0\1", 5)},
                                                    {"empty", ""},
                                                    {"true", true},
                                                    {"seven", 7},
                                                    {"least", INT64_MIN},
                                                    {"largest", UINT64_MAX},
                                                    {"odd", (std::int64_t{1} << 53) + 1},
                                                    {"real", 2.5},
                                                    {"negative-real", -1e300},
                                                    {"two-to-the-64", 18446744073709551616.0}};
  for (const auto& [name, value] : values) entries["valid-" + name] = entry_of(value, name.size() % 2 == 0);
  // Zero with something left over, a fraction with something left over, and minus zero.
  const std::string head("\0\0\0", 3);
  entries["hostile-zero-less-five"] = head + std::string(
                                                 "\4\x80\0\0\0\0\0\0\0\x7f\xfb"
                                                 "r",
                                                 12);
  entries["hostile-half-and-one"] = head + std::string(
                                               "\4\xbf\xe0\0\0\0\0\0\0\x80\1"
                                               "r",
                                               12);
  entries["hostile-minus-zero"] = head + std::string(
                                             "\4\x7f\xff\xff\xff\xff\xff\xff\xff\x80\0"
                                             "r",
                                             12);
  entries["hostile-open-text"] = head + "\5never ends";

  SeedsOfTarget& json = seeds["json_pointer"];
  json["valid-member"] = json_of("/address/city", R"({"name":"a","address":{"zip":5,"city":"Oslo"},"tags":["x",1]})");
  json["valid-element"] = json_of("/tags/1", R"({"tags":[{"deep":[1,2]},-7.25e3,true],"a":null})");
  json["valid-whole"] = json_of("", "18446744073709551615");
  json["valid-escapes"] = json_of("/a~1b/~0", R"({"a/b":{"~":"\u00e9\ud83d\ude00\n"}})");
  json["valid-twice"] = json_of("/a/b", R"({"a":{"b":1},"a":{"b":[2]},"a":{"b":"three"},"a":4})");
  json["valid-compound"] = json_of("/a", R"({"a":[1]})");
  json["hostile-deep"] = json_of("/0/0", std::string(80, '[') + std::string(80, ']'));
  json["hostile-cut"] = json_of("/a", R"({"a":"\ud83d)");
}

}  // namespace lightning::fuzz
