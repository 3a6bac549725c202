// SPDX-License-Identifier: Apache-2.0
#include "route/bus_policy.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/policy_text.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kPolicyBytesMax = 10'240;
constexpr size_t kNameMax = 64;
constexpr std::string_view kActionPrefix = "events:";

bool IsLetter(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

absl::Status BadMember(std::string_view member, std::string_view value, std::string_view pattern) {
  return Error(AwsError::kBusValidation, "1 validation error detected: Value '", value, "' at '",
               member,
               "' failed to satisfy constraint: Member must satisfy regular expression "
               "pattern: ",
               pattern);
}

absl::Status ValidateStatement(std::string_view statement_id, std::string_view principal,
                               std::string_view action) {
  const auto is_id_character = [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-' || c == '_';
  };
  if (statement_id.empty() || statement_id.size() > kNameMax ||
      !std::all_of(statement_id.begin(), statement_id.end(), is_id_character)) {
    return BadMember("statementId", statement_id, "[a-zA-Z0-9-_]+");
  }
  if (!IsAccount(principal) && principal != "*")
    return BadMember("principal", principal, "(\\d{12}|\\*)");
  const std::string_view verb =
      action.starts_with(kActionPrefix) ? action.substr(kActionPrefix.size()) : std::string_view();
  if (verb.empty() || action.size() > kNameMax ||
      !std::all_of(verb.begin(), verb.end(), IsLetter)) {
    return BadMember("action", action, "events:[a-zA-Z]+");
  }
  return absl::OkStatus();
}

absl::Status NoStatement() {
  return Error(AwsError::kBusResourceNotFound, "Statement with the provided id does not exist.");
}

}  // namespace

absl::Status ValidateBusPolicy(std::string_view policy) {
  if (policy.empty()) return absl::OkStatus();
  if (policy.size() > kPolicyBytesMax) {
    return Error(AwsError::kBusPolicyLengthExceeded, "The event bus policy is too long. It has ",
                 policy.size(), " bytes; at most ", kPolicyBytesMax, " are allowed.");
  }
  if (!ReadPolicy(policy).has_value()) {
    return Error(AwsError::kBusValidation,
                 "Parameter Policy is not valid. Reason: It is not a JSON object with statements.");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> AddBusPermission(std::string_view policy, std::string_view bus_arn,
                                             std::string_view statement_id,
                                             std::string_view principal, std::string_view action) {
  BANYAN_RETURN_IF_ERROR(ValidateStatement(statement_id, principal, action));
  std::optional<PolicyText> parts =
      ReadPolicy(policy.empty() ? R"({"Version":"2012-10-17"})" : policy);
  if (!parts.has_value()) return ValidateBusPolicy(policy);
  const std::string whom = principal == "*"
                               ? JsonString(principal)
                               : StrCat("{\"AWS\":", JsonString(AccountPrincipal(principal)), "}");
  const std::string statement =
      StrCat("{\"Sid\":", JsonString(statement_id), ",\"Effect\":\"Allow\",\"Principal\":", whom,
             ",\"Action\":", JsonString(action), ",\"Resource\":", JsonString(bus_arn), "}");
  const auto there =
      std::find_if(parts->statements.begin(), parts->statements.end(),
                   [statement_id](std::string_view s) { return HasSid(s, statement_id); });
  if (there != parts->statements.end()) {
    *there = statement;
  } else {
    parts->statements.push_back(statement);
  }
  std::string text = WritePolicy(*parts);
  BANYAN_RETURN_IF_ERROR(ValidateBusPolicy(text));
  return text;
}

absl::StatusOr<std::string> RemoveBusPermission(std::string_view policy,
                                                std::string_view statement_id) {
  std::optional<PolicyText> parts;
  if (!policy.empty()) parts = ReadPolicy(policy);
  if (!parts.has_value()) return NoStatement();
  const size_t removed = std::erase_if(
      parts->statements, [statement_id](std::string_view s) { return HasSid(s, statement_id); });
  if (removed == 0) return NoStatement();
  if (parts->statements.empty()) return std::string();
  return WritePolicy(*parts);
}

}  // namespace banyan::inline v0_1::internal
