// SPDX-License-Identifier: Apache-2.0
//
// What AWS would have called an error.
//
// Every Status that a broker answers because of its caller or of the world is made from one table
// and carries the row's name, so that C++ code can branch on the absl code and whatever speaks
// AWS's wire can say it in AWS's words:
//
//   absl::Status sent = queue.Send({.body = ""}).status();
//   sent.code();                          // kInvalidArgument
//   FindAwsError(sent)->code;             // "MissingParameter"
//
// Statuses without a row come from the user's own handlers, or from programming errors that have
// no counterpart on the wire.
#ifndef BANYAN_ERROR_H_
#define BANYAN_ERROR_H_

#include <string_view>

#include "absl/status/status.h"
#include "banyan/export.h"

namespace banyan::inline v0_1 {

enum class AwsError {
  // Queues (SQS)
  kQueueDoesNotExist,
  kQueueNameExists,
  kQueueDeletedRecently,
  kQueueInvalidAttributeName,
  kQueueInvalidAttributeValue,
  kQueueInvalidParameterValue,
  kQueueMissingParameter,
  kQueueInvalidMessageContents,
  kQueueReceiptHandleIsInvalid,
  kQueueMessageNotInflight,
  kQueueOverLimit,
  kQueueRequestThrottled,
  kQueueBatchTooLong,
  kQueueEmptyBatch,
  kQueueTooManyEntriesInBatch,
  kQueueBatchEntryIdsNotDistinct,
  kQueueInvalidBatchEntryId,
  kQueuePurgeInProgress,
  kQueueUnsupportedOperation,
  kQueueResourceNotFound,
  // Topics (SNS)
  kTopicNotFound,
  kTopicInvalidParameter,
  kTopicParameterValueInvalid,
  kTopicValidation,
  kTopicInvalidState,
  kTopicBatchTooLong,
  kTopicEmptyBatch,
  kTopicTooManyEntriesInBatch,
  kTopicBatchEntryIdsNotDistinct,
  kTopicInvalidBatchEntryId,
  kTopicFilterPolicyLimitExceeded,
  kTopicSubscriptionLimitExceeded,
  kTopicLimitExceeded,
  kTopicReplayLimitExceeded,
  kTopicTagLimitExceeded,
  kTopicThrottled,
  // Buses (EventBridge)
  kBusResourceNotFound,
  kBusResourceAlreadyExists,
  kBusInvalidEventPattern,
  kBusLimitExceeded,
  kBusValidation,
  kBusInvalidArgument,         // entry-level, in the answer of PutEvents
  kBusMalformedDetail,         // entry-level
  kBusNotAuthorizedForSource,  // entry-level
  kBusIllegalStatus,
  kBusConcurrentModification,
  kBusManagedRule,
  kBusPolicyLengthExceeded,
  kBusThirdAccountHop,  // in the dead letter of an event that was forwarded once already
  // Streams (Kinesis)
  kStreamResourceNotFound,
  kStreamResourceInUse,
  kStreamInvalidArgument,
  kStreamValidation,
  kStreamLimitExceeded,
  kStreamThroughputExceeded,
  kStreamExpiredIterator,
  kStreamExpiredNextToken,
  // Functions (Lambda)
  kFunctionResourceNotFound,
  kFunctionResourceConflict,
  kFunctionInvalidParameterValue,
  kFunctionTooManyRequests,
  // Schedules (EventBridge Scheduler)
  kScheduleNotFound,
  kScheduleConflict,
  kScheduleValidation,
  kScheduleQuotaExceeded,
  // Any service
  kServiceUnavailable,  // the broker is stopping, has stopped, or this is a forked child
};

// One row of the table. Views live for ever.
struct AwsErrorRow {
  AwsError error;
  absl::StatusCode status;  // what C++ callers branch on
  std::string_view code;    // the error code of the service: what SDKs show as Code
  std::string_view shape;   // the name of the shape in the service model
  int http_status;
  bool sender_fault;
};

// The row a Status was made from; null if it was not made from one.
BANYAN_EXPORT const AwsErrorRow* FindAwsError(const absl::Status& status);

// The row of an error.
BANYAN_EXPORT const AwsErrorRow& GetAwsErrorRow(AwsError error);

}  // namespace banyan::inline v0_1

#endif  // BANYAN_ERROR_H_
