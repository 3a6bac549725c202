// SPDX-License-Identifier: Apache-2.0
#include "queue/policy.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/policy_text.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kPolicyBytesMax = 8'192;
constexpr size_t kStatementsMax = 20;
constexpr size_t kActionsMax = 7;
constexpr size_t kPrincipalsMax = 50;
constexpr size_t kLabelMax = 80;

// What an owner can share; everything else stays with him.
constexpr std::array<std::string_view, 9> kActions = {
    "*",           "ChangeMessageVisibility",    "DeleteMessage", "GetQueueAttributes",
    "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue",    "ReceiveMessage",
    "SendMessage"};

absl::Status BadPolicy(std::string_view reason) {
  return Error(AwsError::kQueueInvalidAttributeValue,
               "Invalid value for the parameter Policy. Reason: ", reason);
}

absl::Status BadValue(std::string_view parameter, std::string_view value, std::string_view reason) {
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", value, " for parameter ", parameter,
               " is invalid. Reason: ", reason);
}

absl::Status ValidatePermission(std::string_view label, absl::Span<const std::string> accounts,
                                absl::Span<const std::string> actions) {
  const auto is_label_char = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  };
  if (label.empty() || label.size() > kLabelMax ||
      !std::all_of(label.begin(), label.end(), is_label_char)) {
    return BadValue("Label", label,
                    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in "
                    "length.");
  }
  if (actions.empty()) {
    return Error(AwsError::kQueueMissingParameter,
                 "The request must contain the parameter Actions.");
  }
  if (accounts.empty()) return BadValue("PrincipalId", "[]", "Unable to verify.");
  if (actions.size() > kActionsMax) {
    return Error(AwsError::kQueueOverLimit, actions.size(),
                 " Actions were found, maximum allowed is ", kActionsMax, ".");
  }
  if (accounts.size() > kPrincipalsMax) {
    return Error(AwsError::kQueueOverLimit, accounts.size(),
                 " Principals were found, maximum allowed is ", kPrincipalsMax, ".");
  }
  for (const std::string& action : actions) {
    if (std::find(kActions.begin(), kActions.end(), std::string_view(action)) == kActions.end()) {
      return BadValue("ActionName", StrCat("SQS:", action),
                      "Only the queue owner is allowed to invoke this action.");
    }
  }
  for (const std::string& account : accounts) {
    if (!IsAccount(account)) {
      return BadValue("PrincipalId", StrCat("[", account, "]"), "Unable to verify.");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidatePolicy(std::string_view policy) {
  if (policy.empty()) return absl::OkStatus();
  if (policy.size() > kPolicyBytesMax) {
    return BadPolicy(
        StrCat("It has ", policy.size(), " bytes, and at most ", kPolicyBytesMax, " are allowed."));
  }
  const std::optional<PolicyText> parts = ReadPolicy(policy);
  if (!parts.has_value()) return BadPolicy("It is not a JSON object with statements.");
  if (parts->statements.size() > kStatementsMax) {
    return Error(AwsError::kQueueOverLimit, parts->statements.size(),
                 " statements were found in the submitted policy, max allowed is ", kStatementsMax);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> AddPermission(std::string_view policy, std::string_view queue_arn,
                                          std::string_view label,
                                          absl::Span<const std::string> accounts,
                                          absl::Span<const std::string> actions) {
  BANYAN_RETURN_IF_ERROR(ValidatePermission(label, accounts, actions));
  const std::string fresh = StrCat("{\"Version\":\"2008-10-17\",\"Id\":",
                                   JsonString(StrCat(queue_arn, "/SQSDefaultPolicy")), "}");
  std::optional<PolicyText> parts = ReadPolicy(policy.empty() ? std::string_view(fresh) : policy);
  if (!parts.has_value()) return BadPolicy("It is not a JSON object with statements.");
  for (const std::string_view statement : parts->statements) {
    if (HasSid(statement, label)) return BadValue("Label", label, "Already exists.");
  }
  std::vector<std::string> names;
  for (const std::string& action : actions) names.push_back(StrCat("SQS:", action));
  const std::string statement = PermissionStatement(label, accounts, names, queue_arn);
  parts->statements.push_back(statement);
  std::string text = WritePolicy(*parts);
  BANYAN_RETURN_IF_ERROR(ValidatePolicy(text));
  return text;
}

absl::StatusOr<std::string> RemovePermission(std::string_view policy, std::string_view label) {
  std::optional<PolicyText> parts;
  if (!policy.empty()) parts = ReadPolicy(policy);
  const size_t removed =
      !parts.has_value() ? 0
                         : std::erase_if(parts->statements, [label](std::string_view statement) {
                             return HasSid(statement, label);
                           });
  if (removed == 0) return BadValue("Label", label, "can't find label.");
  if (parts->statements.empty()) return std::string();
  return WritePolicy(*parts);
}

}  // namespace banyan::inline v0_1::internal
