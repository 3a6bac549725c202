// SPDX-License-Identifier: Apache-2.0
//
// Requests that a queue refuses before it does anything: sections 1, 4 and 8 of the sheet, messages
// to the letter. What a body and an attribute may hold is in send_test.cc.
#include <string>
#include <string_view>
#include <vector>

#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "queue/validate.h"
#include "refusal.h"

namespace banyan::internal {
namespace {

using ::banyan::testing::IsOk;
using ::testing::HasSubstr;

constexpr bool kStandard = false;
constexpr bool kFifo = true;
constexpr bool kByContent = true;

const Limits kSendLimits = Limits::Aws();

absl::Status Standard(const SendRequest& request) {
  return ValidateSend(request, kStandard, false, kSendLimits);
}
absl::Status Fifo(const SendRequest& request) {
  return ValidateSend(request, kFifo, false, kSendLimits);
}
absl::Status FifoByContent(const SendRequest& request) {
  return ValidateSend(request, kFifo, kByContent, kSendLimits);
}

std::string IdRule(const std::string& name, const std::string& value) {
  return "Value " + value + " for parameter " + name + " is invalid. Reason: " + name +
         " can only include alphanumeric and punctuation characters. 1 to 128 in length.";
}

std::string WrongType(const std::string& name, const std::string& value) {
  return "Value " + value + " for parameter " + name +
         " is invalid. Reason: The request include parameter that is not valid for this queue "
         "type.";
}

// --- FIFO ids

TEST(ValidateSendTest, AFifoMessageNeedsAGroup) {
  EXPECT_THAT(
      Fifo({.body = "b", .message_deduplication_id = "d"}),
      IsRefusal("MissingParameter", "The request must contain the parameter MessageGroupId."));
  EXPECT_THAT(
      FifoByContent({.body = "b"}),
      IsRefusal("MissingParameter", "The request must contain the parameter MessageGroupId."));
  EXPECT_THAT(Fifo({.body = "b", .message_group_id = "g", .message_deduplication_id = "d"}),
              IsOk());
}

TEST(ValidateSendTest, AFifoMessageNeedsADeduplicationIdUnlessItsBodyIsOne) {
  const SendRequest request = {.body = "b", .message_group_id = "g"};
  EXPECT_THAT(Fifo(request),
              IsRefusal("InvalidParameterValue",
                        "The queue should either have ContentBasedDeduplication enabled or "
                        "MessageDeduplicationId provided explicitly"));
  EXPECT_THAT(FifoByContent(request), IsOk());
}

TEST(ValidateSendTest, AnEmptyBodyIsNamedBeforeAMissingGroup) {
  EXPECT_THAT(Fifo({.body = ""}),
              IsRefusal("MissingParameter", "The request must contain the parameter MessageBody."));
}

TEST(ValidateSendTest, IdsAreLettersDigitsAndPunctuation) {
  std::string all;
  for (char c = '!'; c <= '~'; ++c) all.push_back(c);
  ASSERT_EQ(all.size(), 94u);
  for (const std::string& good : {all, std::string("a"), std::string(128, 'x')}) {
    EXPECT_THAT(Fifo({.body = "b", .message_group_id = good, .message_deduplication_id = good}),
                IsOk());
    EXPECT_THAT(Standard({.body = "b", .message_group_id = good}), IsOk());
  }
  for (const std::string& bad :
       {std::string(129, 'x'), std::string(" "), std::string("a b"), std::string("ends "),
        std::string("tab\t"), std::string("\x7F"), std::string("caf\xC3\xA9"), std::string(1, '\0'),
        std::string("new\nline")}) {
    EXPECT_THAT(Fifo({.body = "b", .message_group_id = bad, .message_deduplication_id = "d"}),
                IsRefusal("InvalidParameterValue", IdRule("MessageGroupId", bad)));
    EXPECT_THAT(Fifo({.body = "b", .message_group_id = "g", .message_deduplication_id = bad}),
                IsRefusal("InvalidParameterValue", IdRule("MessageDeduplicationId", bad)));
    EXPECT_THAT(Standard({.body = "b", .message_group_id = bad}),
                IsRefusal("InvalidParameterValue", IdRule("MessageGroupId", bad)));
  }
}

TEST(ValidateSendTest, AStandardQueueTakesAGroupButNoDeduplicationId) {
  EXPECT_THAT(Standard({.body = "b", .message_group_id = "tenant-1"}), IsOk());
  EXPECT_THAT(Standard({.body = "b", .message_deduplication_id = "d1"}),
              IsRefusal("InvalidParameterValue", WrongType("MessageDeduplicationId", "d1")));
}

// --- Delay

TEST(ValidateSendTest, AFifoMessageHasNoDelayOfItsOwnButMaySayZero) {
  SendRequest request = {.body = "b", .message_group_id = "g", .message_deduplication_id = "d"};
  request.delay = absl::Seconds(2);
  EXPECT_THAT(Fifo(request), IsRefusal("InvalidParameterValue", WrongType("DelaySeconds", "2")));
  request.delay = absl::ZeroDuration();
  EXPECT_THAT(Fifo(request), IsOk());
  request.delay = absl::Seconds(-1);
  EXPECT_FALSE(Fifo(request).ok());
  EXPECT_THAT(Standard({.body = "b", .delay = absl::Seconds(2)}), IsOk());
}

TEST(ValidateSendTest, ADelayOutOfRangeIsSaidWithItsRange) {
  EXPECT_THAT(Standard({.body = "b", .delay = absl::Seconds(901)}),
              IsRefusal("InvalidParameterValue",
                        "Value 901 for parameter DelaySeconds is invalid. Reason: Must be >= 0 and "
                        "<= 900, if provided."));
}

// --- Batches

std::vector<SendRequest> Requests(size_t count, const SendRequest& request) {
  return std::vector<SendRequest>(count, request);
}

TEST(ValidateBatchSendTest, OneToTenRequests) {
  EXPECT_THAT(ValidateBatchSend({}, kStandard, false, kSendLimits),
              IsRefusalLike("AWS.SimpleQueueService.EmptyBatchRequest", HasSubstr("any entries")));
  EXPECT_THAT(ValidateBatchSend(Requests(10, {.body = "b"}), kStandard, false, kSendLimits),
              IsOk());
  EXPECT_THAT(ValidateBatchSend(Requests(11, {.body = "b"}), kStandard, false, kSendLimits),
              IsRefusal("AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                        "Maximum number of entries per request are 10. You have sent 11."));
  Limits relaxed = Limits::Relaxed();
  EXPECT_THAT(ValidateBatchSend(Requests(11, {.body = "b"}), kStandard, false, relaxed), IsOk());
}

// The whole batch, whatever the queue's own maximum is.
TEST(ValidateBatchSendTest, OneMebibyteTogetherAttributesIncluded) {
  std::vector<SendRequest> requests = Requests(2, {.body = std::string(524'288, 'x')});
  EXPECT_THAT(ValidateBatchSend(requests, kStandard, false, kSendLimits), IsOk());
  requests[1].attributes.Set("n", "v");  // "n", "String", "v": eight bytes
  EXPECT_THAT(ValidateBatchSend(requests, kStandard, false, kSendLimits),
              IsRefusal("AWS.SimpleQueueService.BatchRequestTooLong",
                        "Batch requests cannot be longer than 1048576 bytes. You have sent 1048584 "
                        "bytes."));
}

// Alone it is a MissingParameter.
TEST(ValidateBatchSendTest, AFifoMessageWithoutGroupFailsTheBatchUnderAnotherCode) {
  std::vector<SendRequest> requests =
      Requests(3, {.body = "b", .message_group_id = "g", .message_deduplication_id = "d"});
  EXPECT_THAT(ValidateBatchSend(requests, kFifo, false, kSendLimits), IsOk());
  requests[2].message_group_id.clear();
  EXPECT_THAT(
      ValidateBatchSend(requests, kFifo, false, kSendLimits),
      IsRefusal("InvalidParameterValue", "The request must contain the parameter MessageGroupId."));
  EXPECT_THAT(ValidateBatchSend(requests, kStandard, false, kSendLimits), IsOk());
}

TEST(ValidateBatchSendTest, AFifoMessageWithoutDeduplicationIdFailsTheBatch) {
  std::vector<SendRequest> requests =
      Requests(2, {.body = "b", .message_group_id = "g", .message_deduplication_id = "d"});
  requests[0].message_deduplication_id.clear();
  EXPECT_THAT(ValidateBatchSend(requests, kFifo, false, kSendLimits),
              IsRefusal("InvalidParameterValue",
                        "The queue should either have ContentBasedDeduplication enabled or "
                        "MessageDeduplicationId provided explicitly"));
  EXPECT_THAT(ValidateBatchSend(requests, kFifo, kByContent, kSendLimits), IsOk());
}

// Content is each message's own affair.
TEST(ValidateBatchSendTest, WhatIsWrongWithOneMessageDoesNotFailTheOthers) {
  std::vector<SendRequest> requests =
      Requests(2, {.body = "b", .message_group_id = "g", .message_deduplication_id = "d"});
  requests[0].body = "";
  requests[1].message_group_id = "not good";
  EXPECT_THAT(ValidateBatchSend(requests, kFifo, false, kSendLimits), IsOk());
}

TEST(ValidateSizeTest, EqualIsShortEnoughAndABatchEntryHasItsOwnWords) {
  EXPECT_THAT(ValidateSize(1'024, 1'024), IsOk());
  EXPECT_THAT(ValidateSize(1'025, 1'024),
              IsRefusal("InvalidParameterValue",
                        "One or more parameters are invalid. Reason: Message must be shorter than "
                        "1024 bytes. It has 1025."));
  EXPECT_THAT(ValidateSize(1'025, 1'024, Asked::kInBatch),
              IsRefusal("InvalidParameterValue",
                        "One or more parameters cannot be validated. Reason: Message must be "
                        "shorter than 1024 bytes. It has 1025."));
}

TEST(ValidateBatchEntryIdsTest, LettersDigitsHyphensAndUnderscoresUpToEighty) {
  const std::string long_id(80, 'i');
  EXPECT_THAT(ValidateBatchEntryIds({"a", "A-b_9", long_id}), IsOk());
  for (const std::string& bad : {std::string(), std::string(81, 'i'), std::string("a b"),
                                 std::string("a.b"), std::string("\xC3\xA4")}) {
    EXPECT_THAT(ValidateBatchEntryIds({"good", bad}),
                IsRefusal("AWS.SimpleQueueService.InvalidBatchEntryId",
                          "A batch entry id can only contain alphanumeric characters, hyphens and "
                          "underscores. It can be at most 80 letters long."));
  }
}

TEST(ValidateBatchEntryIdsTest, NoTwoAreTheSame) {
  EXPECT_THAT(ValidateBatchEntryIds({"a", "b", "A"}), IsOk());
  EXPECT_THAT(ValidateBatchEntryIds({"a", "b", "a"}),
              IsRefusal("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Id a repeated."));
}

// --- Receiving

TEST(ValidateReceiveTest, RangesAreSaidAsAwsSaysThem) {
  EXPECT_THAT(ValidateReceive({.max_messages = 10}, kStandard, kSendLimits), IsOk());
  for (const int64_t bad : {int64_t{0}, int64_t{11}, int64_t{-1}}) {
    EXPECT_THAT(
        ValidateReceive({.max_messages = bad}, kStandard, kSendLimits),
        IsRefusal("InvalidParameterValue",
                  "Value " + std::to_string(bad) +
                      " for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 "
                      "and 10, if provided."));
  }
  EXPECT_THAT(ValidateReceive({.wait = absl::Seconds(20)}, kStandard, kSendLimits), IsOk());
  EXPECT_THAT(ValidateReceive({.wait = absl::Seconds(21)}, kStandard, kSendLimits),
              IsRefusal("InvalidParameterValue",
                        "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 "
                        "and <= 20, if provided."));
  EXPECT_THAT(
      ValidateReceive({.visibility_timeout = absl::Seconds(43'201)}, kStandard, kSendLimits),
      IsRefusal("InvalidParameterValue",
                "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= "
                "0 and <= 43200, if provided."));
}

TEST(ValidateReceiveTest, OnlyAFifoQueueTakesAnAttemptId) {
  ReceiveOptions options;
  options.receive_request_attempt_id = "attempt-1";
  EXPECT_THAT(ValidateReceive(options, kFifo, kSendLimits), IsOk());
  EXPECT_THAT(
      ValidateReceive(options, kStandard, kSendLimits),
      IsRefusal("InvalidParameterValue", WrongType("ReceiveRequestAttemptId", "attempt-1")));
  for (const std::string& bad : {std::string("a b"), std::string(129, 'a')}) {
    options.receive_request_attempt_id = bad;
    EXPECT_THAT(ValidateReceive(options, kFifo, kSendLimits),
                IsRefusal("InvalidParameterValue", IdRule("ReceiveRequestAttemptId", bad)));
  }
}

// --- Move tasks

TEST(ValidateMoveTaskTest, OneToFiveHundredASecond) {
  EXPECT_THAT(ValidateMoveTask({}), IsOk());
  EXPECT_THAT(ValidateMoveTask({.max_per_second = 1}), IsOk());
  EXPECT_THAT(ValidateMoveTask({.max_per_second = 500}), IsOk());
  for (const int64_t bad : {int64_t{0}, int64_t{-1}, int64_t{501}}) {
    EXPECT_THAT(ValidateMoveTask({.max_per_second = bad}),
                IsRefusalLike("InvalidParameterValue", HasSubstr("MaxNumberOfMessagesPerSecond")));
  }
  EXPECT_THAT(ValidateListMoveTasks(10), IsOk());
  EXPECT_THAT(ValidateListMoveTasks(0),
              IsRefusalLike("InvalidParameterValue", HasSubstr("MaxResults")));
  EXPECT_THAT(ValidateListMoveTasks(11),
              IsRefusalLike("InvalidParameterValue", HasSubstr("MaxResults")));
}

TEST(ValidateMoveTaskTest, FaultsAreInTheWordsOfTheSheet) {
  EXPECT_THAT(MoveSourceIsNoDeadLetterQueue(),
              IsRefusal("InvalidParameterValue",
                        "Source queue must be configured as a Dead Letter Queue."));
  EXPECT_THAT(MoveTaskRunsAlready(),
              IsRefusal("InvalidParameterValue",
                        "There is already a task running. Only one active task is allowed for a "
                        "source queue arn at a given time."));
  EXPECT_THAT(NoMoveDestination(),
              IsRefusal("ResourceNotFoundException",
                        "The resource that you specified for the DestinationArn parameter doesn't "
                        "exist."));
  EXPECT_THAT(BadMoveTaskHandle(),
              IsRefusal("InvalidParameterValue", "Value for parameter TaskHandle is invalid."));
  EXPECT_THAT(NoMoveTask(), IsRefusal("ResourceNotFoundException", "Task does not exist."));
  EXPECT_EQ(FindAwsError(NoMoveTask())->http_status, 404);
}

// --- What the body's scan must not skip

// The scan goes in steps of 64, 8 and 1; whatever the length, the one bad byte is found at every
// place, and what is good passes.
TEST(ValidateSendTest, EveryPlaceOfABodyIsLookedAt) {
  for (size_t size = 1; size <= 150; ++size) {
    std::string body(size, '~');
    EXPECT_THAT(Standard({.body = body}), IsOk()) << size;
    for (size_t at = 0; at < size; ++at) {
      for (const char bad : {'\x00', '\x1F', '\x80', '\xFF'}) {
        body[at] = bad;
        EXPECT_FALSE(Standard({.body = body}).ok()) << int{bad} << " at " << at << " of " << size;
      }
      body[at] = '\n';
      EXPECT_THAT(Standard({.body = body}), IsOk()) << "a line feed at " << at << " of " << size;
      body[at] = ' ';
    }
  }
}

}  // namespace
}  // namespace banyan::internal
