// SPDX-License-Identifier: Apache-2.0
#include "queue/redrive_policy.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "base/json.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/json_members.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kDeadLetterKey = "deadLetterTargetArn";
constexpr std::string_view kReceiveCountKey = "maxReceiveCount";
constexpr std::string_view kPermissionKey = "redrivePermission";
constexpr std::string_view kSourcesKey = "sourceQueueArns";

std::string_view PermissionName(RedriveAllowPolicy::Permission permission) {
  switch (permission) {
    case RedriveAllowPolicy::Permission::kAllowAll:
      return "allowAll";
    case RedriveAllowPolicy::Permission::kDenyAll:
      return "denyAll";
    case RedriveAllowPolicy::Permission::kByQueue:
      return "byQueue";
  }
  return "";
}

std::optional<RedriveAllowPolicy::Permission> PermissionNamed(std::string_view name) {
  using Permission = RedriveAllowPolicy::Permission;
  for (const Permission permission :
       {Permission::kAllowAll, Permission::kDenyAll, Permission::kByQueue}) {
    if (name == PermissionName(permission)) return permission;
  }
  return std::nullopt;
}

std::optional<Arn> ReadArn(const JsonMember& member) {
  if (member.kind != JsonToken::kString) return std::nullopt;
  absl::StatusOr<Arn> arn = Arn::Parse(member.text);
  if (!arn.ok()) return std::nullopt;
  return *std::move(arn);
}

// A number, as AWS's own tools write it, or its digits in a string, as many others do.
std::optional<int64_t> ReadCount(const JsonMember& member) {
  if (member.kind != JsonToken::kNumber && member.kind != JsonToken::kString) return std::nullopt;
  std::string_view digits = member.text;
  if (digits.starts_with('-')) digits.remove_prefix(1);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  int64_t count = 0;
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit) ||
      !absl::SimpleAtoi(member.text, &count)) {
    return std::nullopt;
  }
  return count;
}

// Nothing if it cannot be read; AWS says no more than that either.
std::optional<RedriveAllowPolicy> ReadRedriveAllowPolicy(std::string_view text) {
  const std::optional<std::vector<JsonMember>> members = ReadJsonObject(text);
  if (!members.has_value()) return std::nullopt;
  for (const JsonMember& member : *members) {
    if (member.name != kPermissionKey && member.name != kSourcesKey) return std::nullopt;
  }
  const JsonMember* name = FindMember(*members, kPermissionKey);
  if (name == nullptr || name->kind != JsonToken::kString) return std::nullopt;
  const std::optional<RedriveAllowPolicy::Permission> permission = PermissionNamed(name->text);
  if (!permission.has_value()) return std::nullopt;

  RedriveAllowPolicy policy = {*permission, {}};
  const JsonMember* list = FindMember(*members, kSourcesKey);
  if (list == nullptr) return policy;
  const std::optional<std::vector<JsonMember>> sources = ReadJsonArray(list->raw);
  if (!sources.has_value()) return std::nullopt;
  for (const JsonMember& source : *sources) {
    std::optional<Arn> arn = ReadArn(source);
    if (!arn.has_value()) return std::nullopt;
    policy.source_queues.push_back(*std::move(arn));
  }
  return policy;
}

}  // namespace

absl::StatusOr<RedrivePolicy> ParseRedrivePolicy(std::string_view text) {
  const std::optional<std::vector<JsonMember>> members = ReadJsonObject(text);
  if (!members.has_value()) {
    return Error(AwsError::kQueueInvalidParameterValue,
                 "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a "
                 "valid JSON map.");
  }
  for (const std::string_view key : {kDeadLetterKey, kReceiveCountKey}) {
    if (FindMember(*members, key) != nullptr) continue;
    return BadRedrivePolicy(
        text, StrCat("Redrive policy does not contain mandatory attribute: ", key, "."));
  }
  for (const JsonMember& member : *members) {
    if (member.name == kDeadLetterKey || member.name == kReceiveCountKey) continue;
    return BadRedrivePolicy(text, StrCat("Only following attributes are supported: [",
                                         kDeadLetterKey, ", ", kReceiveCountKey, "]."));
  }

  std::optional<Arn> target = ReadArn(*FindMember(*members, kDeadLetterKey));
  if (!target.has_value()) {
    return BadRedrivePolicy(text, "Dead-letter target ARN should be fully qualified ARN.");
  }
  const JsonMember& written = *FindMember(*members, kReceiveCountKey);
  const std::optional<int64_t> count = ReadCount(written);
  if (!count.has_value()) {
    return BadRedrivePolicy(text, StrCat("Invalid value for maxReceiveCount: ", written.text,
                                         ", which is not a whole number."));
  }
  return RedrivePolicy{*std::move(target), *count};
}

absl::StatusOr<RedriveAllowPolicy> ParseRedriveAllowPolicy(std::string_view text) {
  std::optional<RedriveAllowPolicy> policy = ReadRedriveAllowPolicy(text);
  if (policy.has_value()) return *std::move(policy);
  return Error(
      AwsError::kQueueInvalidParameterValue,
      "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create "
      "the redrive allow policy, as it\xE2\x80\x99s in an unsupported format.");
}

absl::Status CheckRedriveAllowed(const QueueOptions& options, const Arn& source,
                                 const QueueOptions& dead_letter) {
  using Permission = RedriveAllowPolicy::Permission;
  if (options.fifo != dead_letter.fifo) {
    return BadRedrivePolicy(RedrivePolicyText(*options.redrive),
                            "Dead-letter queue must be same type of queue as the source.");
  }
  const RedriveAllowPolicy& allow = dead_letter.redrive_allow;
  const auto& sources = allow.source_queues;
  const bool allowed = allow.permission == Permission::kAllowAll ||
                       (allow.permission == Permission::kByQueue &&
                        std::find(sources.begin(), sources.end(), source) != sources.end());
  if (allowed) return absl::OkStatus();
  return BadRedrivePolicy(RedrivePolicyText(*options.redrive),
                          StrCat("The redrive allow policy of the dead-letter queue (",
                                 PermissionName(allow.permission), ") keeps this queue out."));
}

std::string RedrivePolicyText(const RedrivePolicy& policy) {
  return StrCat("{", JsonString(kDeadLetterKey), ":", JsonString(policy.dead_letter.ToString()),
                ",", JsonString(kReceiveCountKey), ":", policy.max_receive_count, "}");
}

std::string RedriveAllowPolicyText(const RedriveAllowPolicy& policy) {
  std::string text =
      StrCat("{", JsonString(kPermissionKey), ":", JsonString(PermissionName(policy.permission)));
  if (!policy.source_queues.empty()) {
    StrAppend(&text, ",", JsonString(kSourcesKey), ":");
    char separator = '[';
    for (const Arn& source : policy.source_queues) {
      text.push_back(separator);
      AppendJsonString(&text, source.ToString());
      separator = ',';
    }
    text.push_back(']');
  }
  text.push_back('}');
  return text;
}

absl::Status BadRedrivePolicy(std::string_view policy_text, std::string_view reason) {
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", policy_text,
               " for parameter RedrivePolicy is invalid. Reason: ", reason);
}

}  // namespace banyan::inline v0_1::internal
