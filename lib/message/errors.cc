// SPDX-License-Identifier: Apache-2.0
#include "message/errors.h"

#include <optional>
#include <string>

#include "absl/strings/cord.h"
#include "base/check.h"

namespace banyan::inline v0_1 {
namespace internal {
namespace {

using absl::StatusCode;

// In the order of the enum; a check below and a test rely on it.
constexpr AwsErrorRow kRows[] = {
    // Queues. `code` is the query protocol's, which JSON clients get by header, too.
    {AwsError::kQueueDoesNotExist, StatusCode::kNotFound, "AWS.SimpleQueueService.NonExistentQueue",
     "QueueDoesNotExist", 400, true},
    {AwsError::kQueueNameExists, StatusCode::kAlreadyExists, "QueueAlreadyExists",
     "QueueNameExists", 400, true},
    {AwsError::kQueueDeletedRecently, StatusCode::kFailedPrecondition,
     "AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently", 400, true},
    {AwsError::kQueueInvalidAttributeName, StatusCode::kInvalidArgument, "InvalidAttributeName",
     "InvalidAttributeName", 400, true},
    {AwsError::kQueueInvalidAttributeValue, StatusCode::kInvalidArgument, "InvalidAttributeValue",
     "InvalidAttributeValue", 400, true},
    {AwsError::kQueueInvalidParameterValue, StatusCode::kInvalidArgument, "InvalidParameterValue",
     "InvalidParameterValueException", 400, true},
    {AwsError::kQueueMissingParameter, StatusCode::kInvalidArgument, "MissingParameter",
     "MissingRequiredParameterException", 400, true},
    {AwsError::kQueueInvalidMessageContents, StatusCode::kInvalidArgument, "InvalidMessageContents",
     "InvalidMessageContents", 400, true},
    {AwsError::kQueueReceiptHandleIsInvalid, StatusCode::kInvalidArgument, "ReceiptHandleIsInvalid",
     "ReceiptHandleIsInvalid", 400, true},
    {AwsError::kQueueMessageNotInflight, StatusCode::kFailedPrecondition,
     "AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight", 400, true},
    {AwsError::kQueueOverLimit, StatusCode::kResourceExhausted, "OverLimit", "OverLimit", 403,
     true},
    {AwsError::kQueueRequestThrottled, StatusCode::kResourceExhausted, "RequestThrottled",
     "RequestThrottled", 403, true},
    {AwsError::kQueueBatchTooLong, StatusCode::kInvalidArgument,
     "AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLong", 400, true},
    {AwsError::kQueueEmptyBatch, StatusCode::kInvalidArgument,
     "AWS.SimpleQueueService.EmptyBatchRequest", "EmptyBatchRequest", 400, true},
    {AwsError::kQueueTooManyEntriesInBatch, StatusCode::kInvalidArgument,
     "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest", 400,
     true},
    {AwsError::kQueueBatchEntryIdsNotDistinct, StatusCode::kInvalidArgument,
     "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct", 400, true},
    {AwsError::kQueueInvalidBatchEntryId, StatusCode::kInvalidArgument,
     "AWS.SimpleQueueService.InvalidBatchEntryId", "InvalidBatchEntryId", 400, true},
    {AwsError::kQueuePurgeInProgress, StatusCode::kFailedPrecondition,
     "AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgress", 403, true},
    {AwsError::kQueueUnsupportedOperation, StatusCode::kUnimplemented,
     "AWS.SimpleQueueService.UnsupportedOperation", "UnsupportedOperation", 400, true},
    {AwsError::kQueueResourceNotFound, StatusCode::kNotFound, "ResourceNotFoundException",
     "ResourceNotFoundException", 404, true},
    // Topics.
    {AwsError::kTopicNotFound, StatusCode::kNotFound, "NotFound", "NotFoundException", 404, true},
    {AwsError::kTopicInvalidParameter, StatusCode::kInvalidArgument, "InvalidParameter",
     "InvalidParameterException", 400, true},
    {AwsError::kTopicParameterValueInvalid, StatusCode::kInvalidArgument, "ParameterValueInvalid",
     "InvalidParameterValueException", 400, true},
    {AwsError::kTopicValidation, StatusCode::kInvalidArgument, "ValidationError",
     "ValidationException", 400, true},
    {AwsError::kTopicInvalidState, StatusCode::kFailedPrecondition, "InvalidState",
     "InvalidStateException", 400, true},
    {AwsError::kTopicBatchTooLong, StatusCode::kInvalidArgument, "BatchRequestTooLong",
     "BatchRequestTooLongException", 400, true},
    {AwsError::kTopicEmptyBatch, StatusCode::kInvalidArgument, "EmptyBatchRequest",
     "EmptyBatchRequestException", 400, true},
    {AwsError::kTopicTooManyEntriesInBatch, StatusCode::kInvalidArgument,
     "TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequestException", 400, true},
    {AwsError::kTopicBatchEntryIdsNotDistinct, StatusCode::kInvalidArgument,
     "BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinctException", 400, true},
    {AwsError::kTopicInvalidBatchEntryId, StatusCode::kInvalidArgument, "InvalidBatchEntryId",
     "InvalidBatchEntryIdException", 400, true},
    {AwsError::kTopicFilterPolicyLimitExceeded, StatusCode::kResourceExhausted,
     "FilterPolicyLimitExceeded", "FilterPolicyLimitExceededException", 403, true},
    {AwsError::kTopicSubscriptionLimitExceeded, StatusCode::kResourceExhausted,
     "SubscriptionLimitExceeded", "SubscriptionLimitExceededException", 403, true},
    {AwsError::kTopicLimitExceeded, StatusCode::kResourceExhausted, "TopicLimitExceeded",
     "TopicLimitExceededException", 403, true},
    {AwsError::kTopicReplayLimitExceeded, StatusCode::kResourceExhausted, "ReplayLimitExceeded",
     "ReplayLimitExceededException", 403, true},
    {AwsError::kTopicTagLimitExceeded, StatusCode::kResourceExhausted, "TagLimitExceeded",
     "TagLimitExceededException", 400, true},
    {AwsError::kTopicThrottled, StatusCode::kResourceExhausted, "Throttled", "ThrottledException",
     429, true},
    // Buses.
    {AwsError::kBusResourceNotFound, StatusCode::kNotFound, "ResourceNotFoundException",
     "ResourceNotFoundException", 400, true},
    {AwsError::kBusResourceAlreadyExists, StatusCode::kAlreadyExists,
     "ResourceAlreadyExistsException", "ResourceAlreadyExistsException", 400, true},
    {AwsError::kBusInvalidEventPattern, StatusCode::kInvalidArgument,
     "InvalidEventPatternException", "InvalidEventPatternException", 400, true},
    {AwsError::kBusLimitExceeded, StatusCode::kResourceExhausted, "LimitExceededException",
     "LimitExceededException", 400, true},
    {AwsError::kBusValidation, StatusCode::kInvalidArgument, "ValidationException",
     "ValidationException", 400, true},
    {AwsError::kBusInvalidArgument, StatusCode::kInvalidArgument, "InvalidArgument",
     "InvalidArgument", 200, true},
    {AwsError::kBusMalformedDetail, StatusCode::kInvalidArgument, "MalformedDetail",
     "MalformedDetail", 200, true},
    {AwsError::kBusNotAuthorizedForSource, StatusCode::kPermissionDenied,
     "NotAuthorizedForSourceException", "NotAuthorizedForSourceException", 200, true},
    {AwsError::kBusIllegalStatus, StatusCode::kFailedPrecondition, "IllegalStatusException",
     "IllegalStatusException", 400, true},
    {AwsError::kBusConcurrentModification, StatusCode::kAborted, "ConcurrentModificationException",
     "ConcurrentModificationException", 400, true},
    {AwsError::kBusManagedRule, StatusCode::kPermissionDenied, "ManagedRuleException",
     "ManagedRuleException", 400, true},
    {AwsError::kBusPolicyLengthExceeded, StatusCode::kInvalidArgument,
     "PolicyLengthExceededException", "PolicyLengthExceededException", 400, true},
    {AwsError::kBusThirdAccountHop, StatusCode::kPermissionDenied, "THIRD_ACCOUNT_HOP_DETECTED",
     "THIRD_ACCOUNT_HOP_DETECTED", 400, true},
    // Streams.
    {AwsError::kStreamResourceNotFound, StatusCode::kNotFound, "ResourceNotFoundException",
     "ResourceNotFoundException", 400, true},
    {AwsError::kStreamResourceInUse, StatusCode::kFailedPrecondition, "ResourceInUseException",
     "ResourceInUseException", 400, true},
    {AwsError::kStreamInvalidArgument, StatusCode::kInvalidArgument, "InvalidArgumentException",
     "InvalidArgumentException", 400, true},
    {AwsError::kStreamValidation, StatusCode::kInvalidArgument, "ValidationException",
     "ValidationException", 400, true},
    {AwsError::kStreamLimitExceeded, StatusCode::kResourceExhausted, "LimitExceededException",
     "LimitExceededException", 400, true},
    {AwsError::kStreamThroughputExceeded, StatusCode::kResourceExhausted,
     "ProvisionedThroughputExceededException", "ProvisionedThroughputExceededException", 400, true},
    {AwsError::kStreamExpiredIterator, StatusCode::kOutOfRange, "ExpiredIteratorException",
     "ExpiredIteratorException", 400, true},
    {AwsError::kStreamExpiredNextToken, StatusCode::kOutOfRange, "ExpiredNextTokenException",
     "ExpiredNextTokenException", 400, true},
    // Functions.
    {AwsError::kFunctionResourceNotFound, StatusCode::kNotFound, "ResourceNotFoundException",
     "ResourceNotFoundException", 404, true},
    {AwsError::kFunctionResourceConflict, StatusCode::kAlreadyExists, "ResourceConflictException",
     "ResourceConflictException", 409, true},
    {AwsError::kFunctionInvalidParameterValue, StatusCode::kInvalidArgument,
     "InvalidParameterValueException", "InvalidParameterValueException", 400, true},
    {AwsError::kFunctionTooManyRequests, StatusCode::kResourceExhausted, "TooManyRequestsException",
     "TooManyRequestsException", 429, true},
    // Schedules.
    {AwsError::kScheduleNotFound, StatusCode::kNotFound, "ResourceNotFoundException",
     "ResourceNotFoundException", 404, true},
    {AwsError::kScheduleConflict, StatusCode::kAlreadyExists, "ConflictException",
     "ConflictException", 409, true},
    {AwsError::kScheduleValidation, StatusCode::kInvalidArgument, "ValidationException",
     "ValidationException", 400, true},
    {AwsError::kScheduleQuotaExceeded, StatusCode::kResourceExhausted,
     "ServiceQuotaExceededException", "ServiceQuotaExceededException", 402, true},
    // Any service.
    {AwsError::kServiceUnavailable, StatusCode::kUnavailable, "ServiceUnavailable",
     "ServiceUnavailable", 503, false},
};

constexpr bool RowsAreInOrder() {
  int i = 0;
  for (const AwsErrorRow& row : kRows) {
    if (static_cast<int>(row.error) != i++) return false;
  }
  return i == static_cast<int>(AwsError::kServiceUnavailable) + 1;
}
static_assert(RowsAreInOrder(), "one row per AwsError, in the order of the enum");

constexpr char kPayloadUrl[] = "banyan/aws-error";

// What a Status carries: "sqs.QueueDoesNotExist". The shape alone would not do, for services share
// names (three of them know a ResourceNotFoundException).
std::string KeyOf(const AwsErrorRow& row) {
  const std::string shape(row.shape);
  if (row.error < AwsError::kTopicNotFound) return "sqs." + shape;
  if (row.error < AwsError::kBusResourceNotFound) return "sns." + shape;
  if (row.error < AwsError::kStreamResourceNotFound) return "events." + shape;
  if (row.error < AwsError::kFunctionResourceNotFound) return "kinesis." + shape;
  if (row.error < AwsError::kScheduleNotFound) return "lambda." + shape;
  if (row.error < AwsError::kServiceUnavailable) return "scheduler." + shape;
  return shape;
}

}  // namespace

absl::Status MakeError(AwsError error, std::string_view text) {
  const AwsErrorRow& row = GetAwsErrorRow(error);
  absl::Status status(row.status, ToAbsl(text));
  status.SetPayload(kPayloadUrl, absl::Cord(KeyOf(row)));
  return status;
}

absl::Span<const AwsErrorRow> AwsErrorTable() { return kRows; }

std::string SecondsText(absl::Duration d) {
  const int64_t seconds = absl::ToInt64Seconds(d);
  if (absl::Seconds(seconds) == d) return absl::StrCat(seconds);
  return absl::FormatDuration(d);
}

}  // namespace internal

const AwsErrorRow* FindAwsError(const absl::Status& status) {
  if (status.ok()) return nullptr;
  const absl::optional<absl::Cord> payload = status.GetPayload(internal::kPayloadUrl);
  if (!payload.has_value()) return nullptr;
  for (const AwsErrorRow& row : internal::kRows) {
    if (*payload == internal::KeyOf(row)) return &row;
  }
  return nullptr;
}

const AwsErrorRow& GetAwsErrorRow(AwsError error) {
  return internal::kRows[static_cast<int>(error)];
}

}  // namespace banyan::inline v0_1
