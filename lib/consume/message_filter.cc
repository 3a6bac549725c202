// SPDX-License-Identifier: Apache-2.0
#include "consume/message_filter.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/escaping.h"
#include "absl/time/time.h"
#include "base/check.h"
#include "base/json.h"
#include "base/strings.h"
#include "message/errors.h"
#include "pattern/packed_rule.h"
#include "pattern/syntax.h"

namespace banyan::inline v0_1::internal {

namespace {

// The bodies that a rule is for (F2).
enum class BodyKind : size_t { kAny, kText, kJson };
constexpr size_t kBodyKinds = 3;

// nullopt: for none; it has conditions on both.
std::optional<BodyKind> KindOf(const SubRule& sub_rule) {
  bool text = false;
  bool json = false;
  for (const Condition& condition : sub_rule.conditions) {
    text = text || condition.path == "body";
    json = json || condition.path.starts_with("body.");
  }
  if (text && json) return std::nullopt;
  if (text) return BodyKind::kText;
  return json ? BodyKind::kJson : BodyKind::kAny;
}

Limits RecordLimits(size_t filter_count, const Limits& limits) {
  Limits ours = limits;
  ours.pattern.bytes_max = limits.consumer.filter_bytes_max;
  ours.pattern.rules_max = static_cast<int64_t>(filter_count * kBodyKinds);
  return ours;
}

Limits BodyLimits(const Limits& limits) {
  Limits ours = limits;
  --ours.pattern.depth_max;
  return ours;
}

// Writes the members of one object.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string* out) : out_(out) { out_->push_back('{'); }

  // Begins a member whose value the caller appends.
  std::string* Name(std::string_view name) {
    if (!first_) out_->push_back(',');
    first_ = false;
    AppendJsonString(out_, name);
    out_->push_back(':');
    return out_;
  }
  void Text(std::string_view name, std::string_view value) { AppendJsonString(Name(name), value); }
  void End() { out_->push_back('}'); }

 private:
  std::string* const out_;
  bool first_ = true;
};

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
  if (filters.empty()) return nullptr;
  if (static_cast<int64_t>(filters.size()) > limits.consumer.filters_max) {
    return Error(AwsError::kFunctionInvalidParameterValue, "Value ", filters.size(),
                 " for parameter Filters is invalid. Reason: There must be at most ",
                 limits.consumer.filters_max, ".");
  }
  auto made = absl::WrapUnique(new MessageFilter(filters.size(), queue, limits));
  for (size_t i = 0; i < filters.size(); ++i) {
    const CompileResult result =
        CompilePattern(filters[i], PatternLanguage::kEventBridge, made->record_limits_);
    if (const auto* error = std::get_if<PatternError>(&result)) {
      return Error(AwsError::kFunctionInvalidParameterValue,
                   "Invalid filter pattern definition. Filter ", i + 1, ": ",
                   EventBridgeStatus(*error, filters[i]).message());
    }
    made->Add(i, *std::get<std::shared_ptr<const CompiledPattern>>(result));
  }
  return made;
}

MessageFilter::MessageFilter(size_t filter_count, const Arn& queue, const Limits& limits)
    : record_limits_(RecordLimits(filter_count, limits)),
      body_limits_(BodyLimits(record_limits_)),
      queue_arn_(queue.ToString()),
      region_(queue.region),
      rules_(record_limits_) {}

void MessageFilter::Add(size_t number, const CompiledPattern& pattern) {
  std::array<std::vector<SubRule>, kBodyKinds> by_kind;
  for (const SubRule& sub_rule : pattern.sub_rules()) {
    const std::optional<BodyKind> kind = KindOf(sub_rule);
    if (!kind.has_value()) continue;
    by_kind[static_cast<size_t>(*kind)].push_back(sub_rule);
    for (const Condition& condition : sub_rule.conditions) {
      wanted_.insert(condition.path.substr(0, condition.path.find('.')));
    }
  }
  for (size_t kind = 0; kind < kBodyKinds; ++kind) {
    if (by_kind[kind].empty()) continue;
    const bool has_room = rules_.Put(
        {.input = RuleInput::kJson,
         .pattern = std::make_shared<CompiledPattern>(
             pattern.text(), pattern.language(), pattern.event_limits(), std::move(by_kind[kind])),
         .id = StrCat(number, "/", kind),
         .keep_text = false,
         .payload = std::make_shared<const BodyKind>(static_cast<BodyKind>(kind))});
    BANYAN_CHECK(has_room, "the index was made with room for all filters");
  }
}

std::string_view MessageFilter::JsonObject(std::string_view body) {
  if (!checker_.Check(body, body_limits_, &body_)) return {};
  const std::string_view object = body_.json();
  const auto end = static_cast<size_t>(object.data() + object.size() - body.data());
  const bool alone = body.find_first_not_of(" \n\r\t", end) == std::string_view::npos;
  return alone ? object : std::string_view();
}

bool MessageFilter::Matches(const Received& message) {
  BodyKind body_kind = BodyKind::kAny;
  std::string text;
  ObjectWriter record(&text);
  if (Wants("messageId")) record.Text("messageId", message.id().ToString());
  if (Wants("body")) {
    const std::string_view body = message.body();
    const std::string_view object = JsonObject(body);
    text.reserve(body.size() + 512);
    if (object.empty()) {
      body_kind = BodyKind::kText;
      record.Text("body", body);
    } else {
      body_kind = BodyKind::kJson;
      record.Name("body")->append(object);
    }
  }
  if (Wants("attributes")) AppendAttributes(record.Name("attributes"), message);
  if (Wants("messageAttributes")) {
    AppendMessageAttributes(record.Name("messageAttributes"), message);
  }
  if (Wants("eventSource")) record.Text("eventSource", "aws:sqs");
  if (Wants("eventSourceARN")) record.Text("eventSourceARN", queue_arn_);
  if (Wants("awsRegion")) record.Text("awsRegion", region_);
  record.End();

  bool matched = false;
  const std::string_view json = text;
  rules_.Match({.event = nullptr, .json = &json, .attributes = nullptr},
               [&matched, body_kind](const PackedRule& rule) {
                 const BodyKind wanted = *static_cast<const BodyKind*>(rule.payload());
                 matched = matched || wanted == BodyKind::kAny || wanted == body_kind;
               });
  return matched;
}

}  // namespace banyan::inline v0_1::internal
