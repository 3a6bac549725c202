// SPDX-License-Identifier: Apache-2.0
#include "route/publish_rules.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "deliver/delivery_policy.h"
#include "message/errors.h"
#include "message/trace_rules.h"
#include "queue/json_members.h"
#include "route/topic_attributes.h"

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

// "must be UTF-8; its byte 3 is 0xFF", or empty. The text is not shown: it is none.
std::string BrokenUtf8(std::string_view text) {
  const std::optional<size_t> bad = FirstBadUtf8(text);
  if (!bad.has_value()) return {};
  return absl::StrFormat("must be UTF-8; its byte %d is 0x%02X", *bad + 1,
                         static_cast<unsigned char>(text[*bad]));
}

// Control characters pass, as SNS does not forbid them.
absl::Status ValidateBody(std::string_view body) {
  if (body.empty()) {
    return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: Empty message");
  }
  const std::string broken = BrokenUtf8(body);
  if (broken.empty()) return absl::OkStatus();
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: Message Reason: ", broken);
}

absl::Status ValidateId(std::string_view parameter, std::string_view id) {
  constexpr size_t kIdMax = 128;
  const bool is_good =
      !id.empty() && id.size() <= kIdMax &&
      std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < '\x7F'; });
  if (is_good) return absl::OkStatus();
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: ", parameter,
               " Reason: can only include alphanumeric and punctuation characters, 1 to ", kIdMax,
               " of them");
}

// Ids that a FIFO topic cannot do without.
absl::Status ValidateFifoIds(const PublishRequest& request, const TopicKind& topic) {
  if (!topic.fifo) return absl::OkStatus();
  if (request.message_group_id.empty()) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: The MessageGroupId parameter is required for FIFO topics");
  }
  if (request.message_deduplication_id.empty() && !topic.content_based_deduplication) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: The topic should either have ContentBasedDeduplication "
                 "enabled or MessageDeduplicationId provided explicitly");
  }
  return absl::OkStatus();
}

absl::Status ValidateIds(const PublishRequest& request, const TopicKind& topic) {
  BANYAN_RETURN_IF_ERROR(ValidateFifoIds(request, topic));
  if (!topic.fifo && !request.message_deduplication_id.empty()) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: MessageDeduplicationId Reason: The request includes "
                 "MessageDeduplicationId parameter that is not valid for this topic type");
  }
  if (!request.message_group_id.empty()) {
    BANYAN_RETURN_IF_ERROR(ValidateId("MessageGroupId", request.message_group_id));
  }
  if (!request.message_deduplication_id.empty()) {
    BANYAN_RETURN_IF_ERROR(ValidateId("MessageDeduplicationId", request.message_deduplication_id));
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

absl::Status ValidateTopicName(std::string_view name, bool fifo, const Limits& limits) {
  constexpr std::string_view kFifoEnd = ".fifo";
  std::string_view stem = name;
  if (fifo && name.ends_with(kFifoEnd)) stem.remove_suffix(kFifoEnd.size());
  const bool valid = !stem.empty() && static_cast<int64_t>(name.size()) <= limits.topic.name_max &&
                     std::all_of(stem.begin(), stem.end(),
                                 [](char c) { return IsAlphanumeric(c) || c == '-' || c == '_'; });
  if (valid && fifo == (stem.size() < name.size())) return absl::OkStatus();
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: Topic Name Reason: \"", name,
               "\" is not 1 to ", limits.topic.name_max,
               " letters, digits, hyphens and underscores",
               fifo ? " with \".fifo\" at their end, which a FIFO topic's name has" : "");
}

namespace {

absl::Status ValidateArchive(const TopicOptions& options) {
  constexpr std::string_view kPrefix = "Invalid parameter: Attributes Reason: ArchivePolicy: ";
  constexpr int64_t kBytesMax = int64_t{1} << 62;
  const absl::Duration retention = options.archive_retention;
  if (retention != absl::ZeroDuration() && !options.fifo) {
    return Error(AwsError::kTopicInvalidParameter, kPrefix, "is for FIFO topics only");
  }
  const int64_t days = retention / absl::Hours(24);
  if (retention != days * absl::Hours(24) || days < 0 || days > 365) {
    return Error(AwsError::kTopicInvalidParameter, kPrefix,
                 "MessageRetentionPeriod must be 1 to 365 days, not ",
                 absl::FormatDuration(retention));
  }
  if (options.archive_bytes_max < 1 || options.archive_bytes_max > kBytesMax) {
    return Error(AwsError::kTopicInvalidParameter, kPrefix, "archive_bytes_max must be 1 to ",
                 kBytesMax, ", not ", options.archive_bytes_max);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateTopicOptions(const TopicOptions& options) {
  const int64_t characters = CountPrintable(options.display_name);
  if (characters < 0 || characters > kDisplayNameMax) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: DisplayName Reason: must be at most ", kDisplayNameMax,
                 " characters of UTF-8 without control characters");
  }
  if (!options.fifo && options.content_based_deduplication) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Attributes Reason: ContentBasedDeduplication is for FIFO "
                 "topics only");
  }
  if (!options.fifo && options.fifo_throughput_scope != FifoThroughputScope::kTopic) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Attributes Reason: FifoThroughputScope is for FIFO topics "
                 "only");
  }
  BANYAN_RETURN_IF_ERROR(ValidateArchive(options));
  if (options.signature_version != 1 && options.signature_version != 2) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: SignatureVersion: Invalid value [", options.signature_version,
                 "]. Must be 1 or 2");
  }
  BANYAN_RETURN_IF_ERROR(ValidateTopicPolicy(options.policy));
  if (!options.tracing_config.empty() && options.tracing_config != "Active" &&
      options.tracing_config != "PassThrough") {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: TracingConfig: Invalid value [", options.tracing_config,
                 "]. Must be Active or PassThrough.");
  }
  return ParseTopicDeliveryPolicy(options.delivery_policy, "Invalid parameter: ").status();
}

absl::Status ValidateReplayPolicy(const ReplayPolicy& policy, absl::Time now) {
  if (policy.starting_point > now) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: ReplayPolicy: StartingPoint must not be in the future");
  }
  if (policy.ending_point.has_value() && *policy.ending_point <= policy.starting_point) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: ReplayPolicy: EndingPoint must be after StartingPoint");
  }
  return absl::OkStatus();
}

absl::Status ValidateTopicAttributes(const Attributes& attributes, const Limits& limits,
                                     std::string_view place) {
  for (const auto& [name, value] : attributes) {
    BANYAN_RETURN_IF_ERROR(ValidateAttributeName(name, limits));
    if (value.type.empty()) {
      return Error(AwsError::kTopicValidation, "1 validation error detected: Value null at '",
                   place, "messageAttributes.", name,
                   ".member.dataType' failed to satisfy constraint: Member must not be null");
    }
    const std::string_view type = value.base_type();
    if ((type != "String" && type != "Number" && type != "Binary" && type != "String.Array") ||
        FirstBadUtf8(value.type).has_value()) {
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
    const std::string broken = BrokenUtf8(type == "Binary" ? std::string_view() : value.value);
    if (!broken.empty()) {
      return BadAttribute("The message attribute '", name, "' ", broken, ".");
    }
  }
  return absl::OkStatus();
}

int64_t BytesOf(const PublishRequest& request) {
  return static_cast<int64_t>(request.body.size() + request.attributes.bytes());
}

absl::Status ValidateBodySize(int64_t bytes, const Limits& limits) {
  if (bytes <= limits.topic.message_bytes_max) return absl::OkStatus();
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: Message too long: ", bytes,
               " bytes; at most ", limits.topic.message_bytes_max, " are allowed");
}

absl::StatusOr<MessageStructure> ReadMessageStructure(std::string_view body) {
  const std::optional<std::vector<JsonMember>> members = ReadJsonObject(body);
  if (!members.has_value()) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Message Structure - JSON message body failed to parse");
  }
  // Of two members with one name the last counts; AWS's pages call two an error, AWS takes them. An
  // empty text is a text like others, and is delivered ("the empty string is allowed").
  const auto text_of = [&members](std::string_view name) -> std::optional<std::string> {
    const JsonMember* member = FindMember(*members, name);
    if (member == nullptr || member->kind != JsonToken::kString) return std::nullopt;
    return member->text;
  };
  std::optional<std::string> others = text_of("default");
  if (!others.has_value()) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Message Structure - No default entry in JSON message body");
  }
  MessageStructure structure = {.others = *std::move(others), .of_protocol = {}};
  for (const Protocol protocol : kProtocols) {
    structure.of_protocol[static_cast<size_t>(protocol)] = text_of(ProtocolName(protocol));
  }
  // The text of an escape may be half a surrogate pair, which no UTF-8 can say.
  bool is_utf8 = !FirstBadUtf8(structure.others).has_value();
  for (const std::optional<std::string>& text : structure.of_protocol) {
    is_utf8 = is_utf8 && (!text.has_value() || !FirstBadUtf8(*text).has_value());
  }
  if (!is_utf8) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Message Structure - JSON message body failed to parse");
  }
  return structure;
}

absl::Status ValidateBatchPublish(absl::Span<const PublishRequest> requests, const TopicKind& topic,
                                  const Limits& limits) {
  if (requests.empty()) {
    return Error(AwsError::kTopicEmptyBatch, "The batch request doesn't contain any entries.");
  }
  if (static_cast<int64_t>(requests.size()) > limits.topic.batch_entries_max) {
    return Error(AwsError::kTopicTooManyEntriesInBatch,
                 "The batch request contains more entries than permissible.");
  }
  int64_t bytes = 0;
  int64_t number = 0;
  for (const PublishRequest& request : requests) {
    BANYAN_RETURN_IF_ERROR(ValidateTopicAttributes(
        request.attributes, limits, StrCat("publishBatchRequestEntries.", ++number, ".member.")));
    BANYAN_RETURN_IF_ERROR(ValidateFifoIds(request, topic));
    if (request.json_structure) {
      BANYAN_RETURN_IF_ERROR(ReadMessageStructure(request.body.view()).status());
    }
    bytes += BytesOf(request);
  }
  if (bytes > limits.topic.message_bytes_max) {
    return Error(AwsError::kTopicBatchTooLong,
                 "The length of all the messages put together is more than the limit.");
  }
  return absl::OkStatus();
}

absl::Status ValidatePublish(const PublishRequest& request, const TopicKind& topic,
                             const Limits& limits) {
  BANYAN_RETURN_IF_ERROR(ValidateSubject(request.subject, limits));
  BANYAN_RETURN_IF_ERROR(ValidateBody(request.body.view()));
  BANYAN_RETURN_IF_ERROR(ValidateTopicAttributes(request.attributes, limits));
  if (const std::string rule = BrokenTraceRule(request.trace_header); !rule.empty()) {
    return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: trace_header Reason: must ",
                 rule);
  }
  BANYAN_RETURN_IF_ERROR(ValidateBodySize(BytesOf(request), limits));
  BANYAN_RETURN_IF_ERROR(ValidateIds(request, topic));
  if (!request.json_structure) return absl::OkStatus();
  return ReadMessageStructure(request.body.view()).status();
}

}  // namespace banyan::inline v0_1::internal
