// Keys as people and programs hand them over, and what they hand over by mistake.
#include "crypto/key_source.h"

#include <cstdlib>

#include "env/posix_file_system.h"
#include "keyed.h"

namespace lightning::crypto {
namespace {

const std::string kHex = "00112233445566778899aabbccddeeffffeeddccbbaa99887766554433221100";
const std::string kBase64 = "ABEiM0RVZneImaq7zN3u///u3cy7qpmId2ZVRDMiEQA=";
const std::string kRaw(
    "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"
    "\xff\xee\xdd\xcc\xbb\xaa\x99\x88\x77\x66\x55\x44\x33\x22\x11\x00",
    32);

TEST(KeyText, IsRawHexadecimalOrBase64) {
  for (const std::string& text : {kRaw, kHex, kBase64, kHex + "\n", " " + kBase64 + "\r\n"})
    EXPECT_EQ(must(parse_key(text)).view(), kRaw) << text;
  std::string upper = kHex;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  EXPECT_EQ(must(parse_key(upper)).view(), kRaw);
  const std::string spaces(kKeyBytes, ' ');
  EXPECT_EQ(must(parse_key(spaces)).view(), spaces) << "32 bytes are a key, whatever they are";
}

TEST(KeyText, OfAnotherSizeIsRefusedWithTheSizeAndWithoutTheText) {
  const auto message_of = [](const std::string& text) {
    const auto key = parse_key(text);
    EXPECT_CODE(kConfigInvalid, key);
    return key ? std::string() : key.error().to_string();
  };
  EXPECT_NE(message_of("").find("empty"), std::string::npos);
  EXPECT_NE(message_of(" \n").find("empty"), std::string::npos);
  EXPECT_NE(message_of(kHex.substr(0, 32)).find("too short"), std::string::npos) << "16 bytes in hexadecimal";
  const std::string secret = "correct horse battery staple";
  EXPECT_NE(message_of(secret).find("wrong size: 28 bytes"), std::string::npos);
  EXPECT_EQ(message_of(secret).find("horse"), std::string::npos);
  for (const std::string& wrong :
       {kRaw + "x", kRaw.substr(1), kHex.substr(2), kHex + "00", std::string(64, 'g'), kBase64.substr(0, 43),
        kBase64 + "=", std::string(44, 'A'), std::string(44, '!'), std::string(42, 'A') + "=="}) {
    SCOPED_TRACE(wrong);
    EXPECT_CODE(kConfigInvalid, parse_key(wrong));
  }
}

TEST(KeySource, ReadsAFile) {
  env::SimulatedWorld world(1);
  ASSERT_TRUE(world.files.put_file("/key", kHex + "\n"));
  EXPECT_EQ(must(read_key({KeySource::Kind::kFile, "/key"}, world.files)).view(), kRaw);
  EXPECT_CODE(kStorageUnavailable, read_key({KeySource::Kind::kFile, "/none"}, world.files));
  ASSERT_TRUE(world.files.put_file("/large", std::string(5000, 'x')));
  EXPECT_CODE(kConfigInvalid, read_key({KeySource::Kind::kFile, "/large"}, world.files));
  ASSERT_TRUE(world.files.put_file("/short", "abc"));
  const auto refused = read_key({KeySource::Kind::kFile, "/short"}, world.files);
  EXPECT_CODE(kConfigInvalid, refused);
  EXPECT_NE(refused.error().message().find("/short"), std::string::npos) << refused.error().to_string();
}

TEST(KeySource, ReadsAVariableOfTheEnvironment) {
  env::SimulatedWorld world(1);
  ASSERT_EQ(::setenv("LIGHTNING_TEST_KEY", kBase64.c_str(), 1), 0);
  EXPECT_EQ(must(read_key({KeySource::Kind::kEnvironment, "LIGHTNING_TEST_KEY"}, world.files)).view(), kRaw);
  ASSERT_EQ(::unsetenv("LIGHTNING_TEST_KEY"), 0);
  const auto unset = read_key({KeySource::Kind::kEnvironment, "LIGHTNING_TEST_KEY"}, world.files);
  EXPECT_CODE(kConfigInvalid, unset);
  EXPECT_NE(unset.error().message().find("LIGHTNING_TEST_KEY"), std::string::npos) << unset.error().to_string();
}

TEST(KeySource, AsksACommandAndTellsOnlyItsFirstWord) {
  env::SimulatedWorld world(1);
  EXPECT_EQ(must(read_key({KeySource::Kind::kCommand, "echo " + kHex}, world.files)).view(), kRaw);
  EXPECT_EQ(
      must(read_key({KeySource::Kind::kCommand, "printf '%b' '\\0377'; head -c 31 /dev/zero"}, world.files)).view(),
      "\xff" + std::string(31, '\0'));
  const auto failed = read_key({KeySource::Kind::kCommand, "false --token=hidden"}, world.files);
  EXPECT_CODE(kIo, failed);
  EXPECT_NE(failed.error().message().find("false"), std::string::npos) << failed.error().to_string();
  EXPECT_EQ(failed.error().to_string().find("hidden"), std::string::npos);
  EXPECT_CODE(kConfigInvalid, read_key({KeySource::Kind::kCommand, "echo no key"}, world.files));
  EXPECT_CODE(kIo, read_key({KeySource::Kind::kCommand, "sleep 60"}, world.files, std::chrono::milliseconds(20)));
}

}  // namespace
}  // namespace lightning::crypto
