// SPDX-License-Identifier: Apache-2.0
#include "route/publish_rules.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "message/errors.h"
#include "message/trace_rules.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kDisplayNameMax = 100;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Characters, or -1 if the text is not UTF-8 or holds a control character.
int64_t CountPrintable(std::string_view text) {
  int64_t count = 0;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const auto first = static_cast<unsigned char>(text.front());
    if (length == 0 || first < 0x20 || first == 0x7F) return -1;
    text.remove_prefix(length);
    ++count;
  }
  return count;
}

absl::Status ValidateSubject(std::string_view subject, const Limits& limits) {
  const int64_t characters = CountPrintable(subject);
  if (characters < 0) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Subject Reason: must be UTF-8 without line breaks and control "
                 "characters");
  }
  if (characters > limits.topic.subject_max) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Subject Reason: ", characters, " characters; at most ",
                 limits.topic.subject_max, " are allowed");
  }
  return absl::OkStatus();
}

template <typename... T>
absl::Status BadAttribute(const T&... text) {
  return Error(AwsError::kTopicParameterValueInvalid, text...);
}

absl::Status ValidateAttributeName(std::string_view name, const Limits& limits) {
  if (name.empty()) return BadAttribute("Message attribute name can not be empty.");
  if (static_cast<int64_t>(name.size()) > limits.topic.attribute_name_max) {
    return BadAttribute("Length of message attribute name must be less than ",
                        limits.topic.attribute_name_max + 1, " bytes.");
  }
  for (std::string_view rest = name; !rest.empty();) {
    const char c = rest.front();
    if (IsAlphanumeric(c) || c == '_' || c == '-' || c == '.') {
      rest.remove_prefix(1);
      continue;
    }
    const unsigned code = Utf8Length(rest) > 0 ? static_cast<unsigned>(TakeUtf8(&rest))
                                               : static_cast<unsigned char>(c);
    return BadAttribute("Invalid non-alphanumeric character '", absl::StrFormat("#x%X", code),
                        "' was found in the message attribute name. Can only include alphanumeric "
                        "characters, hyphens, underscores, or dots.");
  }
  if (name.front() == '.') {
    return BadAttribute("Invalid message attribute name starting with character '.' was found.");
  }
  if (name.back() == '.') {
    return BadAttribute("Invalid message attribute name ending with character '.' was found.");
  }
  if (name.find("..") != name.npos) {
    return BadAttribute("Message attribute name can not have successive '.' character.");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateTopicName(std::string_view name, const Limits& limits) {
  const bool valid = !name.empty() && static_cast<int64_t>(name.size()) <= limits.topic.name_max &&
                     std::all_of(name.begin(), name.end(),
                                 [](char c) { return IsAlphanumeric(c) || c == '-' || c == '_'; });
  if (valid) return absl::OkStatus();
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: Topic Name Reason: \"", name,
               "\" is not 1 to ", limits.topic.name_max,
               " letters, digits, hyphens and underscores");
}

absl::Status ValidateTopicOptions(const TopicOptions& options) {
  const int64_t characters = CountPrintable(options.display_name);
  if (characters >= 0 && characters <= kDisplayNameMax) return absl::OkStatus();
  return Error(AwsError::kTopicInvalidParameter,
               "Invalid parameter: DisplayName Reason: must be at most ", kDisplayNameMax,
               " characters of UTF-8 without control characters");
}

absl::Status ValidateTopicAttributes(const Attributes& attributes, const Limits& limits) {
  for (const auto& [name, value] : attributes) {
    BANYAN_RETURN_IF_ERROR(ValidateAttributeName(name, limits));
    if (value.type.empty()) {
      return Error(AwsError::kTopicValidation,
                   "1 validation error detected: Value null at 'messageAttributes.", name,
                   ".member.dataType' failed to satisfy constraint: Member must not be null");
    }
    const std::string_view type = value.base_type();
    if (type != "String" && type != "Number" && type != "Binary" && type != "String.Array") {
      return BadAttribute("The message attribute '", name,
                          "' has an invalid message attribute type, the set of supported type "
                          "prefixes is Binary, Number, and String.");
    }
    if (value.value.empty()) {
      return BadAttribute("The message attribute '", name,
                          "' must contain non-empty message attribute value for message attribute "
                          "type '",
                          value.type, "'.");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateBodySize(int64_t bytes, const Limits& limits) {
  if (bytes <= limits.topic.message_bytes_max) return absl::OkStatus();
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: Message too long: ", bytes,
               " bytes; at most ", limits.topic.message_bytes_max, " are allowed");
}

absl::Status ValidatePublish(const PublishRequest& request, const Limits& limits) {
  BANYAN_RETURN_IF_ERROR(ValidateSubject(request.subject, limits));
  if (request.body.empty()) {
    return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: Empty message");
  }
  BANYAN_RETURN_IF_ERROR(ValidateTopicAttributes(request.attributes, limits));
  if (const std::string rule = BrokenTraceRule(request.trace_header); !rule.empty()) {
    return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: trace_header Reason: must ",
                 rule);
  }
  return ValidateBodySize(static_cast<int64_t>(request.body.size() + request.attributes.bytes()),
                          limits);
}

}  // namespace banyan::inline v0_1::internal
