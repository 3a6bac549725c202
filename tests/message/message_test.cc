// SPDX-License-Identifier: Apache-2.0
#include "message/message.h"

#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

MessageRef WithTrace(std::string header) {
  MessageParts parts;
  parts.event_id = {0x11, 0x22};
  parts.trace_header = std::move(header);
  return MakeMessage(std::move(parts));
}

TEST(MessageTest, BytesAreBodyAndAttributes) {
  MessageParts parts;
  parts.body = "12345";
  parts.attributes = {{"k", "v"}};
  parts.trace_header = "does not count";
  EXPECT_EQ(MakeMessage(std::move(parts))->bytes(), 5u + 1u + 6u + 1u);
}

TEST(MessageTest, EveryMessageHasATraceId) {
  EXPECT_EQ(WithTrace("")->trace_id(), "00000000000000110000000000000022");
  EXPECT_EQ(WithTrace("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
                ->trace_id(),
            "1-5759e988-bd862e3fe1be46a994272793");
  EXPECT_EQ(WithTrace("Sampled=1; Root=1-a-b")->trace_id(), "1-a-b");
  EXPECT_EQ(WithTrace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")->trace_id(),
            "4bf92f3577b34da6a3ce929d0e0e4736");
  // Neither of the two forms: carried as it is, and the event id serves.
  EXPECT_EQ(WithTrace("whatever")->trace_id(), "00000000000000110000000000000022");
}

TEST(MessageTest, TheLastReferenceOfManyThreadsFreesIt) {
  int released = 0;
  {
    MessageParts parts;
    parts.body = Payload::Adopt("x", 1, [&released] { ++released; });
    MessageRef message = MakeMessage(std::move(parts));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([message] {
        for (int i = 0; i < 10'000; ++i) {
          MessageRef copy = message;
          MessageRef moved = std::move(copy);
          ASSERT_EQ(moved->body.view(), "x");
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(released, 0);
  }
  EXPECT_EQ(released, 1);
}

TEST(DeliveryTest, APresentationIsAskedOnlyWhenTheBodyIsRead) {
  class Envelope final : public Presentation {
   public:
    explicit Envelope(int* asked) : asked_(asked) {}
    Payload Body(const Message& message) const override {
      ++*asked_;
      return "<" + std::string(message.body.view()) + ">";
    }
    bool ShowsAttributes() const override { return false; }

   private:
    int* asked_;
  };
  int asked = 0;
  MessageParts parts;
  parts.body = "b";
  const Delivery delivery = {MakeMessage(std::move(parts)), std::make_shared<Envelope>(&asked)};
  const Delivery copy = delivery;
  EXPECT_EQ(asked, 0);
  EXPECT_EQ(copy.Body().view(), "<b>");
  EXPECT_EQ(asked, 1);
  EXPECT_FALSE(copy.ShowsAttributes());
  EXPECT_TRUE((Delivery{copy.message, nullptr}).ShowsAttributes());
}

}  // namespace
}  // namespace banyan::internal
