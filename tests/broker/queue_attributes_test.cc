// SPDX-License-Identifier: Apache-2.0
//
// Queues made, found and related by AWS's own names: create or open by attributes, FIFO names, who
// may name whom as a dead-letter queue, and lists in pages. Sections 1, 2, 5 and 8 of the sheet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/error.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::IsOkAndHolds;
using ::banyan::testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

using Strings = std::map<std::string, std::string>;

constexpr char kNameRule[] =
    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";

std::string AwsCodeOf(const absl::Status& status) {
  const AwsErrorRow* row = FindAwsError(status);
  return row == nullptr ? "(none)" : std::string(row->code);
}

std::vector<std::string> NamesOf(const std::vector<Queue>& queues) {
  std::vector<std::string> names;
  for (const Queue& queue : queues) names.emplace_back(queue.name());
  return names;
}

class QueueAttributesTest : public ::testing::Test {
 protected:
  absl::StatusOr<Queue> Create(std::string_view name, const Strings& attributes = {},
                               const Strings& tags = {}) {
    return broker_.CreateQueueFromAttributes(name, attributes, tags);
  }

  static std::string RedrivePolicyTo(const Queue& dead_letter) {
    return "{\"deadLetterTargetArn\":\"" + dead_letter.arn().ToString() +
           "\",\"maxReceiveCount\":3}";
  }

  static std::string Get(const Queue& queue, const std::string& name) {
    const Strings shown = queue.GetAttributes({name}).value();
    const auto found = shown.find(name);
    return found == shown.end() ? "(absent)" : found->second;
  }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
};

// --- Create or open

TEST_F(QueueAttributesTest, AQueueIsMadeOfAttributesAndTags) {
  Queue jobs = Create("jobs", {{"VisibilityTimeout", "60"}, {"DelaySeconds", "5"}},
                      {{"team", "billing"}, {"stage", ""}})
                   .value();
  EXPECT_THAT(jobs.Options(), IsOkAndHolds(QueueOptions{.visibility_timeout = absl::Seconds(60),
                                                        .delay = absl::Seconds(5)}));
  EXPECT_THAT(jobs.Tags(), IsOkAndHolds(ElementsAre(Pair("stage", ""), Pair("team", "billing"))));
  EXPECT_EQ(Get(jobs, "QueueArn"), "arn:aws:sqs:us-east-1:000000000000:jobs");
}

TEST_F(QueueAttributesTest, TheSameAttributesOpenWhatIsThere) {
  Queue jobs = Create("jobs", {{"VisibilityTimeout", "60"}, {"DelaySeconds", "5"}}).value();
  EXPECT_THAT(Create("jobs", {{"VisibilityTimeout", "60"}, {"DelaySeconds", "5"}}),
              IsOkAndHolds(jobs));
  EXPECT_THAT(Create("jobs", {{"DelaySeconds", "5"}}), IsOkAndHolds(jobs));
  EXPECT_THAT(Create("jobs"), IsOkAndHolds(jobs)) << "a name alone always opens";
}

TEST_F(QueueAttributesTest, TheFirstAttributeThatDiffersIsNamed) {
  Queue jobs = Create("jobs", {{"VisibilityTimeout", "60"}}).value();
  const absl::Status status =
      Create("jobs", {{"VisibilityTimeout", "61"}, {"DelaySeconds", "0"}}).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(AwsCodeOf(status), "QueueAlreadyExists");
  EXPECT_EQ(status.message(),
            "A queue already exists with the same name and a different value for attribute "
            "VisibilityTimeout");
  // What is named was given, even if it says the default. A field of the options at its default was
  // not.
  EXPECT_EQ(AwsCodeOf(Create("jobs", {{"VisibilityTimeout", "30"}}).status()),
            "QueueAlreadyExists");
  EXPECT_THAT(broker_.CreateQueue("jobs", {.visibility_timeout = absl::Seconds(30)}),
              IsOkAndHolds(jobs));
  EXPECT_EQ(Get(jobs, "VisibilityTimeout"), "60");
}

TEST_F(QueueAttributesTest, WhatWasChangedSinceCounts) {
  Queue jobs = Create("jobs", {{"DelaySeconds", "5"}}).value();
  ASSERT_THAT(jobs.SetAttributes({{"DelaySeconds", "6"}}), IsOk());
  EXPECT_EQ(AwsCodeOf(Create("jobs", {{"DelaySeconds", "5"}}).status()), "QueueAlreadyExists");
  EXPECT_THAT(Create("jobs", {{"DelaySeconds", "6"}}), IsOkAndHolds(jobs));
}

TEST_F(QueueAttributesTest, TagsAreForANewQueueOnly) {
  Queue jobs = Create("jobs", {}, {{"a", "1"}}).value();
  EXPECT_THAT(Create("jobs", {}, {{"a", "2"}, {"b", "1"}}), IsOkAndHolds(jobs));
  EXPECT_THAT(jobs.Tags(), IsOkAndHolds(ElementsAre(Pair("a", "1"))));
}

TEST_F(QueueAttributesTest, WhatIsBadMakesNoQueue) {
  EXPECT_EQ(AwsCodeOf(Create("jobs", {{"Colour", "red"}}).status()), "InvalidAttributeName");
  EXPECT_EQ(AwsCodeOf(Create("jobs", {{"DelaySeconds", "901"}}).status()), "InvalidAttributeValue");
  EXPECT_EQ(AwsCodeOf(Create("jobs", {{"RedrivePolicy", "{}"}}).status()), "InvalidParameterValue");
  EXPECT_EQ(AwsCodeOf(Create("jobs", {}, {{"", "v"}}).status()), "InvalidParameterValue");
  EXPECT_EQ(AwsCodeOf(Create("no good").status()), "InvalidParameterValue");
  EXPECT_THAT(broker_.ListQueues(), IsEmpty());
  EXPECT_THAT(Create("jobs"), IsOk()) << "the name was not used up";
}

TEST_F(QueueAttributesTest, WhatIsBadIsBadAlsoWhereAQueueIs) {
  ASSERT_THAT(Create("jobs"), IsOk());
  EXPECT_EQ(AwsCodeOf(Create("jobs", {{"DelaySeconds", "-1"}}).status()), "InvalidAttributeValue");
}

TEST_F(QueueAttributesTest, ADeletedNameRestsWhoeverAsks) {
  ASSERT_THAT(Create("jobs"), IsOk());
  ASSERT_THAT(broker_.DeleteQueue("jobs"), IsOk());
  EXPECT_EQ(AwsCodeOf(Create("jobs").status()), "AWS.SimpleQueueService.QueueDeletedRecently");
  runtime_.Advance(absl::Seconds(60));
  Queue jobs = Create("jobs", {{"DelaySeconds", "1"}}).value();
  EXPECT_EQ(Get(jobs, "DelaySeconds"), "1");
}

TEST_F(QueueAttributesTest, AStoppedBrokerMakesNone) {
  ASSERT_THAT(Create("jobs"), IsOk());
  broker_.Stop(absl::ZeroDuration());
  EXPECT_THAT(Create("more"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(broker_.ListQueuesPage("", 1), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(broker_.ListDeadLetterSourceQueues("jobs"), StatusIs(absl::StatusCode::kUnavailable));
}

// Several make the same queue at once: all get the one that is there, with the tags of one of them;
// whoever wanted another one is told.
TEST_F(QueueAttributesTest, ManyAtOnceGetOneQueue) {
  constexpr int kThreads = 8;
  std::vector<absl::StatusOr<Queue>> made(kThreads, absl::UnknownError("not asked"));
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i, &made] {
      const std::string who = std::to_string(i);
      made[static_cast<size_t>(i)] = Create("jobs", {{"DelaySeconds", std::to_string(i % 2)}},
                                            {{"first", who}, {"last", who}});
    });
  }
  for (std::thread& thread : threads) thread.join();

  const Queue jobs = broker_.FindQueue("jobs").value();
  const std::string delay = Get(jobs, "DelaySeconds");
  for (int i = 0; i < kThreads; ++i) {
    const absl::StatusOr<Queue>& result = made[static_cast<size_t>(i)];
    if (std::to_string(i % 2) == delay) {
      EXPECT_THAT(result, IsOkAndHolds(jobs)) << i;
    } else {
      EXPECT_EQ(AwsCodeOf(result.status()), "QueueAlreadyExists") << i;
    }
  }
  const Strings tags = jobs.Tags().value();
  ASSERT_EQ(tags.size(), 2u);
  EXPECT_EQ(tags.at("first"), tags.at("last"));
}

// --- FIFO

TEST_F(QueueAttributesTest, AFifoQueueHasItsSuffixAndItsAttributes) {
  Queue ledger = Create("ledger.fifo", {{"FifoQueue", "true"}}).value();
  EXPECT_EQ(ledger.arn().ToString(), "arn:aws:sqs:us-east-1:000000000000:ledger.fifo");
  EXPECT_THAT(ledger.GetAttributes({"All"}).value(), Contains(Pair("FifoQueue", "true")));
  EXPECT_THAT(broker_.CreateQueue("ledger.fifo", {.fifo = true}), IsOkAndHolds(ledger));
}

TEST_F(QueueAttributesTest, SuffixAndFifoQueueGoTogether) {
  for (const absl::Status& status :
       {Create("jobs.fifo").status(), Create("jobs.fifo", {{"FifoQueue", "false"}}).status(),
        Create("jobs.fifo", {{"ContentBasedDeduplication", "true"}}).status(),
        Create("jobs", {{"FifoQueue", "true"}}).status(),
        Create(std::string(76, 'q') + ".fifo", {{"FifoQueue", "true"}}).status(),
        broker_.CreateQueue("jobs.fifo").status(),
        broker_.CreateQueue("jobs", {.fifo = true}).status()}) {
    EXPECT_EQ(AwsCodeOf(status), "InvalidParameterValue");
    EXPECT_THAT(std::string(status.message()), HasSubstr(kNameRule));
  }
  EXPECT_THAT(Create(std::string(75, 'q') + ".fifo", {{"FifoQueue", "true"}}), IsOk());
}

TEST_F(QueueAttributesTest, AStandardQueueHasNoFifoAttributes) {
  const absl::Status status = Create("jobs", {{"FifoQueue", "false"}}).status();
  EXPECT_EQ(AwsCodeOf(status), "InvalidAttributeName");
  EXPECT_EQ(status.message(), "Unknown Attribute FifoQueue.");
}

// Also a name alone: on AWS, too, such a queue cannot be opened without saying what it is.
TEST_F(QueueAttributesTest, AFifoQueueIsOpenedAsOne) {
  ASSERT_THAT(Create("ledger.fifo", {{"FifoQueue", "true"}}), IsOk());
  EXPECT_EQ(AwsCodeOf(Create("ledger.fifo").status()), "InvalidParameterValue");
  EXPECT_THAT(Create("ledger.fifo", {{"FifoQueue", "true"}}), IsOk());
}

TEST_F(QueueAttributesTest, AQueueStaysOfItsKind) {
  Queue ledger = Create("ledger.fifo", {{"FifoQueue", "true"}}).value();
  const absl::Status status = ledger.SetAttributes({{"FifoQueue", "false"}});
  EXPECT_EQ(AwsCodeOf(status), "InvalidAttributeValue");
  EXPECT_EQ(status.message(),
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not "
            "supported.");
}

// --- Attributes of a queue that is there

TEST_F(QueueAttributesTest, SettingChangesWhatIsNamedAndTheTimeOfTheChange) {
  Queue jobs = Create("jobs", {{"DelaySeconds", "5"}}).value();
  const std::string created = Get(jobs, "CreatedTimestamp");
  EXPECT_EQ(created, std::to_string(absl::ToUnixSeconds(runtime_.Now())));
  EXPECT_EQ(Get(jobs, "LastModifiedTimestamp"), created);
  runtime_.Advance(absl::Seconds(10));
  ASSERT_THAT(jobs.SetAttributes({{"VisibilityTimeout", "7"}}), IsOk());
  EXPECT_EQ(Get(jobs, "DelaySeconds"), "5");
  EXPECT_EQ(Get(jobs, "VisibilityTimeout"), "7");
  EXPECT_EQ(Get(jobs, "CreatedTimestamp"), created);
  EXPECT_EQ(Get(jobs, "LastModifiedTimestamp"),
            std::to_string(absl::ToUnixSeconds(runtime_.Now())));
}

TEST_F(QueueAttributesTest, OneBadAttributeLeavesTheOthersUnset) {
  Queue jobs = Create("jobs").value();
  EXPECT_EQ(AwsCodeOf(jobs.SetAttributes({{"DelaySeconds", "5"}, {"VisibilityTimeout", "x"}})),
            "InvalidAttributeValue");
  EXPECT_EQ(Get(jobs, "DelaySeconds"), "0");
}

TEST_F(QueueAttributesTest, CountsAreThoseOfTheMoment) {
  Queue jobs = Create("jobs").value();
  for (int i = 0; i < 3; ++i) ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
  ASSERT_THAT(jobs.Send({.body = "x", .delay = absl::Seconds(5)}), IsOk());
  ASSERT_EQ(jobs.Receive()->size(), 1u);
  EXPECT_EQ(Get(jobs, "ApproximateNumberOfMessages"), "2");
  EXPECT_EQ(Get(jobs, "ApproximateNumberOfMessagesNotVisible"), "1");
  EXPECT_EQ(Get(jobs, "ApproximateNumberOfMessagesDelayed"), "1");
  runtime_.Advance(absl::Seconds(30));
  EXPECT_EQ(Get(jobs, "ApproximateNumberOfMessages"), "4");
  EXPECT_EQ(Get(jobs, "ApproximateNumberOfMessagesDelayed"), "0");
}

TEST_F(QueueAttributesTest, ADeletedQueueHasNone) {
  Queue jobs = Create("jobs").value();
  ASSERT_THAT(broker_.DeleteQueue("jobs"), IsOk());
  EXPECT_THAT(jobs.GetAttributes({"All"}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(jobs.SetAttributes({{"DelaySeconds", "1"}}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(jobs.Tags(), StatusIs(absl::StatusCode::kNotFound));
}

// --- Dead letters

TEST_F(QueueAttributesTest, ADeadLetterQueueIsOfTheSameKind) {
  Queue dead = Create("dead").value();
  Queue dead_fifo = Create("dead.fifo", {{"FifoQueue", "true"}}).value();
  const std::string reason = "Reason: Dead-letter queue must be same type of queue as the source.";
  for (const absl::Status& status :
       {Create("jobs", {{"RedrivePolicy", RedrivePolicyTo(dead_fifo)}}).status(),
        Create("jobs.fifo", {{"FifoQueue", "true"}, {"RedrivePolicy", RedrivePolicyTo(dead)}})
            .status(),
        broker_.CreateQueue("jobs", {.redrive = RedrivePolicy{dead_fifo.arn(), 3}}).status()}) {
    EXPECT_EQ(AwsCodeOf(status), "InvalidParameterValue");
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
  }
  Queue jobs = Create("jobs", {{"RedrivePolicy", RedrivePolicyTo(dead)}}).value();
  EXPECT_THAT(jobs.SetAttributes({{"RedrivePolicy", RedrivePolicyTo(dead_fifo)}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(reason)));
  EXPECT_EQ(Get(jobs, "RedrivePolicy"), RedrivePolicyTo(dead));
  EXPECT_THAT(
      Create("jobs.fifo", {{"FifoQueue", "true"}, {"RedrivePolicy", RedrivePolicyTo(dead_fifo)}}),
      IsOk());
}

TEST_F(QueueAttributesTest, ADeadLetterQueueSaysWhoMayNameIt) {
  Queue dead =
      Create("dead", {{"RedriveAllowPolicy", R"({"redrivePermission":"denyAll"})"}}).value();
  const std::string policy = RedrivePolicyTo(dead);
  EXPECT_EQ(AwsCodeOf(Create("jobs", {{"RedrivePolicy", policy}}).status()),
            "InvalidParameterValue");
  Queue jobs = Create("jobs").value();
  EXPECT_EQ(AwsCodeOf(jobs.SetAttributes({{"RedrivePolicy", policy}})), "InvalidParameterValue");
  EXPECT_EQ(AwsCodeOf(jobs.SetOptions({.redrive = RedrivePolicy{dead.arn(), 3}})),
            "InvalidParameterValue");

  ASSERT_THAT(dead.SetAttributes({{"RedriveAllowPolicy",
                                   "{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[\"" +
                                       jobs.arn().ToString() + "\"]}"}}),
              IsOk());
  EXPECT_THAT(jobs.SetAttributes({{"RedrivePolicy", policy}}), IsOk());
  EXPECT_EQ(AwsCodeOf(Create("others", {{"RedrivePolicy", policy}}).status()),
            "InvalidParameterValue");

  ASSERT_THAT(dead.SetAttributes({{"RedriveAllowPolicy", ""}}), IsOk());
  EXPECT_THAT(Create("others", {{"RedrivePolicy", policy}}), IsOk());
}

TEST_F(QueueAttributesTest, ADeadLetterQueueMustBeThere) {
  Queue dead = Create("dead").value();
  const std::string policy = RedrivePolicyTo(dead);
  ASSERT_THAT(broker_.DeleteQueue("dead"), IsOk());
  EXPECT_THAT(Create("jobs", {{"RedrivePolicy", policy}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("does not exist")));
}

// What was agreed on once stays; only naming a queue asks it.
TEST_F(QueueAttributesTest, AQueueWhoseDeadLetterQueueChangedItsMindCanStillBeSet) {
  Queue dead = Create("dead").value();
  Queue jobs = Create("jobs", {{"RedrivePolicy", RedrivePolicyTo(dead)}}).value();
  ASSERT_THAT(dead.SetAttributes({{"RedriveAllowPolicy", R"({"redrivePermission":"denyAll"})"}}),
              IsOk());
  EXPECT_THAT(jobs.SetAttributes({{"VisibilityTimeout", "7"}}), IsOk());
  ASSERT_THAT(broker_.DeleteQueue("dead"), IsOk());
  EXPECT_THAT(jobs.SetAttributes({{"VisibilityTimeout", "8"}}), IsOk());
  EXPECT_THAT(jobs.SetAttributes({{"RedrivePolicy", ""}}), IsOk());
}

TEST_F(QueueAttributesTest, SourcesOfADeadLetterQueueAreThoseThatNameItNow) {
  Queue dead = Create("dead").value();
  Queue other = Create("other-dead").value();
  for (const char* name : {"c", "a", "b"}) {
    ASSERT_THAT(Create(name, {{"RedrivePolicy", RedrivePolicyTo(dead)}}), IsOk());
  }
  ASSERT_THAT(Create("z", {{"RedrivePolicy", RedrivePolicyTo(other)}}), IsOk());
  ASSERT_THAT(Create("plain"), IsOk());
  EXPECT_THAT(NamesOf(broker_.ListDeadLetterSourceQueues("dead").value()),
              ElementsAre("a", "b", "c"));

  ASSERT_THAT(broker_.FindQueue("a")->SetAttributes({{"RedrivePolicy", ""}}), IsOk());
  ASSERT_THAT(broker_.FindQueue("z")->SetAttributes({{"RedrivePolicy", RedrivePolicyTo(dead)}}),
              IsOk());
  ASSERT_THAT(broker_.DeleteQueue("b"), IsOk());
  EXPECT_THAT(NamesOf(broker_.ListDeadLetterSourceQueues("dead").value()), ElementsAre("c", "z"));
  EXPECT_THAT(NamesOf(broker_.ListDeadLetterSourceQueues("plain").value()), IsEmpty());

  const absl::Status unknown = broker_.ListDeadLetterSourceQueues("unknown").status();
  EXPECT_EQ(AwsCodeOf(unknown), "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(unknown.message(), "The specified queue does not exist.");
}

// --- Lists in pages

TEST_F(QueueAttributesTest, PagesTogetherAreTheWholeList) {
  std::vector<std::string> all;
  for (char c = 'a'; c <= 'g'; ++c) {
    all.push_back(std::string("jobs-") + c);
    ASSERT_THAT(Create(all.back()), IsOk());
  }
  ASSERT_THAT(Create("alpha"), IsOk());
  ASSERT_THAT(Create("zeta"), IsOk());
  for (const int64_t size : {1, 2, 3, 6, 7, 8, 1'000}) {
    std::vector<std::string> listed;
    std::string token;
    int pages = 0;
    do {
      const QueuePage page = broker_.ListQueuesPage("jobs-", size, token).value();
      EXPECT_LE(page.queues.size(), static_cast<size_t>(size));
      for (const std::string& name : NamesOf(page.queues)) listed.push_back(name);
      token = page.next_token;
      ASSERT_LE(++pages, 8);
    } while (!token.empty());
    EXPECT_EQ(listed, all) << size;
    EXPECT_EQ(pages, (7 + size - 1) / size) << "no empty page at the end";
  }
  EXPECT_THAT(broker_.ListQueuesPage("nothing", 5)->queues, IsEmpty());
}

TEST_F(QueueAttributesTest, APageGoesOnWhereTheLastEndedThoughThatQueueIsGone) {
  for (const char* name : {"a", "b", "c"}) ASSERT_THAT(Create(name), IsOk());
  const QueuePage first = broker_.ListQueuesPage("", 2).value();
  ASSERT_THAT(NamesOf(first.queues), ElementsAre("a", "b"));
  ASSERT_THAT(broker_.DeleteQueue("b"), IsOk());
  EXPECT_THAT(NamesOf(broker_.ListQueuesPage("", 2, first.next_token)->queues), ElementsAre("c"));
}

TEST_F(QueueAttributesTest, BadPagesAreRefused) {
  for (const int64_t bad : {int64_t{0}, int64_t{-1}, int64_t{1'001}}) {
    EXPECT_THAT(broker_.ListQueuesPage("", bad),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("MaxResults")));
  }
  EXPECT_THAT(broker_.ListQueuesPage("jobs", 10, "other-a"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("NextToken")));
}

}  // namespace
}  // namespace banyan
