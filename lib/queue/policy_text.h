// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/policy_text.h -- floor 3, the queue room: a resource's access policy taken apart into
// its statements, for who adds one or takes one out; queues do, topics, and buses.
//
//   {"Version":"2012-10-17","Statement":[{"Sid":"a",...},{"Sid":"b",...}]}
//
// Statements stay as they were written.
#ifndef BANYAN_LIB_QUEUE_POLICY_TEXT_H_
#define BANYAN_LIB_QUEUE_POLICY_TEXT_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace banyan::inline v0_1::internal {

// Views are into the text that was read.
struct PolicyText {
  std::vector<std::pair<std::string, std::string_view>> others;  // name and value, but Statement
  std::vector<std::string_view> statements;
};

// Nothing if it is not a JSON object whose Statement, if any, is an object or a list of objects.
std::optional<PolicyText> ReadPolicy(std::string_view text);

std::string WritePolicy(const PolicyText& policy);

bool HasSid(std::string_view statement, std::string_view sid);

// Twelve digits.
bool IsAccount(std::string_view text);

// An account as a principal: "arn:aws:iam::123456789012:root".
std::string AccountPrincipal(std::string_view account);

// One value as a JSON string, several as a list: so AWS writes principals and actions.
std::string OneOrMany(const std::vector<std::string>& values);

// The statement with which queues and topics let `accounts` do `actions` ("SNS:Publish").
std::string PermissionStatement(std::string_view sid, absl::Span<const std::string> accounts,
                                const std::vector<std::string>& actions,
                                std::string_view resource_arn);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_POLICY_TEXT_H_
