// SPDX-License-Identifier: Apache-2.0
//
// Section 8 of the queue sheet, code by code and message by message, as a table. Where the sheet
// has a whole sentence, the answer begins with it: Banyan may say more behind it, never less.
//
// Not here: entry ids of batches (InvalidBatchEntryId, BatchEntryIdsNotDistinct), which only the
// wire has, in validate_send_test; the labels of AddPermission in policy_test; and how an error is
// written as JSON or XML.
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "rows_testing.h"

namespace banyan {
namespace {

using ::testing::StartsWith;

// What the bad input meets: a standard and a FIFO queue, and a broker.
struct Scene {
  testing::SimulatedRuntime& runtime;
  Broker& broker;
  Queue jobs;    // standard
  Queue ledger;  // FIFO, without deduplication by content

  absl::Status Send(SendRequest request) const { return jobs.Send(std::move(request)).status(); }
  absl::Status SendFifo(SendRequest request) const {
    return ledger.Send(std::move(request)).status();
  }
  Received OneOf(const Queue& queue) const {
    SendRequest request{.body = "m"};
    if (queue == ledger) {
      request.message_group_id = "g";
      request.message_deduplication_id = "id";
    }
    EXPECT_TRUE(queue.Send(std::move(request)).ok());
    return queue.Receive().value().at(0);
  }
  absl::Status Create(std::string_view name, QueueOptions options = {}) const {
    return broker.CreateQueue(name, std::move(options)).status();
  }
  // A dead-letter queue with as many messages, and a queue they came from.
  Queue DeadLetters(int count) const {
    const Queue dead = broker.CreateQueue("dead").value();
    const Queue source =
        broker.CreateQueue("source", {.redrive = RedrivePolicy{dead.arn(), 1}}).value();
    for (int i = 0; i < count; ++i) {
      EXPECT_TRUE(source.Send({.body = "m"}).ok());
      EXPECT_TRUE(source.Receive().value().at(0).ChangeVisibility(absl::ZeroDuration()).ok());
    }
    return dead;
  }
};

struct ErrorRow {
  const char* name;
  std::function<absl::Status(Scene&)> bad_input;
  const char* code;   // of the query protocol
  const char* shape;  // of JSON
  int http_status;
  const char* text;  // how the message begins
};

void PrintTo(const ErrorRow& row, std::ostream* os) { *os << row.name; }

// Shapes whose rows are many.
constexpr const char* kParameterShape = "InvalidParameterValueException";
constexpr const char* kMissingShape = "MissingRequiredParameterException";

constexpr const char* kBadName =
    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";

std::string Mebibyte(int64_t more) {
  return std::string(static_cast<size_t>(1'048'576 + more), 'x');
}

absl::Status EntryStatus(absl::StatusOr<std::vector<absl::StatusOr<SendResult>>> answers,
                         size_t entry) {
  if (!answers.ok())
    return absl::InternalError("the whole batch failed: " + answers.status().ToString());
  return (*answers)[entry].status();
}

std::vector<ErrorRow> ErrorRows() {
  return {
      // --- names and creation
      {"UnknownQueue", [](Scene& s) { return s.broker.FindQueue("nobody").status(); },
       "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", 400,
       "The specified queue does not exist."},
      {"DeletedQueue",
       [](Scene& s) {
         EXPECT_TRUE(s.broker.DeleteQueue("jobs").ok());
         return s.Send({.body = "m"});
       },
       "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", 400,
       "The specified queue does not exist."},
      {"CreateWithAnotherAttribute",
       [](Scene& s) { return s.Create("jobs", {.visibility_timeout = absl::Seconds(31)}); },
       "QueueAlreadyExists", "QueueNameExists", 400,
       "A queue already exists with the same name and a different value for attribute "
       "VisibilityTimeout"},
      {"RecreatedWithin60Seconds",
       [](Scene& s) {
         EXPECT_TRUE(s.broker.DeleteQueue("jobs").ok());
         s.runtime.Advance(absl::Seconds(60) - absl::Nanoseconds(1));
         return s.Create("jobs");
       },
       "AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently", 400,
       "You must wait 60 seconds after deleting a queue before you can create another with the "
       "same name."},
      {"BadName", [](Scene& s) { return s.Create("a b"); }, "InvalidParameterValue",
       kParameterShape, 400, kBadName},
      {"EmptyName", [](Scene& s) { return s.Create(""); }, "InvalidParameterValue", kParameterShape,
       400, kBadName},
      {"LongName", [](Scene& s) { return s.Create(std::string(81, 'q')); }, "InvalidParameterValue",
       kParameterShape, 400, kBadName},
      {"LongFifoName",
       [](Scene& s) { return s.Create(std::string(76, 'q') + ".fifo", {.fifo = true}); },
       "InvalidParameterValue", kParameterShape, 400, kBadName},
      {"FifoNameOfAStandardQueue", [](Scene& s) { return s.Create("x.fifo"); },
       "InvalidParameterValue", kParameterShape, 400, kBadName},
      {"StandardNameOfAFifoQueue", [](Scene& s) { return s.Create("x", {.fifo = true}); },
       "InvalidParameterValue", kParameterShape, 400, kBadName},

      // --- attributes of a queue
      {"FifoQueueOnAStandardQueue",
       [](Scene& s) {
         return s.jobs.SetAttributes({{"FifoQueue", "true"}});
       },
       "InvalidAttributeName", "InvalidAttributeName", 400, "Unknown Attribute FifoQueue."},
      {"ContentBasedDeduplicationOnAStandardQueue",
       [](Scene& s) {
         return s.jobs.SetAttributes({{"ContentBasedDeduplication", "true"}});
       },
       "InvalidAttributeName", "InvalidAttributeName", 400,
       "Unknown Attribute ContentBasedDeduplication."},
      {"ContentBasedDeduplicationAtCreation",
       [](Scene& s) { return s.Create("new", {.content_based_deduplication = true}); },
       "InvalidAttributeName", "InvalidAttributeName", 400,
       "Unknown Attribute ContentBasedDeduplication."},
      {"UnknownAttribute",
       [](Scene& s) {
         return s.jobs.SetAttributes({{"Colour", "red"}});
       },
       "InvalidAttributeName", "InvalidAttributeName", 400, "Unknown Attribute Colour."},
      {"DeduplicationScopeOnAStandardQueue",
       [](Scene& s) {
         return s.jobs.SetAttributes({{"DeduplicationScope", "queue"}});
       },
       "InvalidAttributeName", "InvalidAttributeName", 400,
       "You can specify the DeduplicationScope only when FifoQueue is set to true."},
      {"FifoThroughputLimitOnAStandardQueue",
       [](Scene& s) {
         return s.jobs.SetAttributes({{"FifoThroughputLimit", "perQueue"}});
       },
       "InvalidAttributeName", "InvalidAttributeName", 400,
       "You can specify the FifoThroughputLimit only when FifoQueue is set to true."},
      {"FifoQueueFalseOnAFifoQueue",
       [](Scene& s) {
         return s.ledger.SetAttributes({{"FifoQueue", "false"}});
       },
       "InvalidAttributeValue", "InvalidAttributeValue", 400,
       "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not "
       "supported."},
      {"TwoKindsOfEncryption",
       [](Scene& s) {
         return s.jobs.SetAttributes(
             {{"KmsMasterKeyId", "alias/key"}, {"SqsManagedSseEnabled", "true"}});
       },
       "InvalidAttributeName", "InvalidAttributeName", 400,
       "You can use one type of server-side encryption (SSE) at one time. You can either enable "
       "KMS SSE or SQS SSE."},
      {"VisibilityTimeoutTooLong",
       [](Scene& s) {
         return s.jobs.SetAttributes({{"VisibilityTimeout", "43201"}});
       },
       "InvalidAttributeValue", "InvalidAttributeValue", 400,
       "Invalid value for the parameter VisibilityTimeout."},
      {"VisibilityTimeoutBeyond64Bits",
       [](Scene& s) {
         return s.jobs.SetAttributes({{"VisibilityTimeout", "99999999999999999999999"}});
       },
       "InvalidAttributeValue", "InvalidAttributeValue", 400,
       "Invalid value for the parameter VisibilityTimeout."},

      // --- one message
      {"EmptyBody", [](Scene& s) { return s.Send({}); }, "MissingParameter", kMissingShape, 400,
       "The request must contain the parameter MessageBody."},
      {"TooLong", [](Scene& s) { return s.Send({.body = Mebibyte(1)}); }, "InvalidParameterValue",
       kParameterShape, 400,
       "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."},
      {"ForbiddenCharacter", [](Scene& s) { return s.Send({.body = "a\x01"}); },
       "InvalidMessageContents", "InvalidMessageContents", 400, ""},
      {"EmptyStringAttribute",
       [](Scene& s) {
         return s.Send({.body = "m", .attributes = {{"colour", ""}}});
       },
       "InvalidParameterValue", kParameterShape, 400,
       "Message (user) attribute 'colour' must contain a non-empty value of type 'String'."},
      {"FifoWithoutGroup", [](Scene& s) { return s.SendFifo({.body = "m"}); }, "MissingParameter",
       kMissingShape, 400, "The request must contain the parameter MessageGroupId."},
      {"FifoWithoutDeduplicationId",
       [](Scene& s) { return s.SendFifo({.body = "m", .message_group_id = "g"}); },
       "InvalidParameterValue", kParameterShape, 400,
       "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
       "provided explicitly"},
      {"BadGroup",
       [](Scene& s) {
         return s.SendFifo(
             {.body = "m", .message_group_id = "a b", .message_deduplication_id = "id"});
       },
       "InvalidParameterValue", kParameterShape, 400,
       "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include "
       "alphanumeric and punctuation characters. 1 to 128 in length."},
      {"BadDeduplicationId",
       [](Scene& s) {
         return s.SendFifo(
             {.body = "m", .message_group_id = "g", .message_deduplication_id = "a b"});
       },
       "InvalidParameterValue", kParameterShape, 400,
       "Value a b for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId "
       "can only include alphanumeric and punctuation characters. 1 to 128 in length."},
      {"DeduplicationIdOnAStandardQueue",
       [](Scene& s) { return s.Send({.body = "m", .message_deduplication_id = "id"}); },
       "InvalidParameterValue", kParameterShape, 400,
       "Value id for parameter MessageDeduplicationId is invalid. Reason: The request include "
       "parameter that is not valid for this queue type"},
      {"DelayOnAFifoQueue",
       [](Scene& s) {
         return s.SendFifo({.body = "m",
                            .delay = absl::Seconds(2),
                            .message_group_id = "g",
                            .message_deduplication_id = "id"});
       },
       "InvalidParameterValue", kParameterShape, 400,
       "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that "
       "is not valid for this queue type."},
      {"DelayTooLong", [](Scene& s) { return s.Send({.body = "m", .delay = absl::Seconds(901)}); },
       "InvalidParameterValue", kParameterShape, 400,
       "Value 901 for parameter DelaySeconds is invalid. Reason: "},

      // --- batches
      {"EntryTooLong",
       [](Scene& s) {
         EXPECT_TRUE(s.jobs.SetAttributes({{"MaximumMessageSize", "1024"}}).ok());
         return EntryStatus(s.jobs.SendBatch({{.body = "1"}, {.body = std::string(1'025, 'x')}}),
                            1);
       },
       "InvalidParameterValue", kParameterShape, 400,
       "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 "
       "bytes."},
      {"BatchTooLong",
       [](Scene& s) {
         return s.jobs.SendBatch({{.body = Mebibyte(0)}, {.body = "x"}}).status();
       },
       "AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLong", 400,
       "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes."},
      {"TooManyEntries",
       [](Scene& s) {
         return s.jobs.SendBatch(std::vector<SendRequest>(11, SendRequest{.body = "m"})).status();
       },
       "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest", 400,
       "Maximum number of entries per request are 10. You have sent 11."},
      {"NoEntries", [](Scene& s) { return s.jobs.SendBatch({}).status(); },
       "AWS.SimpleQueueService.EmptyBatchRequest", "EmptyBatchRequest", 400, ""},
      {"TooManyDeletes",
       [](Scene& s) { return s.jobs.DeleteBatch(std::vector<std::string>(11, "h")).status(); },
       "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest", 400,
       "Maximum number of entries per request are 10. You have sent 11."},
      {"NoDeletes",
       [](Scene& s) { return s.jobs.DeleteBatch(std::vector<std::string>()).status(); },
       "AWS.SimpleQueueService.EmptyBatchRequest", "EmptyBatchRequest", 400, ""},
      {"NoChanges",
       [](Scene& s) {
         return s.jobs.ChangeVisibilityBatch(std::vector<VisibilityChange>()).status();
       },
       "AWS.SimpleQueueService.EmptyBatchRequest", "EmptyBatchRequest", 400, ""},
      {"BatchWithoutGroup",
       [](Scene& s) {
         return s.ledger
             .SendBatch({{.body = "1", .message_group_id = "g", .message_deduplication_id = "1"},
                         {.body = "2", .message_deduplication_id = "2"}})
             .status();
       },
       "InvalidParameterValue", kParameterShape, 400,
       "The request must contain the parameter MessageGroupId."},
      {"BatchWithoutDeduplicationId",
       [](Scene& s) {
         return s.ledger
             .SendBatch({{.body = "1", .message_group_id = "g", .message_deduplication_id = "1"},
                         {.body = "2", .message_group_id = "g"}})
             .status();
       },
       "InvalidParameterValue", kParameterShape, 400,
       "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
       "provided explicitly"},

      // --- receiving and settling
      {"NoMessagesAsked", [](Scene& s) { return s.jobs.Receive({.max_messages = 0}).status(); },
       "InvalidParameterValue", kParameterShape, 400,
       "Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if "
       "provided."},
      {"ElevenMessagesAsked",
       [](Scene& s) { return s.jobs.Receive({.max_messages = 11}).status(); },
       "InvalidParameterValue", kParameterShape, 400,
       "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, "
       "if "
       "provided."},
      {"WaitTooLong", [](Scene& s) { return s.jobs.Receive({.wait = absl::Seconds(21)}).status(); },
       "InvalidParameterValue", kParameterShape, 400,
       "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if "
       "provided."},
      {"WaitBelowZero",
       [](Scene& s) { return s.jobs.Receive({.wait = absl::Seconds(-1)}).status(); },
       "InvalidParameterValue", kParameterShape, 400,
       "Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if "
       "provided."},
      {"BadReceiveRequestAttemptId",
       [](Scene& s) {
         return s.ledger.Receive({.receive_request_attempt_id = std::string(129, 'r')}).status();
       },
       "InvalidParameterValue", kParameterShape, 400, ""},
      {"OverLimit",
       [](Scene& s) {
         const Queue narrow = s.broker.CreateQueue("narrow", {.in_flight_max = 1}).value();
         EXPECT_TRUE(narrow.Send({.body = "1"}).ok() && narrow.Send({.body = "2"}).ok());
         EXPECT_EQ(narrow.Receive().value().size(), 1u);
         return narrow.Receive().status();
       },
       "OverLimit", "OverLimit", 403, ""},
      {"GarbageHandle", [](Scene& s) { return s.jobs.Delete("garbage"); }, "ReceiptHandleIsInvalid",
       "ReceiptHandleIsInvalid", 400,
       "The input receipt handle \"garbage\" is not a valid receipt handle."},
      {"GarbageHandleOfAFifoQueue",
       [](Scene& s) { return s.ledger.ChangeVisibility("garbage", absl::Seconds(1)); },
       "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 400,
       "The input receipt handle \"garbage\" is not a valid receipt handle."},
      {"ChangeOfADeletedMessage",
       [](Scene& s) {
         const Received got = s.OneOf(s.jobs);
         EXPECT_TRUE(got.Delete().ok());
         return got.ChangeVisibility(absl::Seconds(1));
       },
       "InvalidParameterValue", kParameterShape, 400, "Value "},

      // --- purge
      {"PurgeWithin60Seconds",
       [](Scene& s) {
         EXPECT_TRUE(s.jobs.Purge().ok());
         return s.jobs.Purge();
       },
       "AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgress", 403,
       "Only one PurgeQueue operation on jobs is allowed every 60 seconds."},

      // --- move tasks
      {"MoveFromNoDeadLetterQueue", [](Scene& s) { return s.jobs.StartMessageMoveTask().status(); },
       "InvalidParameterValue", kParameterShape, 400,
       "Source queue must be configured as a Dead Letter Queue."},
      {"MoveRunsAlready",
       [](Scene& s) {
         const Queue dead = s.DeadLetters(3);
         EXPECT_TRUE(dead.StartMessageMoveTask({.max_per_second = 1}).ok());
         return dead.StartMessageMoveTask().status();
       },
       "InvalidParameterValue", kParameterShape, 400,
       "There is already a task running. Only one active task is allowed for a source queue arn at "
       "a given time."},
      {"MoveToNowhere",
       [](Scene& s) {
         Arn nobody = s.jobs.arn();
         nobody.resource = "nobody";
         return s.DeadLetters(1).StartMessageMoveTask({.destination = nobody}).status();
       },
       "ResourceNotFoundException", "ResourceNotFoundException", 404,
       "The resource that you specified for the DestinationArn parameter doesn't exist."},
      {"MoveTooFast",
       [](Scene& s) {
         return s.DeadLetters(1).StartMessageMoveTask({.max_per_second = 501}).status();
       },
       "InvalidParameterValue", kParameterShape, 400, ""},
      {"CancelOfNoHandle",
       [](Scene& s) { return s.DeadLetters(1).CancelMessageMoveTask("no handle").status(); },
       "InvalidParameterValue", kParameterShape, 400, "Value for parameter TaskHandle is invalid."},
      {"CancelOfATaskThatEnded",
       [](Scene& s) {
         const Queue dead = s.DeadLetters(1);
         const std::string handle = dead.StartMessageMoveTask().value();
         s.runtime.Advance(absl::Seconds(10));
         return dead.CancelMessageMoveTask(handle).status();
       },
       "ResourceNotFoundException", "ResourceNotFoundException", 404, "Task does not exist."},
  };
}

class QueueErrors : public QueueRows, public ::testing::WithParamInterface<ErrorRow> {};

TEST_P(QueueErrors, AnswersTheCodeAndTheWords) {
  const ErrorRow& row = GetParam();
  Scene scene{runtime_, broker_, Make("jobs"), Make("ledger.fifo", {.fifo = true})};
  const absl::Status status = row.bad_input(scene);
  const AwsErrorRow* aws = FindAwsError(status);
  ASSERT_NE(aws, nullptr) << status;
  EXPECT_EQ(aws->code, row.code) << status;
  EXPECT_EQ(aws->shape, row.shape);
  EXPECT_EQ(aws->http_status, row.http_status);
  EXPECT_TRUE(aws->sender_fault);
  EXPECT_FALSE(status.message().empty());
  if (std::string_view(row.text) == kBadName) {
    EXPECT_THAT(Text(status), ::testing::HasSubstr(row.text));  // behind the value
  } else {
    EXPECT_THAT(Text(status), StartsWith(row.text));
  }
}

INSTANTIATE_TEST_SUITE_P(Section8, QueueErrors, ::testing::ValuesIn(ErrorRows()),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

// A fault in what one entry carries is that entry's alone.
TEST_F(QueueRows, ContentFaultsFailTheirEntryAndLeaveTheOthers) {
  const Queue queue = MakeFifo("jobs.fifo");
  SendRequest bad{.body = "2", .message_group_id = "g"};
  bad.attributes.Set("colour", "");
  const auto answers = queue.SendBatch({{.body = "1", .message_group_id = "g"},
                                        bad,
                                        {.body = "\x01", .message_group_id = "g"},
                                        {.body = "4", .message_group_id = "g"}});
  ASSERT_TRUE(answers.ok()) << answers.status();
  EXPECT_EQ(AwsCode((*answers)[0].status()), "OK");
  EXPECT_EQ(AwsCode((*answers)[1].status()), "InvalidParameterValue");
  EXPECT_EQ(AwsCode((*answers)[2].status()), "InvalidMessageContents");
  EXPECT_EQ(AwsCode((*answers)[3].status()), "OK");
  EXPECT_THAT(ReceiveBodies(queue), ::testing::ElementsAre("1", "4"));
}

TEST_F(QueueRows, ShapeFaultsFailTheWholeBatchAndChangeNothing) {
  const Queue queue = Make("jobs");
  for (std::vector<SendRequest> batch :
       {std::vector<SendRequest>(11, SendRequest{.body = "m"}),
        std::vector<SendRequest>{{.body = "m"}, {.body = std::string(1'048'576, 'x')}}}) {
    EXPECT_FALSE(queue.SendBatch(std::move(batch)).ok());
  }
  EXPECT_EQ(queue.Stats().accepted, 0);
}

}  // namespace
}  // namespace banyan
