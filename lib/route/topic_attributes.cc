// SPDX-License-Identifier: Apache-2.0
#include "route/topic_attributes.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "message/tag_rules.h"
#include "queue/json_members.h"
#include "queue/policy_text.h"

namespace banyan::inline v0_1::internal {

namespace {

template <typename... T>
absl::Status Bad(const T&... text) {
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: ", text...);
}

absl::Status UnknownAttribute() { return Bad("AttributeName"); }

absl::StatusOr<bool> ParseBoolean(std::string_view name, std::string_view value) {
  if (value == "true") return true;
  if (value == "false") return false;
  return Bad(name, ": Invalid value [", value, "]. Must be true or false.");
}

std::string ShowBoolean(bool value) { return value ? "true" : "false"; }

std::optional<std::string> IfSet(const std::string& value) {
  if (value.empty()) return std::nullopt;
  return value;
}

// {"MessageRetentionPeriod":"30"}, in days; "" and {} turn the archive off.
absl::Status SetArchive(std::string_view value, TopicOptions* options) {
  if (value.empty()) value = "{}";
  const auto members = ReadJsonObject(value);
  if (!members.has_value()) return Bad("ArchivePolicy: failed to parse JSON");
  int64_t days = 0;
  for (const JsonMember& member : *members) {
    if (member.name != "MessageRetentionPeriod" || !absl::SimpleAtoi(ToAbsl(member.text), &days) ||
        days < 1 || days > 365) {
      return Bad(
          "ArchivePolicy: MessageRetentionPeriod must be 1 to 365 days, and nothing else "
          "stands beside it");
    }
  }
  options->archive_retention = days * absl::Hours(24);
  return absl::OkStatus();
}

std::optional<std::string> ShowArchive(const TopicOptions& options) {
  if (options.archive_retention == absl::ZeroDuration()) return std::nullopt;
  return StrCat("{\"MessageRetentionPeriod\":\"", options.archive_retention / absl::Hours(24),
                "\"}");
}

struct Row {
  std::string_view name;
  absl::Status (*set)(std::string_view value, TopicOptions* options);
  std::optional<std::string> (*show)(const TopicOptions& options);  // nothing: not set
};

template <std::string TopicOptions::*kField>
absl::Status SetText(std::string_view value, TopicOptions* options) {
  options->*kField = value;
  return absl::OkStatus();
}
template <std::string TopicOptions::*kField>
std::optional<std::string> ShowText(const TopicOptions& options) {
  return IfSet(options.*kField);
}

constexpr Row kRows[] = {
    {"ArchivePolicy", SetArchive, ShowArchive},
    {"ContentBasedDeduplication",
     [](std::string_view value, TopicOptions* options) -> absl::Status {
       BANYAN_ASSIGN_OR_RETURN(options->content_based_deduplication,
                               ParseBoolean("ContentBasedDeduplication", value));
       return absl::OkStatus();
     },
     [](const TopicOptions& o) -> std::optional<std::string> {
       if (!o.fifo) return std::nullopt;
       return ShowBoolean(o.content_based_deduplication);
     }},
    {"DeliveryPolicy", SetText<&TopicOptions::delivery_policy>,
     ShowText<&TopicOptions::delivery_policy>},
    {"DisplayName", SetText<&TopicOptions::display_name>,
     [](const TopicOptions& o) -> std::optional<std::string> { return o.display_name; }},
    {"FifoThroughputScope",
     [](std::string_view value, TopicOptions* options) -> absl::Status {
       if (value != "Topic" && value != "MessageGroup") {
         return Bad("FifoThroughputScope: Invalid value [", value,
                    "]. Must be Topic or MessageGroup.");
       }
       options->fifo_throughput_scope =
           value == "Topic" ? FifoThroughputScope::kTopic : FifoThroughputScope::kMessageGroup;
       return absl::OkStatus();
     },
     [](const TopicOptions& o) -> std::optional<std::string> {
       if (!o.fifo) return std::nullopt;
       return o.fifo_throughput_scope == FifoThroughputScope::kTopic ? "Topic" : "MessageGroup";
     }},
    {"FifoTopic",
     [](std::string_view value, TopicOptions* options) -> absl::Status {
       BANYAN_ASSIGN_OR_RETURN(options->fifo, ParseBoolean("FifoTopic", value));
       return absl::OkStatus();
     },
     [](const TopicOptions& o) -> std::optional<std::string> {
       if (!o.fifo) return std::nullopt;
       return "true";
     }},
    {"KmsMasterKeyId", SetText<&TopicOptions::kms_master_key_id>,
     ShowText<&TopicOptions::kms_master_key_id>},
    {"Policy", SetText<&TopicOptions::policy>, ShowText<&TopicOptions::policy>},
    {"SignatureVersion",
     [](std::string_view value, TopicOptions* options) -> absl::Status {
       if (value != "1" && value != "2") {
         return Bad("SignatureVersion: Invalid value [", value, "]. Must be 1 or 2.");
       }
       options->signature_version = value == "1" ? 1 : 2;
       return absl::OkStatus();
     },
     [](const TopicOptions& o) -> std::optional<std::string> {
       if (o.signature_version == 1) return std::nullopt;
       return StrCat(o.signature_version);
     }},
    {"TracingConfig", SetText<&TopicOptions::tracing_config>,
     ShowText<&TopicOptions::tracing_config>},
};

const Row* FindRow(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

// <Protocol>SuccessFeedbackRoleArn, <Protocol>FailureFeedbackRoleArn,
// <Protocol>SuccessFeedbackSampleRate: how deliveries are logged.
bool IsLoggingAttribute(std::string_view name) {
  for (const std::string_view protocol : {"Application", "HTTP", "Lambda", "SQS", "Firehose"}) {
    if (!name.starts_with(protocol)) continue;
    const std::string_view rest = name.substr(protocol.size());
    return rest == "SuccessFeedbackRoleArn" || rest == "FailureFeedbackRoleArn" ||
           rest == "SuccessFeedbackSampleRate";
  }
  return false;
}

absl::Status SetLogging(std::string_view name, std::string_view value, TopicOptions* options) {
  int64_t percent = 0;
  if (name.ends_with("SampleRate") && !value.empty() &&
      (!absl::SimpleAtoi(ToAbsl(value), &percent) || percent < 0 || percent > 100)) {
    return Bad(name, ": Invalid value [", value, "]. Must be 0 to 100.");
  }
  if (value.empty()) {
    options->delivery_status_logging.erase(std::string(name));
  } else {
    options->delivery_status_logging.insert_or_assign(std::string(name), std::string(value));
  }
  return absl::OkStatus();
}

absl::Status SetOne(std::string_view name, std::string_view value, TopicOptions* options) {
  if (const Row* row = FindRow(name)) return row->set(value, options);
  if (IsLoggingAttribute(name)) return SetLogging(name, value, options);
  return UnknownAttribute();
}

std::optional<std::string> ShowOne(std::string_view name, const TopicOptions& options) {
  if (const Row* row = FindRow(name)) return row->show(options);
  const auto found = options.delivery_status_logging.find(std::string(name));
  if (found == options.delivery_status_logging.end()) return std::nullopt;
  return found->second;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

// What accounts can be let do; and what SNS's default policy lets the owner do.
constexpr std::array<std::string_view, 8> kActions = {"GetTopicAttributes",
                                                      "SetTopicAttributes",
                                                      "AddPermission",
                                                      "RemovePermission",
                                                      "DeleteTopic",
                                                      "Subscribe",
                                                      "ListSubscriptionsByTopic",
                                                      "Publish"};

std::string RetryText(const RetryPhases& phases) {
  static constexpr std::string_view kFunctions[] = {"linear", "arithmetic", "geometric",
                                                    "exponential"};
  return StrCat("{\"minDelayTarget\":", absl::ToInt64Seconds(phases.delay_min),
                ",\"maxDelayTarget\":", absl::ToInt64Seconds(phases.delay_max),
                ",\"numRetries\":", phases.retries, ",\"numMaxDelayRetries\":", phases.max_delay,
                ",\"numNoDelayRetries\":", phases.no_delay,
                ",\"numMinDelayRetries\":", phases.min_delay, ",\"backoffFunction\":\"",
                kFunctions[static_cast<size_t>(phases.backoff)], "\"}");
}

}  // namespace

absl::StatusOr<TopicOptions> TopicOptionsFrom(const AttributeStrings& given) {
  TopicOptions options;
  for (const auto& [name, value] : given) {
    BANYAN_RETURN_IF_ERROR(SetOne(name, value, &options));
  }
  return options;
}

absl::Status SetTopicAttribute(std::string_view name, std::string_view value,
                               TopicOptions* options) {
  if (name == "FifoTopic") return UnknownAttribute();
  return SetOne(name, value, options);
}

AttributeStrings ShowTopicAttributes(const TopicOptions& options, const TopicFacts& facts) {
  AttributeStrings shown = options.delivery_status_logging;
  for (const Row& row : kRows) {
    if (std::optional<std::string> value = row.show(options)) {
      shown.emplace(row.name, *std::move(value));
    }
  }
  shown.emplace("TopicArn", facts.arn);
  shown.emplace("Owner", facts.owner);
  shown.emplace("Policy", DefaultTopicPolicy(facts.arn, facts.owner));  // unless there is one
  shown.emplace("SubscriptionsConfirmed", StrCat(facts.confirmed));
  shown.emplace("SubscriptionsPending", StrCat(facts.pending));
  shown.emplace("SubscriptionsDeleted", StrCat(facts.deleted));
  const TopicDeliveryPolicy policy = *ParseTopicDeliveryPolicy(options.delivery_policy, "");
  shown.emplace("EffectiveDeliveryPolicy",
                EffectiveTopicPolicyText(Combine(policy, {}), policy.disables_overrides));
  if (facts.beginning_archive_time.has_value()) {
    shown.emplace("BeginningArchiveTime", TimeText(*facts.beginning_archive_time));
  }
  return shown;
}

bool TopicHas(const AttributeStrings& given, const TopicOptions& stored) {
  TopicOptions asked = stored;
  for (const auto& [name, value] : given) {
    if (!SetOne(name, value, &asked).ok() || ShowOne(name, asked) != ShowOne(name, stored)) {
      return false;
    }
  }
  return true;
}

// --- Permissions ---------------------------------------------------------------------------------

std::string DefaultTopicPolicy(std::string_view topic_arn, std::string_view owner) {
  std::vector<std::string> actions;
  for (const std::string_view action : kActions) actions.push_back(StrCat("SNS:", action));
  return StrCat(
      "{\"Version\":\"2008-10-17\",\"Id\":\"__default_policy_ID\",\"Statement\":[{\"Sid\":"
      "\"__default_statement_ID\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":",
      OneOrMany(actions), ",\"Resource\":", JsonString(topic_arn),
      ",\"Condition\":{\"StringEquals\":{\"AWS:SourceOwner\":", JsonString(owner), "}}}]}");
}

absl::Status ValidateTopicPolicy(std::string_view policy) {
  constexpr size_t kBytesMax = 30'720;
  if (policy.empty()) return absl::OkStatus();
  if (policy.size() > kBytesMax) {
    return Bad("Policy Error: ", policy.size(), " bytes; at most ", kBytesMax, " are allowed");
  }
  if (!ReadPolicy(policy).has_value()) {
    return Bad("Policy Error: it is not a JSON object with statements");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> AddTopicPermission(std::string_view policy, std::string_view topic_arn,
                                               std::string_view owner, std::string_view label,
                                               absl::Span<const std::string> accounts,
                                               absl::Span<const std::string> actions) {
  if (label.empty()) return Bad("Label Reason: must not be empty");
  if (accounts.empty() || actions.empty()) {
    return Bad(accounts.empty() ? "AWSAccountId" : "ActionName", " Reason: there must be one");
  }
  for (const std::string& account : accounts) {
    if (!IsAccount(account)) return Bad("AWSAccountId Reason: ", account, " is not twelve digits");
  }
  std::vector<std::string> names;
  for (const std::string& action : actions) {
    if (std::find(kActions.begin(), kActions.end(), std::string_view(action)) == kActions.end()) {
      return Bad("Policy statement action out of service scope!");
    }
    names.push_back(StrCat("SNS:", action));
  }
  const std::string there =
      policy.empty() ? DefaultTopicPolicy(topic_arn, owner) : std::string(policy);
  std::optional<PolicyText> parts = ReadPolicy(there);
  if (!parts.has_value()) return ValidateTopicPolicy(there);
  for (const std::string_view statement : parts->statements) {
    if (HasSid(statement, label)) return Bad("Statement already exists");
  }
  const std::string statement = PermissionStatement(label, accounts, names, topic_arn);
  parts->statements.push_back(statement);
  std::string text = WritePolicy(*parts);
  BANYAN_RETURN_IF_ERROR(ValidateTopicPolicy(text));
  return text;
}

absl::StatusOr<std::string> RemoveTopicPermission(std::string_view policy,
                                                  std::string_view topic_arn,
                                                  std::string_view owner, std::string_view label) {
  const std::string there =
      policy.empty() ? DefaultTopicPolicy(topic_arn, owner) : std::string(policy);
  std::optional<PolicyText> parts = ReadPolicy(there);
  if (!parts.has_value()) return ValidateTopicPolicy(there);
  std::erase_if(parts->statements,
                [label](std::string_view statement) { return HasSid(statement, label); });
  return WritePolicy(*parts);
}

// --- Tags ----------------------------------------------------------------------------------------

absl::Status ValidateTopicTags(const AttributeStrings& tags) {
  if (tags.size() > kTagsMax) {
    return Error(AwsError::kTopicTagLimitExceeded,
                 "Could not complete request: tag quota of per resource exceeded: at most ",
                 kTagsMax);
  }
  for (const auto& [key, value] : tags) {
    if (!HasTagKeySize(key) || !HasTagValueSize(value)) {
      return Bad("Tags Reason: a key has 1 to ", kTagKeyMax, " characters, a value at most ",
                 kTagValueMax);
    }
  }
  return absl::OkStatus();
}

// --- JSON ----------------------------------------------------------------------------------------

absl::StatusOr<std::optional<ReplayPolicy>> ParseReplayPolicy(std::string_view json) {
  if (json.empty()) return std::nullopt;
  const auto members = ReadJsonObject(json);
  if (!members.has_value()) return Bad("ReplayPolicy: failed to parse JSON");
  if (members->empty()) return std::nullopt;
  ReplayPolicy policy = {.starting_point = absl::InfiniteFuture()};
  for (const JsonMember& member : *members) {
    if (member.name == "PointType" && member.text == "Timestamp") continue;
    absl::Time time;
    if (!absl::ParseTime(absl::RFC3339_full, member.text, &time, nullptr)) {
      return Bad("ReplayPolicy: ", member.name, ": Invalid value [", member.text, "]");
    }
    if (member.name == "StartingPoint") {
      policy.starting_point = time;
    } else if (member.name == "EndingPoint") {
      policy.ending_point = time;
    } else {
      return Bad("ReplayPolicy: unknown member ", member.name);
    }
  }
  if (policy.starting_point == absl::InfiniteFuture()) {
    return Bad("ReplayPolicy: StartingPoint is required");
  }
  return policy;
}

std::string ReplayPolicyText(const ReplayPolicy& policy) {
  std::string text = "{\"PointType\":\"Timestamp\"";
  // No message is older.
  const absl::Time start = std::max(policy.starting_point, absl::UnixEpoch());
  StrAppend(&text, ",\"StartingPoint\":\"", TimeText(start), "\"");
  if (policy.ending_point.has_value()) {
    StrAppend(&text, ",\"EndingPoint\":\"", TimeText(*policy.ending_point), "\"");
  }
  return text + "}";
}

absl::StatusOr<std::optional<Arn>> ParseSubscriptionRedrive(std::string_view json,
                                                            std::string_view prefix) {
  if (json.empty()) return std::nullopt;
  const auto members = ReadJsonObject(json);
  if (!members.has_value()) {
    return Error(AwsError::kTopicInvalidParameter, prefix, "RedrivePolicy: failed to parse JSON.");
  }
  if (members->empty()) return std::nullopt;
  const JsonMember* target = FindMember(*members, "deadLetterTargetArn");
  absl::StatusOr<Arn> arn = Arn::Parse(target == nullptr ? "" : target->text);
  if (!arn.ok()) {
    return Error(AwsError::kTopicInvalidParameter, prefix,
                 "RedrivePolicy: deadLetterTargetArn is an invalid arn");
  }
  return *std::move(arn);
}

std::string EffectiveTopicPolicyText(const EffectiveDeliveryPolicy& policy,
                                     bool disables_overrides) {
  return StrCat(
      "{\"http\":{\"defaultHealthyRetryPolicy\":", RetryText(policy.retry),
      ",\"disableSubscriptionOverrides\":", ShowBoolean(disables_overrides),
      ",\"defaultRequestPolicy\":{\"headerContentType\":", JsonString(policy.content_type), "}}}");
}

std::string EffectiveSubscriptionPolicyText(const EffectiveDeliveryPolicy& policy) {
  return StrCat("{\"healthyRetryPolicy\":", RetryText(policy.retry),
                ",\"requestPolicy\":{\"headerContentType\":", JsonString(policy.content_type),
                "}}");
}

}  // namespace banyan::inline v0_1::internal
