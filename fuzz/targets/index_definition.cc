// index/definition.h: what the manifest keeps of an index.
#include "index/definition.h"

#include "fuzz/support/target.h"
#include "index/extract.h"

namespace lightning::index {

LIGHTNING_FUZZ_TARGET(index_definition) {
  const auto definition = decode_definition(input);
  if (!definition) return false;
  const std::string encoded = encode(*definition);
  const auto again = decode_definition(encoded);
  FUZZ_EXPECT(again && encode(*again) == encoded && again->extractor == definition->extractor);
  FUZZ_EXPECT(!describe(definition->extractor).empty());
  if (const auto extract = make_extract(definition->extractor, {}))
    for (const std::string_view value : {std::string_view("{\"a\":[1,2]}"), std::string_view("a,b"), input})
      (void)(**extract)("key", value);
  return true;
}

}  // namespace lightning::index
