// SPDX-License-Identifier: Apache-2.0
#include "route/function_record.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "base/json.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

namespace {

void AppendMember(std::string* out, std::string_view key, std::string_view value) {
  if (out->back() != '{') out->push_back(',');
  StrAppend(out, "\"", key, "\":");
  AppendJsonString(out, value);
}

}  // namespace

FunctionRecord::FunctionRecord(std::shared_ptr<const Environment> env, std::string topic_arn)
    : env_(std::move(env)),
      topic_arn_(std::move(topic_arn)),
      signing_(MakeSigning(*env_, nullptr)) {}

std::string FunctionRecord::LambdaEvent(const Message& message,
                                        std::string_view subscription_arn) const {
  std::string text = "{\"Records\":[{";
  AppendMember(&text, "EventSource", "aws:sns");
  AppendMember(&text, "EventVersion", "1.0");
  AppendMember(&text, "EventSubscriptionArn", subscription_arn);
  text.append(",\"Sns\":{");
  AppendMember(&text, "Type", "Notification");
  AppendMember(&text, "MessageId", message.id.ToString());
  AppendMember(&text, "TopicArn", topic_arn_);
  if (message.subject().empty()) {
    text.append(",\"Subject\":null");
  } else {
    AppendMember(&text, "Subject", message.subject());
  }
  AppendMember(&text, "Message", message.body.view());
  AppendMember(&text, "Timestamp", Timestamp(message));
  AppendMember(&text, "SignatureVersion", "1");
  AppendMember(&text, "Signature", signing_.Sign(StringToSign(message, topic_arn_), 1));
  AppendMember(&text, "SigningCertUrl", signing_.certificate_url);
  AppendMember(&text, "UnsubscribeUrl", UnsubscribeUrl(*env_, subscription_arn));
  text.append(",\"MessageAttributes\":{");
  for (const auto& [name, value] : message.attributes) {
    if (text.back() != '{') text.push_back(',');
    AppendJsonString(&text, name);
    text.append(":{");
    AppendMember(&text, "Type", value.type);
    AppendMember(&text, "Value",
                 value.base_type() == "Binary" ? absl::Base64Escape(value.value) : value.value);
    text.push_back('}');
  }
  text.append("}}}]}");
  return text;
}

}  // namespace banyan::inline v0_1::internal
