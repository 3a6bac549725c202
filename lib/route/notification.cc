// SPDX-License-Identifier: Apache-2.0
#include "route/notification.h"

#include "absl/strings/escaping.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

namespace {

void AppendMember(std::string* out, std::string_view key, std::string_view value) {
  StrAppend(out, out->size() == 1 ? "\n  \"" : ",\n  \"", key, "\" : ");
  AppendJsonString(out, value);
}

void AppendAttributes(std::string* out, const Attributes& attributes) {
  out->append(",\n  \"MessageAttributes\" : {");
  bool first = true;
  for (const auto& [name, value] : attributes) {
    out->append(first ? "\n    " : ",\n    ");
    first = false;
    AppendJsonString(out, name);
    out->append(" : {\"Type\":");
    AppendJsonString(out, value.type);
    out->append(",\"Value\":");
    AppendJsonString(out,
                     value.base_type() == "Binary" ? absl::Base64Escape(value.value) : value.value);
    out->push_back('}');
  }
  out->append("\n  }");
}

}  // namespace

size_t Notification::Size(const Message& message) const {
  return Render(message, "").size() - JsonStringSize("") + JsonStringSize(message.body.view());
}

size_t Notification::SizeAtMost(const Message& message) const {
  constexpr size_t kEscaped = 6, kEnvelope = 4'096;  // every byte as \u00xx, and what is around it
  return message.bytes() * kEscaped + kEnvelope;
}

std::string Notification::Render(const Message& message) const {
  return Render(message, message.body.view());
}

std::string Notification::Render(const Message& message, std::string_view body) const {
  std::string text = "{";
  text.reserve(body.size() + message.attributes.bytes() + 512);
  AppendMember(&text, "Type", "Notification");
  AppendMember(&text, "MessageId", message.id.ToString());
  if (of_ == Of::kFifoTopic) {
    AppendMember(&text, "SequenceNumber", StrCat(message.sequence_number()));
  }
  AppendMember(&text, "TopicArn", topic_arn_);
  if (!message.subject().empty()) AppendMember(&text, "Subject", message.subject());
  AppendMember(&text, "Message", body);
  AppendMember(
      &text, "Timestamp",
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", message.accepted.time(), absl::UTCTimeZone()));
  if (of_ == Of::kStandardTopic) {
    AppendMember(&text, "SignatureVersion", "1");
    AppendMember(&text, "Signature", "");
    AppendMember(&text, "SigningCertURL", "");
  }
  AppendMember(&text, "UnsubscribeURL", "");
  if (!message.attributes.empty()) AppendAttributes(&text, message.attributes);
  text.append("\n}");
  return text;
}

}  // namespace banyan::inline v0_1::internal
