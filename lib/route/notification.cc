// SPDX-License-Identifier: Apache-2.0
#include "route/notification.h"

#include "absl/strings/escaping.h"
#include "base/json.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

namespace {

void AppendMemberLine(std::string* out, std::string_view key, std::string_view value) {
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

void AppendSignature(std::string* out, const Signing& signing, int version,
                     std::string_view signature) {
  AppendMemberLine(out, "SignatureVersion", version == 2 ? "2" : "1");
  AppendMemberLine(out, "Signature", signature);
  AppendMemberLine(out, "SigningCertURL", signing.certificate_url);
}

}  // namespace

size_t Notification::Size(const Message& message) const {
  const std::string signature(signing_.size(), '=');
  return Render(message, "", 1, signature).size() - JsonStringSize("") +
         JsonStringSize(message.body.view());
}

size_t Notification::SizeAtMost(const Message& message) const {
  constexpr size_t kEscaped = 6, kEnvelope = 4'096;  // every byte as \u00xx, and what is around it
  return message.bytes() * kEscaped + kEnvelope + signing_.size() +
         signing_.certificate_url.size() + unsubscribe_url_.size();
}

std::string Notification::Render(const Message& message) const {
  const int version = signing_.version();
  return Render(message, message.body.view(), version,
                of_ == Of::kFifoTopic ? std::string()
                                      : signing_.Sign(StringToSign(message, topic_arn_), version));
}

std::string Notification::Render(const Message& message, std::string_view body, int version,
                                 std::string_view signature) const {
  std::string text = "{";
  text.reserve(body.size() + message.attributes.bytes() + signature.size() + 512);
  AppendMemberLine(&text, "Type", "Notification");
  AppendMemberLine(&text, "MessageId", message.id.ToString());
  if (of_ == Of::kFifoTopic) {
    AppendMemberLine(&text, "SequenceNumber", StrCat(message.sequence_number()));
  }
  AppendMemberLine(&text, "TopicArn", topic_arn_);
  if (!message.subject().empty()) AppendMemberLine(&text, "Subject", message.subject());
  AppendMemberLine(&text, "Message", body);
  AppendMemberLine(&text, "Timestamp", Timestamp(message));
  if (of_ == Of::kStandardTopic) AppendSignature(&text, signing_, version, signature);
  AppendMemberLine(&text, "UnsubscribeURL", unsubscribe_url_);
  if (!message.attributes.empty()) AppendAttributes(&text, message.attributes);
  text.append("\n}");
  return text;
}

Payload HandshakeNotice::Body(const Message& message) const {
  const std::string id = message.id.ToString();
  const std::string timestamp = Timestamp(message);
  const std::string_view type = Type(kind_);
  const int version = signing_.version();
  const std::string signature =
      signing_.Sign(StrCat("Message\n", message.body.view(), "\nMessageId\n", id,
                           "\nSubscribeURL\n", subscribe_url_, "\nTimestamp\n", timestamp,
                           "\nToken\n", token_, "\nTopicArn\n", topic_arn_, "\nType\n", type, "\n"),
                    version);
  std::string text = "{";
  AppendMemberLine(&text, "Type", type);
  AppendMemberLine(&text, "MessageId", id);
  AppendMemberLine(&text, "Token", token_);
  AppendMemberLine(&text, "TopicArn", topic_arn_);
  AppendMemberLine(&text, "Message", message.body.view());
  AppendMemberLine(&text, "SubscribeURL", subscribe_url_);
  AppendMemberLine(&text, "Timestamp", timestamp);
  AppendSignature(&text, signing_, version, signature);
  text.append("\n}");
  return Payload(text);
}

std::string HandshakeText(HandshakeNotice::Kind kind, std::string_view arn) {
  if (kind == HandshakeNotice::Kind::kSubscription) {
    return StrCat("You have chosen to subscribe to the topic ", arn,
                  ".\nTo confirm the subscription, visit the SubscribeURL included in this "
                  "message.");
  }
  return StrCat("You have chosen to deactivate subscription ", arn,
                ".\nTo cancel this operation and restore the subscription, visit the SubscribeURL "
                "included in this message.");
}

}  // namespace banyan::inline v0_1::internal
