// SPDX-License-Identifier: Apache-2.0
//
// The table against what the services say of themselves. Shape names are those of the service
// models; codes are what SDKs show as the error's code.
#include "message/errors.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace banyan {
namespace {

using internal::AwsErrorTable;
using internal::Error;
using internal::SecondsText;

TEST(ErrorTableTest, EveryErrorHasItsRow) {
  for (const AwsErrorRow& row : AwsErrorTable()) {
    EXPECT_EQ(&GetAwsErrorRow(row.error), &row);
    EXPECT_FALSE(row.code.empty());
    EXPECT_FALSE(row.shape.empty());
    EXPECT_NE(row.status, absl::StatusCode::kOk);
    EXPECT_GE(row.http_status, 200) << row.code;
    EXPECT_LT(row.http_status, 600) << row.code;
    EXPECT_EQ(row.sender_fault, row.http_status < 500) << row.code;
  }
}

TEST(ErrorTableTest, AStatusFindsItsRowAgain) {
  for (const AwsErrorRow& row : AwsErrorTable()) {
    const absl::Status status = Error(row.error, "field f, value ", 17, ": rule");
    EXPECT_EQ(status.code(), row.status);
    EXPECT_EQ(status.message(), "field f, value 17: rule");
    EXPECT_EQ(FindAwsError(status), &row) << row.code;
  }
}

TEST(ErrorTableTest, APrintedStatusNamesServiceAndShape) {
  EXPECT_EQ(Error(AwsError::kQueueDoesNotExist, "gone").ToString(),
            "NOT_FOUND: gone [banyan/aws-error='sqs.QueueDoesNotExist']");
  EXPECT_EQ(Error(AwsError::kFunctionResourceNotFound, "gone").ToString(),
            "NOT_FOUND: gone [banyan/aws-error='lambda.ResourceNotFoundException']");
}

TEST(ErrorTableTest, StatusesOfOthersHaveNoRow) {
  EXPECT_EQ(FindAwsError(absl::OkStatus()), nullptr);
  EXPECT_EQ(FindAwsError(absl::NotFoundError("mine")), nullptr);
  absl::Status forged = absl::NotFoundError("forged");
  for (const char* text : {"", "0", "sqs", "sqs.", "QueueDoesNotExist", "sns.QueueDoesNotExist",
                           "sqs.QueueDoesNotExist ", "SQS.QueueDoesNotExist"}) {
    forged.SetPayload("banyan/aws-error", absl::Cord(text));
    EXPECT_EQ(FindAwsError(forged), nullptr) << text;
  }
}

struct Known {
  AwsError error;
  std::string_view code;
  std::string_view shape;
  int http;
};

// spec/queues.md section 8, spec/topics.md section 8, spec/buses.md 2 and 8, spec/streams.md A9.
TEST(ErrorTableTest, TheWireNamesAreThoseOfTheServices) {
  for (const Known& k : {
           Known{AwsError::kQueueDoesNotExist, "AWS.SimpleQueueService.NonExistentQueue",
                 "QueueDoesNotExist", 400},
           Known{AwsError::kQueueNameExists, "QueueAlreadyExists", "QueueNameExists", 400},
           Known{AwsError::kQueueMissingParameter, "MissingParameter",
                 "MissingRequiredParameterException", 400},
           Known{AwsError::kQueuePurgeInProgress, "AWS.SimpleQueueService.PurgeQueueInProgress",
                 "PurgeQueueInProgress", 403},
           Known{AwsError::kTopicNotFound, "NotFound", "NotFoundException", 404},
           Known{AwsError::kTopicParameterValueInvalid, "ParameterValueInvalid",
                 "InvalidParameterValueException", 400},
           Known{AwsError::kTopicFilterPolicyLimitExceeded, "FilterPolicyLimitExceeded",
                 "FilterPolicyLimitExceededException", 403},
           Known{AwsError::kBusInvalidEventPattern, "InvalidEventPatternException",
                 "InvalidEventPatternException", 400},
           Known{AwsError::kStreamThroughputExceeded, "ProvisionedThroughputExceededException",
                 "ProvisionedThroughputExceededException", 400},
           Known{AwsError::kFunctionResourceConflict, "ResourceConflictException",
                 "ResourceConflictException", 409},
       }) {
    const AwsErrorRow& row = GetAwsErrorRow(k.error);
    EXPECT_EQ(row.code, k.code);
    EXPECT_EQ(row.shape, k.shape);
    EXPECT_EQ(row.http_status, k.http) << k.code;
  }
}

TEST(SecondsTextTest, WritesWholeSecondsBareAndOthersWithTheirUnit) {
  EXPECT_EQ(SecondsText(absl::Seconds(43'200)), "43200");
  EXPECT_EQ(SecondsText(absl::Seconds(-1)), "-1");
  EXPECT_EQ(SecondsText(absl::Milliseconds(1'500)), "1.5s");
  EXPECT_EQ(SecondsText(absl::InfiniteDuration()), "inf");
}

}  // namespace
}  // namespace banyan
