// SPDX-License-Identifier: Apache-2.0
#include "deliver/delivery_policy.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/json_members.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kRetriesMax = 100;
constexpr std::string_view kTextPlain = "text/plain";
constexpr std::string_view kTextPlainUtf8 = "text/plain; charset=UTF-8";

// Reads one policy text; knows what to say when it is bad.
class Reader {
 public:
  explicit Reader(std::string_view prefix) : prefix_(prefix) {}

  template <typename... T>
  absl::Status Bad(const T&... text) const {
    return Error(AwsError::kTopicInvalidParameter, prefix_, "DeliveryPolicy: ", text...);
  }

  absl::StatusOr<std::vector<JsonMember>> Object(std::string_view name,
                                                 std::string_view json) const {
    std::optional<std::vector<JsonMember>> members = ReadJsonObject(json);
    if (!members.has_value()) {
      if (name.empty()) return Bad("failed to parse JSON.");
      return Bad(name, " must be a JSON object");
    }
    return *std::move(members);
  }

  absl::Status ReadInteger(const JsonMember& member, int64_t low, int64_t high,
                           int64_t* out) const {
    int64_t value = 0;
    if (member.kind != JsonToken::kNumber || !absl::SimpleAtoi(ToAbsl(member.text), &value) ||
        value < low || value > high) {
      return Bad(member.name, ": Invalid value [", member.text, "]. Must be a whole number from ",
                 low, " to ", high);
    }
    *out = value;
    return absl::OkStatus();
  }

  absl::Status Unknown(std::string_view within, std::string_view name) const {
    return Bad("unknown member \"", name, "\"", within.empty() ? "" : " in ", within);
  }

  absl::StatusOr<RetryPhases> Retry(const JsonMember& policy) const;
  absl::StatusOr<std::string> ContentType(const JsonMember& policy) const;
  absl::Status Throttle(const JsonMember& policy) const;

 private:
  const std::string_view prefix_;
};

absl::StatusOr<RetryPhases> Reader::Retry(const JsonMember& policy) const {
  BANYAN_ASSIGN_OR_RETURN(const std::vector<JsonMember> members, Object(policy.name, policy.raw));
  const int64_t seconds_max = absl::ToInt64Seconds(kHttpRetryTimeMax);
  RetryPhases phases;
  int64_t least = 20, most = 20;
  bool has_most = false;
  for (const JsonMember& member : members) {
    if (member.name == "minDelayTarget") {
      BANYAN_RETURN_IF_ERROR(ReadInteger(member, 1, seconds_max, &least));
    } else if (member.name == "maxDelayTarget") {
      BANYAN_RETURN_IF_ERROR(ReadInteger(member, 1, seconds_max, &most));
      has_most = true;
    } else if (member.name == "numRetries") {
      BANYAN_RETURN_IF_ERROR(ReadInteger(member, 0, kRetriesMax, &phases.retries));
    } else if (member.name == "numNoDelayRetries") {
      BANYAN_RETURN_IF_ERROR(ReadInteger(member, 0, kRetriesMax, &phases.no_delay));
    } else if (member.name == "numMinDelayRetries") {
      BANYAN_RETURN_IF_ERROR(ReadInteger(member, 0, kRetriesMax, &phases.min_delay));
    } else if (member.name == "numMaxDelayRetries") {
      BANYAN_RETURN_IF_ERROR(ReadInteger(member, 0, kRetriesMax, &phases.max_delay));
    } else if (member.name == "backoffFunction") {
      if (member.text == "linear") {
        phases.backoff = BackoffFunction::kLinear;
      } else if (member.text == "arithmetic") {
        phases.backoff = BackoffFunction::kArithmetic;
      } else if (member.text == "geometric") {
        phases.backoff = BackoffFunction::kGeometric;
      } else if (member.text == "exponential") {
        phases.backoff = BackoffFunction::kExponential;
      } else {
        return Bad("backoffFunction: Invalid value [", member.text,
                   "]. Must be linear, arithmetic, geometric or exponential");
      }
    } else {
      return Unknown(policy.name, member.name);
    }
  }
  if (!has_most) most = std::max(least, most);  // who says only the least means that
  if (least > most) {
    return Bad("minDelayTarget: Invalid value [", least, "]. Must not be above maxDelayTarget, ",
               most);
  }
  if (phases.no_delay + phases.min_delay + phases.max_delay > phases.retries) {
    return Bad("numRetries: Invalid value [", phases.retries,
               "]. Must be at least the sum of numNoDelayRetries, numMinDelayRetries and "
               "numMaxDelayRetries");
  }
  phases.delay_min = absl::Seconds(least);
  phases.delay_max = absl::Seconds(most);
  if (const absl::Duration total = LongestTotalWait(phases); total > kHttpRetryTimeMax) {
    return Bad(policy.name, ": the waits of all retries come to ", absl::ToInt64Seconds(total),
               " seconds; at most ", seconds_max, " are allowed");
  }
  return phases;
}

// "type/subtype", perhaps with parameters: what can stand in the header.
bool IsMediaType(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != text.npos && slash > 0 && slash + 1 < text.size() && text.size() <= 256 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7F'; });
}

absl::StatusOr<std::string> Reader::ContentType(const JsonMember& policy) const {
  BANYAN_ASSIGN_OR_RETURN(const std::vector<JsonMember> members, Object(policy.name, policy.raw));
  std::string content_type;
  for (const JsonMember& member : members) {
    if (member.name != "headerContentType") return Unknown(policy.name, member.name);
    if (member.kind != JsonToken::kString || !IsMediaType(member.text)) {
      return Bad("headerContentType: Invalid value [", member.text, "]. Must be a media type");
    }
    content_type = member.text;
  }
  return content_type;
}

absl::Status Reader::Throttle(const JsonMember& policy) const {
  BANYAN_ASSIGN_OR_RETURN(const std::vector<JsonMember> members, Object(policy.name, policy.raw));
  for (const JsonMember& member : members) {
    if (member.name != "maxReceivesPerSecond") return Unknown(policy.name, member.name);
    int64_t rate = 0;
    BANYAN_RETURN_IF_ERROR(ReadInteger(member, 1, 1'000'000'000, &rate));
  }
  return absl::OkStatus();
}

// A member that says null is as good as left out.
bool IsNull(const JsonMember& member) { return member.kind == JsonToken::kNull; }

// The three policies that both shapes have. False: the member is none of them.
absl::StatusOr<bool> ReadPolicy(const Reader& reader, const JsonMember& member,
                                std::string_view retry, std::string_view throttle,
                                std::string_view request, DeliveryPolicy* policy) {
  if (member.name == retry) {
    if (IsNull(member)) return true;
    BANYAN_ASSIGN_OR_RETURN(policy->retry, reader.Retry(member));
    return true;
  }
  if (member.name == throttle) {
    if (IsNull(member)) return true;
    BANYAN_RETURN_IF_ERROR(reader.Throttle(member));
    return true;
  }
  if (member.name == request) {
    if (IsNull(member)) return true;
    BANYAN_ASSIGN_OR_RETURN(std::string content_type, reader.ContentType(member));
    if (!content_type.empty()) policy->content_type = std::move(content_type);
    return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<DeliveryPolicy> ParseDeliveryPolicy(std::string_view json, std::string_view prefix) {
  DeliveryPolicy policy;
  if (json.empty()) return policy;
  const Reader reader(prefix);
  BANYAN_ASSIGN_OR_RETURN(const std::vector<JsonMember> members, reader.Object("", json));
  for (const JsonMember& member : members) {
    BANYAN_ASSIGN_OR_RETURN(const bool known,
                            ReadPolicy(reader, member, "healthyRetryPolicy", "throttlePolicy",
                                       "requestPolicy", &policy));
    if (!known) return reader.Unknown("", member.name);
  }
  return policy;
}

absl::StatusOr<TopicDeliveryPolicy> ParseTopicDeliveryPolicy(std::string_view json,
                                                             std::string_view prefix) {
  TopicDeliveryPolicy policy;
  if (json.empty()) return policy;
  const Reader reader(prefix);
  BANYAN_ASSIGN_OR_RETURN(const std::vector<JsonMember> members, reader.Object("", json));
  for (const JsonMember& http : members) {
    if (http.name != "http") return reader.Unknown("", http.name);
    BANYAN_ASSIGN_OR_RETURN(const std::vector<JsonMember> inner, reader.Object("http", http.raw));
    for (const JsonMember& member : inner) {
      BANYAN_ASSIGN_OR_RETURN(
          const bool known,
          ReadPolicy(reader, member, "defaultHealthyRetryPolicy", "defaultThrottlePolicy",
                     "defaultRequestPolicy", &policy.defaults));
      if (known) continue;
      if (member.name != "disableSubscriptionOverrides") {
        return reader.Unknown("http", member.name);
      }
      if (member.kind != JsonToken::kTrue && member.kind != JsonToken::kFalse) {
        return reader.Bad("disableSubscriptionOverrides: Invalid value [", member.text,
                          "]. Must be true or false");
      }
      policy.disables_overrides = member.kind == JsonToken::kTrue;
    }
  }
  return policy;
}

EffectiveDeliveryPolicy Combine(const TopicDeliveryPolicy& topic, const DeliveryPolicy& own) {
  const DeliveryPolicy nothing;
  const DeliveryPolicy& first = topic.disables_overrides ? nothing : own;
  const DeliveryPolicy& second = topic.defaults;
  EffectiveDeliveryPolicy both;
  both.retry = first.retry.has_value() ? *first.retry : second.retry.value_or(RetryPhases());
  both.content_type = first.content_type.has_value()
                          ? *first.content_type
                          : second.content_type.value_or(std::string(kTextPlain));
  if (both.content_type == kTextPlain) both.content_type = kTextPlainUtf8;
  return both;
}

}  // namespace banyan::inline v0_1::internal
