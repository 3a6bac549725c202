// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/policy.h -- floor 3, the queue room: a queue's access policy, as text. Banyan keeps it,
// shows it and changes it on request; it admits nobody and turns nobody away.
//
//   "" + AddPermission("billing", {"123456789012"}, {"SendMessage"})
//      = {"Version":"2008-10-17","Id":"<arn>/SQSDefaultPolicy","Statement":[{"Sid":"billing",...}]}
//
// Statements that were there stay as they were written. Pure functions.
#ifndef BANYAN_LIB_QUEUE_POLICY_H_
#define BANYAN_LIB_QUEUE_POLICY_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace banyan::inline v0_1::internal {

// Empty (there is none), or a JSON object of at most 8,192 bytes with at most 20 statements.
absl::Status ValidatePolicy(std::string_view policy);

// `policy` with one statement more, which lets `accounts` (twelve digits each, at most 50) do
// `actions` (as "SendMessage", or "*"; at most 7). `label` names the statement: 1 to 80 letters,
// digits, hyphens and underscores, and none that is there.
absl::StatusOr<std::string> AddPermission(std::string_view policy, std::string_view queue_arn,
                                          std::string_view label,
                                          absl::Span<const std::string> accounts,
                                          absl::Span<const std::string> actions);

// `policy` without the statements of that label. Empty when none is left.
absl::StatusOr<std::string> RemovePermission(std::string_view policy, std::string_view label);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_POLICY_H_
