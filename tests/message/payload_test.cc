// SPDX-License-Identifier: Apache-2.0
#include "banyan/payload.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace banyan {
namespace {

TEST(PayloadTest, CopiesTheCallersBytesOnce) {
  std::string bytes = "abc";
  const Payload payload = bytes;
  bytes[0] = 'X';
  EXPECT_EQ(payload.view(), "abc");
  const Payload copy = payload;
  EXPECT_TRUE(copy.SharesBlockWith(payload));
  EXPECT_EQ(copy.view().data(), payload.view().data());
}

TEST(PayloadTest, EqualBytesAreEqualThoughNotShared) {
  EXPECT_EQ(Payload("x"), Payload("x"));
  EXPECT_FALSE(Payload("x").SharesBlockWith(Payload("x")));
  EXPECT_FALSE(Payload("x") == Payload("y"));
}

TEST(PayloadTest, KeepsZeroBytesAndNothing) {
  EXPECT_EQ(Payload(std::string_view("\0a\0", 3)).size(), 3u);
  EXPECT_TRUE(Payload().empty());
  EXPECT_TRUE(Payload("").empty());
  EXPECT_EQ(Payload().view(), "");
}

TEST(PayloadTest, AMovedFromPayloadIsEmpty) {
  Payload a = "text";
  Payload b = std::move(a);
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): that is the promise
  EXPECT_EQ(b.view(), "text");
  Payload& self = b;
  b = self;
  EXPECT_EQ(b.view(), "text");
}

TEST(PayloadTest, AnAdoptedBufferIsNotCopiedAndReleasedOnce) {
  const std::string buffer = "a buffer of the caller";
  int released = 0;
  {
    Payload payload = Payload::Adopt(buffer.data(), buffer.size(), [&released] { ++released; });
    EXPECT_EQ(payload.view().data(), buffer.data());
    Payload copy = payload;
    payload = Payload("other");
    EXPECT_EQ(released, 0);
    EXPECT_EQ(copy.view(), buffer);
  }
  EXPECT_EQ(released, 1);
}

TEST(PayloadTest, ThreadsShareOneBlock) {
  int released = 0;
  const std::string buffer(1'000, 'x');
  {
    const Payload payload =
        Payload::Adopt(buffer.data(), buffer.size(), [&released] { ++released; });
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([payload, &buffer] {
        for (int i = 0; i < 10'000; ++i) {
          Payload copy = payload;
          ASSERT_EQ(copy.view().data(), buffer.data());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(released, 1);
}

}  // namespace
}  // namespace banyan
