// cli/bytes_text.h, base/json_text.h: bytes as people type and read them.
#include "cli/bytes_text.h"

#include "fuzz/support/target.h"

namespace lightning::cli {

LIGHTNING_FUZZ_TARGET(bytes_text) {
  const auto hex = from_hex(to_hex(input)), base64 = from_base64(to_base64(input));
  FUZZ_EXPECT(hex && *hex == input);
  FUZZ_EXPECT(base64 && *base64 == input);
  for (const std::string prefix : {"hex:", "base64:", "text:"}) {
    const auto typed = parse_bytes(prefix + std::string(input));
    if (typed && prefix == "text:") FUZZ_EXPECT(*typed == input);
  }
  const auto typed_hex = parse_bytes("hex:" + to_hex(input)), typed_base64 = parse_bytes("base64:" + to_base64(input));
  FUZZ_EXPECT(typed_hex && *typed_hex == input);
  FUZZ_EXPECT(typed_base64 && *typed_base64 == input);

  const std::string shown = escaped(input);
  FUZZ_EXPECT(is_utf8(shown));
  for (const char c : shown) FUZZ_EXPECT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  std::string json = "{";
  append_json_bytes(json, "k", input);
  FUZZ_EXPECT(is_utf8(json));
  if (is_utf8(input)) append_json_string(json, input);

  (void)parse_duration(input);
  bool taken = parse_bytes(input).has_value();
  if (const auto bytes = from_hex(input)) {
    FUZZ_EXPECT(bytes->size() * 2 == input.size());
    taken = true;
  }
  if (const auto bytes = from_base64(input)) {
    FUZZ_EXPECT(to_base64(*bytes) == input);
    taken = true;
  }
  return taken;
}

}  // namespace lightning::cli
