// SPDX-License-Identifier: Apache-2.0
#include "consume/message_filter.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/escaping.h"
#include "base/status_macros.h"

namespace banyan::inline v0_1::internal {

namespace {

// All of them strings, as Lambda has them.
void AppendAttributes(std::string* out, const Received& message) {
  ObjectWriter attributes(out);
  for (const auto& [name, value] : message.SystemAttributes()) attributes.Text(name, value);
  attributes.End();
}

void AppendMessageAttributes(std::string* out, const Received& message) {
  ObjectWriter attributes(out);
  for (const auto& [name, value] : message.attributes()) {
    ObjectWriter attribute(attributes.Name(name));
    if (value.base_type() == "Binary") {
      attribute.Text("binaryValue", absl::Base64Escape(value.value));
    } else {
      attribute.Text("stringValue", value.value);
    }
    attribute.Text("dataType", value.type);
    attribute.End();
  }
  attributes.End();
}

}  // namespace

absl::StatusOr<std::unique_ptr<MessageFilter>> MessageFilter::Make(
    absl::Span<const std::string> filters, const Arn& queue, const Limits& limits) {
  BANYAN_ASSIGN_OR_RETURN(std::unique_ptr<RecordFilter> filter,
                          RecordFilter::Make(filters, "body", limits));
  if (filter == nullptr) return nullptr;
  return absl::WrapUnique(new MessageFilter(std::move(filter), queue));
}

MessageFilter::MessageFilter(std::unique_ptr<RecordFilter> filter, const Arn& queue)
    : filter_(std::move(filter)), queue_arn_(queue.ToString()), region_(queue.region) {}

bool MessageFilter::Matches(const Received& message) {
  const auto others = [&](ObjectWriter* record) {
    if (filter_->Wants("messageId")) record->Text("messageId", message.id().ToString());
    if (filter_->Wants("attributes")) AppendAttributes(record->Name("attributes"), message);
    if (filter_->Wants("messageAttributes")) {
      AppendMessageAttributes(record->Name("messageAttributes"), message);
    }
    if (filter_->Wants("eventSource")) record->Text("eventSource", "aws:sqs");
    if (filter_->Wants("eventSourceARN")) record->Text("eventSourceARN", queue_arn_);
    if (filter_->Wants("awsRegion")) record->Text("awsRegion", region_);
  };
  return filter_->Matches(message.body(), others);
}

}  // namespace banyan::inline v0_1::internal
