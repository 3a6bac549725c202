// SPDX-License-Identifier: Apache-2.0
//
// Consumers of a stream: their names, states, numbers and ends. What is pushed to them is in
// push_test.cc.
#include "banyan/stream_consumer.h"

#include <string>
#include <vector>

#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "message/close_kind.h"

namespace banyan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Status Ignore(const ShardEvent&) { return absl::OkStatus(); }

class ConsumerTest : public StreamTest {
 protected:
  using StreamTest::StreamTest;

  static std::vector<std::string> NamesOf(const Stream& stream) {
    std::vector<std::string> names;
    const std::vector<StreamConsumerDescription> listed = stream.ListConsumers().value();
    for (const StreamConsumerDescription& consumer : listed) {
      names.push_back(consumer.name);
    }
    return names;
  }
};

class SlowConsumerTest : public ConsumerTest {
 protected:
  SlowConsumerTest() : ConsumerTest(SlowLimits()) {}

  // The stream itself has had its time.
  Stream MakeActiveStream() {
    const Stream stream = MakeStream();
    runtime_.Advance(absl::Seconds(10));
    return stream;
  }
  static StreamConsumerStatus StatusOf(const Stream& stream, std::string_view name) {
    return stream.DescribeConsumer(name).value().status;
  }
};

TEST_F(ConsumerTest, ItsArnNamesTheStreamTheConsumerAndTheSecond) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  EXPECT_EQ(consumer.name(), "audit");
  EXPECT_EQ(consumer.arn().ToString(),
            "arn:aws:kinesis:us-east-1:000000000000:stream/clicks/consumer/audit:1767225600");
  const StreamConsumerDescription shown = consumer.Describe().value();
  EXPECT_EQ(shown.name, "audit");
  EXPECT_EQ(shown.arn, consumer.arn());
  EXPECT_EQ(shown.stream_arn, stream.arn());
  EXPECT_EQ(shown.status, StreamConsumerStatus::kActive);
  EXPECT_EQ(shown.created, absl::FromUnixSeconds(1'767'225'600));
}

TEST_F(ConsumerTest, IsFoundByNameAndByArn) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  EXPECT_EQ(stream.FindConsumer("audit").value(), consumer);
  EXPECT_EQ(stream.FindConsumer(consumer.arn().ToString()).value(), consumer);
  EXPECT_EQ(stream.DescribeConsumer(consumer.arn().ToString()).value(),
            consumer.Describe().value());
  const absl::Status missing = stream.FindConsumer("nobody").status();
  EXPECT_EQ(CodeOf(missing), "ResourceNotFoundException");
  EXPECT_THAT(TextOf(missing), HasSubstr("Consumer nobody, account 000000000000 not found"));
  EXPECT_EQ(CodeOf(stream.FindConsumer(stream.arn().ToString()).status()),
            "ResourceNotFoundException");
}

TEST_F(ConsumerTest, NamesAreCheckedAndUniqueInAStream) {
  const Stream stream = MakeStream();
  for (const std::string& name :
       {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a:b")}) {
    EXPECT_EQ(CodeOf(stream.RegisterConsumer(name).status()), "ValidationException") << name;
  }
  EXPECT_EQ(CodeOf(stream.RegisterConsumer(std::string(128, 'x')).status()), "OK");
  EXPECT_EQ(CodeOf(stream.RegisterConsumer("a_B.9-c").status()), "OK");
  const absl::Status taken = stream.RegisterConsumer("a_B.9-c").status();
  EXPECT_EQ(CodeOf(taken), "ResourceInUseException");
  EXPECT_THAT(TextOf(taken), HasSubstr("already exists"));
  EXPECT_EQ(CodeOf(MakeStream({}, "other").RegisterConsumer("a_B.9-c").status()), "OK");
}

TEST_F(ConsumerTest, S4_AStreamHasTwentyConsumersOrAsManyAsTheLimitsSay) {
  const Stream stream = MakeStream();
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(CodeOf(stream.RegisterConsumer("c" + std::to_string(i)).status()), "OK") << i;
  }
  const absl::Status refused = stream.RegisterConsumer("one-more").status();
  EXPECT_EQ(CodeOf(refused), "LimitExceededException");
  EXPECT_THAT(TextOf(refused), HasSubstr("the limit is 20"));
  EXPECT_EQ(CodeOf(MakeStream({}, "other").RegisterConsumer("mine").status()), "OK");
  ASSERT_EQ(stream.DeregisterConsumer("c7"), absl::OkStatus());
  EXPECT_EQ(CodeOf(stream.RegisterConsumer("one-more").status()), "OK");

  Limits advantage = SmallLimits();  // On-demand Advantage
  advantage.stream.consumers_max = 50;
  env_ = std::make_shared<internal::Environment>(runtime_, advantage, 7);
  const Stream wide = MakeStream({}, "wide");
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(CodeOf(wide.RegisterConsumer("c" + std::to_string(i)).status()), "OK") << i;
  }
  EXPECT_EQ(CodeOf(wide.RegisterConsumer("one-more").status()), "LimitExceededException");
}

TEST_F(ConsumerTest, AreListedByName) {
  const Stream stream = MakeStream();
  for (const char* name : {"c", "a", "b"}) ASSERT_TRUE(stream.RegisterConsumer(name).ok());
  EXPECT_THAT(NamesOf(stream), ElementsAre("a", "b", "c"));
}

TEST_F(ConsumerTest, OneThatIsRegisteredAnewIsAnother) {
  const Stream stream = MakeStream();
  const StreamConsumer first = stream.RegisterConsumer("audit").value();
  ASSERT_EQ(stream.DeregisterConsumer(first.arn().ToString()), absl::OkStatus());
  EXPECT_EQ(CodeOf(stream.DeregisterConsumer("audit")), "ResourceNotFoundException");
  runtime_.Advance(absl::Seconds(1));
  const StreamConsumer second = stream.RegisterConsumer("audit").value();
  EXPECT_NE(first.arn(), second.arn());
  EXPECT_EQ(CodeOf(first.Describe().status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(first.SubscribeToShard(kShard0, StartAt::Latest(), Ignore).status()),
            "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(stream.FindConsumer(first.arn().ToString()).status()),
            "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(second.Describe().status()), "OK");
}

TEST_F(SlowConsumerTest, IsCreatingThenActiveThenDeletingThenGone) {
  const Stream stream = MakeActiveStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  EXPECT_EQ(StatusOf(stream, "audit"), StreamConsumerStatus::kCreating);
  runtime_.Advance(absl::Milliseconds(9'999));
  EXPECT_EQ(StatusOf(stream, "audit"), StreamConsumerStatus::kCreating);
  runtime_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(StatusOf(stream, "audit"), StreamConsumerStatus::kActive);

  ASSERT_EQ(stream.DeregisterConsumer("audit"), absl::OkStatus());
  EXPECT_EQ(StatusOf(stream, "audit"), StreamConsumerStatus::kDeleting);
  EXPECT_EQ(stream.DeregisterConsumer("audit"), absl::OkStatus());
  runtime_.Advance(absl::Milliseconds(9'999));
  EXPECT_EQ(CodeOf(stream.RegisterConsumer("audit").status()), "ResourceInUseException");
  EXPECT_THAT(NamesOf(stream), ElementsAre("audit"));
  runtime_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(NamesOf(stream), ElementsAre());
  EXPECT_EQ(CodeOf(consumer.Describe().status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(stream.RegisterConsumer("audit").status()), "OK");
}

TEST_F(SlowConsumerTest, ReadsOnlyWhileItIsActive) {
  const Stream stream = MakeActiveStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  absl::Status refused = consumer.SubscribeToShard(kShard0, StartAt::Latest(), Ignore).status();
  EXPECT_EQ(CodeOf(refused), "ResourceInUseException");
  EXPECT_THAT(TextOf(refused), HasSubstr("not ACTIVE, instead in state CREATING"));
  runtime_.Advance(absl::Seconds(10));
  const ShardSubscription push =
      consumer.SubscribeToShard(kShard0, StartAt::Latest(), Ignore).value();
  ASSERT_EQ(stream.DeregisterConsumer("audit"), absl::OkStatus());
  ASSERT_TRUE(push.end().has_value());
  EXPECT_EQ(push.end()->reason, SubscriptionEnd::Reason::kDeregistered);
  EXPECT_EQ(CodeOf(push.end()->status), "ResourceNotFoundException");
  runtime_.Advance(absl::Seconds(6));
  refused = consumer.SubscribeToShard(kShard0, StartAt::Latest(), Ignore).status();
  EXPECT_THAT(TextOf(refused), HasSubstr("instead in state DELETING"));
}

TEST_F(SlowConsumerTest, FiveAreCreatingAtOnce) {
  const Stream stream = MakeActiveStream();
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(CodeOf(stream.RegisterConsumer("c" + std::to_string(i)).status()), "OK");
  }
  const absl::Status refused = stream.RegisterConsumer("c5").status();
  EXPECT_EQ(CodeOf(refused), "LimitExceededException");
  EXPECT_THAT(TextOf(refused), HasSubstr("CREATING, the limit is 5"));
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(CodeOf(stream.RegisterConsumer("c5").status()), "OK");
}

TEST_F(SlowConsumerTest, AStreamThatIsCreatingRegistersNobody) {
  const Stream stream = MakeStream();
  EXPECT_EQ(CodeOf(stream.RegisterConsumer("audit").status()), "ResourceInUseException");
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(CodeOf(stream.RegisterConsumer("audit").status()), "OK");
}

TEST_F(ConsumerTest, EndWithTheirStream) {
  const Stream stream = MakeStream();
  const StreamConsumer consumer = stream.RegisterConsumer("audit").value();
  stream.core()->Close(internal::CloseKind::kDeleted);
  EXPECT_EQ(CodeOf(consumer.Describe().status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(stream.ListConsumers().status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(stream.RegisterConsumer("late").status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(stream.DeregisterConsumer("audit")), "ResourceNotFoundException");
  EXPECT_EQ(consumer.name(), "audit");
}

TEST_F(ConsumerTest, AHandleThatNamesNothingAnswersNotFound) {
  const StreamConsumer none;
  EXPECT_EQ(CodeOf(none.Describe().status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(none.SubscribeToShard(kShard0, StartAt::Latest(), Ignore).status()),
            "ResourceNotFoundException");
  EXPECT_EQ(none.name(), "");
  EXPECT_EQ(CodeOf(Stream().RegisterConsumer("x").status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(Stream().ListConsumers().status()), "ResourceNotFoundException");
  ShardSubscription empty;
  empty.Cancel();
  EXPECT_TRUE(empty.end().has_value());
}

}  // namespace
}  // namespace banyan::testing
