// SPDX-License-Identifier: Apache-2.0
//
// Lists in pages: of shards, consumers and streams, with tokens that are good for five minutes.
#include <optional>
#include <string>
#include <vector>

#include "banyan/broker.h"
#include "banyan/stream_consumer.h"
#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "message/close_kind.h"

namespace banyan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class PageTest : public StreamTest {
 protected:
  static std::vector<int64_t> Ids(const ShardPage& page) {
    std::vector<int64_t> ids;
    for (const ShardInfo& shard : page.shards) ids.push_back(shard.id.index);
    return ids;
  }
  static std::vector<std::string> Names(const StreamConsumerPage& page) {
    std::vector<std::string> names;
    for (const StreamConsumerDescription& consumer : page.consumers) names.push_back(consumer.name);
    return names;
  }
  static absl::Status Refusal(const Stream& stream, const ListShardsOptions& options) {
    return stream.ListShardsPage(options).status();
  }
};

// --- Shards

TEST_F(PageTest, ShardsComeAPageAtATimeAndEachOnce) {
  const Stream stream = MakeStream({.shards = 5});
  ShardPage page = stream.ListShardsPage({.max_results = 2}).value();
  EXPECT_THAT(Ids(page), ElementsAre(0, 1));
  // Another size may be asked for; what is made meanwhile is at the end.
  ASSERT_EQ(stream.SplitShard(ShardId{4}), absl::OkStatus());
  page = stream.ListShardsPage({.next_token = page.next_token, .max_results = 3}).value();
  EXPECT_THAT(Ids(page), ElementsAre(2, 3, 4));
  page = stream.ListShardsPage({.next_token = page.next_token}).value();
  EXPECT_THAT(Ids(page), ElementsAre(5, 6));
  EXPECT_EQ(page.next_token, "");
}

TEST_F(PageTest, APageThatHoldsAllHasNoToken) {
  const Stream stream = MakeStream({.shards = 3});
  const ShardPage page = stream.ListShardsPage({.max_results = 3}).value();
  EXPECT_THAT(Ids(page), ElementsAre(0, 1, 2));
  EXPECT_EQ(page.next_token, "");
}

TEST_F(PageTest, APageHasAThousandShardsThoughMoreAreAskedFor) {
  const Stream stream = MakeStream({.shards = 1'001});
  const ShardPage first = stream.ListShardsPage({.max_results = 10'000}).value();
  EXPECT_THAT(first.shards, SizeIs(1'000));
  EXPECT_THAT(Ids(stream.ListShardsPage({.next_token = first.next_token}).value()),
              ElementsAre(1'000));
  EXPECT_THAT(stream.ListShards().value(), SizeIs(1'001));
}

TEST_F(PageTest, ATokenRemembersItsFilter) {
  const Stream stream = MakeStream({.shards = 4});
  runtime_.Advance(absl::Hours(1));
  const absl::Time before = runtime_.Now() - absl::Minutes(1);
  ASSERT_EQ(stream.SplitShard(ShardId{1}), absl::OkStatus());  // 4, 5
  using Kind = ShardFilter::Kind;
  const auto pages = [&stream](const ListShardsOptions& first) {
    std::vector<int64_t> all;
    absl::StatusOr<ShardPage> page = stream.ListShardsPage(first);
    for (;;) {
      EXPECT_EQ(page.status(), absl::OkStatus());
      const std::vector<int64_t> ids = Ids(*page);
      all.insert(all.end(), ids.begin(), ids.end());
      if (page->next_token.empty()) return all;
      page = stream.ListShardsPage({.next_token = page->next_token, .max_results = 1});
    }
  };
  const auto filter = [](Kind kind, ShardId shard = {}, absl::Time time = {}) {
    return ShardFilter{.kind = kind, .shard = shard, .time = time};
  };
  EXPECT_THAT(pages({.filter = filter(Kind::kAtLatest), .max_results = 1}),
              ElementsAre(0, 2, 3, 4, 5));
  EXPECT_THAT(pages({.filter = filter(Kind::kAtTimestamp, {}, before), .max_results = 1}),
              ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(pages({.filter = filter(Kind::kAfterShardId, ShardId{2}), .max_results = 1}),
              ElementsAre(3, 4, 5));
  EXPECT_THAT(pages({.exclusive_start = ShardId{3}, .max_results = 1}), ElementsAre(4, 5));
}

TEST_F(PageTest, ATokenIsGoodForFiveMinutes) {
  const Stream stream = MakeStream({.shards = 2});
  const std::string token = stream.ListShardsPage({.max_results = 1}).value().next_token;
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(Ids(stream.ListShardsPage({.next_token = token}).value()), ElementsAre(1));
  EXPECT_THAT(Ids(stream.ListShardsPage({.next_token = token}).value()), ElementsAre(1));
  runtime_.Advance(absl::Milliseconds(1));
  const absl::Status refused = Refusal(stream, {.next_token = token});
  EXPECT_EQ(CodeOf(refused), "ExpiredNextTokenException");
  EXPECT_EQ(refused.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(TextOf(refused), HasSubstr("300 seconds"));
}

TEST_F(PageTest, WithATokenNothingIsSaidThatItKnows) {
  const Stream stream = MakeStream({.shards = 2});
  const std::string token = stream.ListShardsPage({.max_results = 1}).value().next_token;
  const absl::Status start = Refusal(stream, {.exclusive_start = kShard0, .next_token = token});
  EXPECT_EQ(CodeOf(start), "InvalidArgumentException");
  EXPECT_EQ(TextOf(start), "NextToken and ExclusiveStartShardId cannot be provided together.");
  const absl::Status filter = Refusal(stream, {.filter = ShardFilter(), .next_token = token});
  EXPECT_EQ(CodeOf(filter), "InvalidArgumentException");
}

TEST_F(PageTest, PagesHave1To10000) {
  const Stream stream = MakeStream();
  for (const int64_t bad : {0, -1, 10'001}) {
    EXPECT_EQ(CodeOf(Refusal(stream, {.max_results = bad})), "ValidationException") << bad;
    EXPECT_EQ(CodeOf(stream.ListConsumersPage({.max_results = bad}).status()),
              "ValidationException");
  }
}

TEST_F(PageTest, OnlyTheListThatGaveATokenTakesIt) {
  const Stream stream = MakeStream({.shards = 2});
  ASSERT_TRUE(stream.RegisterConsumer("a").ok());
  ASSERT_TRUE(stream.RegisterConsumer("b").ok());
  const std::string token = stream.ListShardsPage({.max_results = 1}).value().next_token;
  const std::string consumers = stream.ListConsumersPage({.max_results = 1}).value().next_token;
  const Stream anew = MakeStream({.shards = 2});  // of the same name
  EXPECT_EQ(CodeOf(Refusal(anew, {.next_token = token})), "InvalidArgumentException");
  EXPECT_EQ(CodeOf(stream.ListConsumersPage({.next_token = token}).status()),
            "InvalidArgumentException");
  EXPECT_EQ(CodeOf(Refusal(stream, {.next_token = consumers})), "InvalidArgumentException");
  EXPECT_EQ(CodeOf(anew.ListConsumersPage({.next_token = consumers}).status()),
            "InvalidArgumentException");
}

TEST_F(PageTest, WhatIsNoTokenIsRefused) {
  const Stream stream = MakeStream({.shards = 2});
  const std::string token = stream.ListShardsPage({.max_results = 1}).value().next_token;
  const std::string head = token.substr(0, token.find(':') - 1);
  for (const std::string& bad : {std::string("x"), token.substr(0, 20), "x" + token.substr(1),
                                 token + "x", head, head + "0", head + "0:9:0:0", head + "-1:0:0:0",
                                 head + "0:0:0:0:0", head + "99999999999999999999:0:0:0",
                                 token.substr(0, 17) + std::string(16, 'f') + "0:0:0:0"}) {
    const absl::Status refused = Refusal(stream, {.next_token = bad});
    EXPECT_EQ(CodeOf(refused), "InvalidArgumentException") << bad;
    EXPECT_EQ(TextOf(refused), "Invalid NextToken.") << bad;
  }
  // The last shard there could ever be: nothing follows it.
  EXPECT_THAT(
      Ids(stream.ListShardsPage({.next_token = head + "9223372036854775807:0:0:0"}).value()),
      SizeIs(0));
  EXPECT_THAT(Ids(stream.ListShardsPage({.exclusive_start = ShardId{INT64_MAX}}).value()),
              SizeIs(0));
}

TEST_F(PageTest, ADeletedStreamHasNoPages) {
  const Stream stream = MakeStream();
  stream.core()->Close(internal::CloseKind::kDeleted);
  for (const Stream& gone : {stream, Stream()}) {
    EXPECT_EQ(CodeOf(Refusal(gone, {})), "ResourceNotFoundException");
    EXPECT_EQ(CodeOf(gone.ListConsumersPage().status()), "ResourceNotFoundException");
  }
}

// --- Consumers

TEST_F(PageTest, ConsumersComeAPageAtATime) {
  const Stream stream = MakeStream();
  for (const char* name : {"d", "b", "a", "c"}) ASSERT_TRUE(stream.RegisterConsumer(name).ok());
  StreamConsumerPage page = stream.ListConsumersPage({.max_results = 2}).value();
  EXPECT_THAT(Names(page), ElementsAre("a", "b"));
  // The token goes on behind the last one, whether it is still there or not.
  ASSERT_EQ(stream.DeregisterConsumer("b"), absl::OkStatus());
  page = stream.ListConsumersPage({.next_token = page.next_token, .max_results = 2}).value();
  EXPECT_THAT(Names(page), ElementsAre("c", "d"));
  EXPECT_EQ(page.next_token, "");
  const std::string token = stream.ListConsumersPage({.max_results = 1}).value().next_token;
  runtime_.Advance(absl::Minutes(5) + absl::Milliseconds(1));
  EXPECT_EQ(CodeOf(stream.ListConsumersPage({.next_token = token}).status()),
            "ExpiredNextTokenException");
}

// --- Streams

class StreamPageTest : public ::testing::Test {
 protected:
  static std::vector<std::string> Names(const StreamPage& page) {
    std::vector<std::string> names;
    for (const Stream& stream : page.streams) names.emplace_back(stream.name());
    return names;
  }

  SimulatedRuntime runtime_;
};

TEST_F(StreamPageTest, StreamsComeAPageAtATime) {
  Broker broker = Broker::Create(runtime_, {}).value();
  for (const char* name : {"d", "b", "a", "c"}) ASSERT_TRUE(broker.CreateStream(name).ok());
  StreamPage page = broker.ListStreamsPage({.max_results = 3}).value();
  EXPECT_THAT(Names(page), ElementsAre("a", "b", "c"));
  const std::string token = page.next_token;
  EXPECT_THAT(Names(broker.ListStreamsPage({.next_token = token}).value()), ElementsAre("d"));
  EXPECT_THAT(Names(broker.ListStreamsPage({.exclusive_start = "b"}).value()),
              ElementsAre("c", "d"));
  EXPECT_EQ(TextOf(broker.ListStreamsPage({.exclusive_start = "b", .next_token = token}).status()),
            "NextToken and ExclusiveStartStreamName cannot be provided together.");
  EXPECT_EQ(CodeOf(broker.ListStreamsPage({.next_token = "x"}).status()),
            "InvalidArgumentException");
  EXPECT_EQ(CodeOf(broker.ListStreamsPage({.exclusive_start = "a b"}).status()),
            "ValidationException");
  EXPECT_EQ(CodeOf(broker.ListStreamsPage({.max_results = 0}).status()), "ValidationException");
  runtime_.Advance(absl::Minutes(5) + absl::Milliseconds(1));
  EXPECT_EQ(CodeOf(broker.ListStreamsPage({.next_token = token}).status()),
            "ExpiredNextTokenException");
}

TEST_F(StreamPageTest, APageHasAHundredStreams) {
  Broker broker = Broker::Create(runtime_, {}).value();
  for (int i = 0; i < 101; ++i) {
    ASSERT_TRUE(broker.CreateStream("stream-" + std::to_string(i)).ok());
  }
  const StreamPage page = broker.ListStreamsPage().value();
  EXPECT_THAT(page.streams, SizeIs(100));
  EXPECT_THAT(broker.ListStreamsPage({.next_token = page.next_token}).value().streams, SizeIs(1));
}

TEST_F(StreamPageTest, FiveStreamsAreCreatingAtOnce) {
  BrokerOptions options;
  options.limits.stream.transition_time = absl::Seconds(10);
  Broker broker = Broker::Create(runtime_, options).value();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(broker.CreateStream("stream-" + std::to_string(i)).ok());
  }
  const absl::Status refused = broker.CreateStream("another").status();
  EXPECT_EQ(CodeOf(refused), "LimitExceededException");
  EXPECT_THAT(TextOf(refused), HasSubstr("5 streams in state CREATING"));
  EXPECT_TRUE(broker.CreateStream("stream-0").ok()) << "that one is there";
  runtime_.Advance(absl::Seconds(10));
  EXPECT_TRUE(broker.CreateStream("another").ok());
}

}  // namespace
}  // namespace banyan::testing
