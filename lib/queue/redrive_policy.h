// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/redrive_policy.h -- floor 3, the queue room: RedrivePolicy and RedriveAllowPolicy as
// the JSON that AWS writes, and what one queue's says to the other's. Pure functions.
//
//   {"deadLetterTargetArn":"arn:aws:sqs:...:dead","maxReceiveCount":3}
//   {"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:...:jobs"]}
#ifndef BANYAN_LIB_QUEUE_REDRIVE_POLICY_H_
#define BANYAN_LIB_QUEUE_REDRIVE_POLICY_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/arn.h"
#include "banyan/queue_options.h"

namespace banyan::inline v0_1::internal {

// Both keys, the count as a number or as its digits in a string. Ranges are ValidateQueueOptions'
// business.
absl::StatusOr<RedrivePolicy> ParseRedrivePolicy(std::string_view text);
absl::StatusOr<RedriveAllowPolicy> ParseRedriveAllowPolicy(std::string_view text);

std::string RedrivePolicyText(const RedrivePolicy& policy);
std::string RedriveAllowPolicyText(const RedriveAllowPolicy& policy);

// What the queue that `options.redrive` names has to say to it: it must be of the same kind, and
// its redrive allow policy must let `source` in. `options.redrive` is set.
absl::Status CheckRedriveAllowed(const QueueOptions& options, const Arn& source,
                                 const QueueOptions& dead_letter);

absl::Status BadRedrivePolicy(std::string_view policy_text, std::string_view reason);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_REDRIVE_POLICY_H_
