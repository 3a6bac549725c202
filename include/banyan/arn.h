// SPDX-License-Identifier: Apache-2.0
//
// Arn: the name AWS gives a resource. Banyan's resources have one too, so that logs, policies
// and wiring read the same before and after a move to AWS.
//
//   arn:aws:sqs:us-east-1:000000000000:orders
//       partition service region account resource
//
// Source  docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
#ifndef BANYAN_ARN_H_
#define BANYAN_ARN_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "banyan/export.h"

namespace banyan::inline v0_1 {

struct BANYAN_EXPORT Arn {
  std::string partition = "aws";
  std::string service;   // "sqs", "sns", "events", "kinesis", "lambda"
  std::string region;    // may be empty
  std::string account;   // twelve digits, or empty
  std::string resource;  // "orders", "stream/clicks", "rule/bus/name"; may contain ':'

  std::string ToString() const;

  // Errors  kInvalidArgument (InvalidParameter): fewer than six elements, no "arn" in front, an
  //         empty partition, service or resource. The text says which.
  static absl::StatusOr<Arn> Parse(std::string_view text);

  friend bool operator==(const Arn&, const Arn&) = default;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_ARN_H_
