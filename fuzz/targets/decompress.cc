// sstable/codec.h: compressed blocks. Input: how it is compressed, the size it should have (3 bytes), the stored bytes.
#include "fuzz/support/bytes.h"
#include "fuzz/support/target.h"
#include "sstable/codec.h"
#include "sstable/layout.h"

namespace lightning::sstable {

LIGHTNING_FUZZ_TARGET(decompress) {
  const auto compression = static_cast<Compression>(fuzz::take_number<std::uint8_t>(input) % 3);
  std::uint64_t raw_bytes = fuzz::take_number<std::uint16_t>(input);
  raw_bytes |= std::uint64_t{fuzz::take_number<std::uint8_t>(input)} << 16;

  Compressor compressor(compression);
  FUZZ_EXPECT(compressor.ready());
  const std::string packed(compressor.compress(input));
  if (!packed.empty()) {
    FUZZ_EXPECT(packed.size() <= input.size());
    FUZZ_EXPECT(plausible_sizes(compressor.used(), packed.size(), input.size()));
    std::string unpacked(input.size(), '\0');
    FUZZ_EXPECT(decompress(compressor.used(), packed, unpacked) && unpacked == input);
  }
  if (!plausible_sizes(compression, input.size(), raw_bytes)) return false;
  const auto raw = std::make_unique<char[]>(raw_bytes);
  return decompress(compression, input, {raw.get(), raw_bytes}).has_value();
}

}  // namespace lightning::sstable
