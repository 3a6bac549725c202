// SPDX-License-Identifier: Apache-2.0
//
// IsRefusal: an error with AWS's code and exactly this message.
//
//   EXPECT_THAT(ValidateQueueName("", false, aws), IsRefusal("InvalidParameterValue", "Value ..."));
#ifndef BANYAN_TESTS_QUEUE_REFUSAL_H_
#define BANYAN_TESTS_QUEUE_REFUSAL_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/error.h"
#include "gmock/gmock.h"

namespace banyan::internal {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER_P2(IsRefusal, code, message,
           std::string(code) + ": " + ::testing::PrintToString(std::string(message))) {
  const absl::Status& status = StatusOf(arg);
  const AwsErrorRow* row = FindAwsError(status);
  const std::string said(status.message());
  *result_listener << (row == nullptr ? "which is no error of AWS's: "
                                      : std::string(row->code) + ": ")
                   << ::testing::PrintToString(said);
  return row != nullptr && row->code == code && said == message;
}

// The same, where the sheet leaves the message to us.
MATCHER_P2(IsRefusalLike, code, message_matcher, "") {
  const absl::Status& status = StatusOf(arg);
  const AwsErrorRow* row = FindAwsError(status);
  *result_listener << status.ToString() << ", ";
  return row != nullptr && row->code == code &&
         ::testing::ExplainMatchResult(message_matcher, std::string(status.message()),
                                       result_listener);
}

}  // namespace banyan::internal

#endif  // BANYAN_TESTS_QUEUE_REFUSAL_H_
