// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

// RFC 1321, appendix A.5.
TEST(HashTest, Md5OfTheRfcsTestSuite) {
  EXPECT_EQ(Md5Hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(Md5Hex("a"), "0cc175b9c0f1b6a831c399e269772661");
  EXPECT_EQ(Md5Hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(Md5Hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(Md5Hex("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
  EXPECT_EQ(
      Md5Hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
      "57edf4a22be3c955ac49da2e2107b67a");
}

// FIPS 180-2, appendix B.
TEST(HashTest, Sha256OfTheStandardsExamples) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256Hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(HashTest, ZeroBytesCount) { EXPECT_NE(Md5Hex(std::string(1, '\0')), Md5Hex("")); }

TEST(HashTest, TheDigestsBytesAreInTheOrderOfItsText) {
  const Md5Digest digest = Md5("");
  EXPECT_EQ(digest.front(), 0xd4);
  EXPECT_EQ(digest.back(), 0x7e);
}

TEST(HashTest, ThreadsDoNotDisturbEachOther) {
  const std::string want_a = Md5Hex("a"), want_b = Sha256Hex("b");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        ASSERT_EQ(Md5Hex("a"), want_a);
        ASSERT_EQ(Sha256Hex("b"), want_b);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace banyan::internal
