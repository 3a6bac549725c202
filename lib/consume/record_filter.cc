// SPDX-License-Identifier: Apache-2.0
#include "consume/record_filter.h"

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/memory/memory.h"
#include "base/check.h"
#include "message/errors.h"
#include "pattern/packed_rule.h"
#include "pattern/syntax.h"

namespace banyan::inline v0_1::internal {

namespace {

// The payloads that a rule is for (F2).
enum class PayloadKind : size_t { kAny, kText, kJson };
constexpr size_t kPayloadKinds = 3;

// nullopt: for none; it has conditions on both.
std::optional<PayloadKind> KindOf(const SubRule& sub_rule, std::string_view payload) {
  bool text = false;
  bool json = false;
  for (const Condition& condition : sub_rule.conditions) {
    const std::string_view path = condition.path;
    if (!path.starts_with(payload)) continue;
    text = text || path.size() == payload.size();
    json = json || (path.size() > payload.size() && path[payload.size()] == '.');
  }
  if (text && json) return std::nullopt;
  if (text) return PayloadKind::kText;
  return json ? PayloadKind::kJson : PayloadKind::kAny;
}

Limits RecordLimits(size_t filter_count, const Limits& limits) {
  Limits ours = limits;
  ours.pattern.bytes_max = limits.consumer.filter_bytes_max;
  ours.pattern.rules_max = static_cast<int64_t>(filter_count * kPayloadKinds);
  return ours;
}

Limits PayloadLimits(const Limits& limits) {
  Limits ours = limits;
  --ours.pattern.depth_max;
  return ours;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RecordFilter>> RecordFilter::Make(
    absl::Span<const std::string> filters, std::string_view payload, const Limits& limits) {
  if (filters.empty()) return nullptr;
  if (static_cast<int64_t>(filters.size()) > limits.consumer.filters_max) {
    return Error(AwsError::kFunctionInvalidParameterValue, "Value ", filters.size(),
                 " for parameter Filters is invalid. Reason: There must be at most ",
                 limits.consumer.filters_max, ".");
  }
  auto made = absl::WrapUnique(new RecordFilter(filters.size(), payload, limits));
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

RecordFilter::RecordFilter(size_t filter_count, std::string_view payload, const Limits& limits)
    : payload_name_(payload),
      record_limits_(RecordLimits(filter_count, limits)),
      payload_limits_(PayloadLimits(record_limits_)),
      rules_(record_limits_) {}

void RecordFilter::Add(size_t number, const CompiledPattern& pattern) {
  std::array<std::vector<SubRule>, kPayloadKinds> by_kind;
  for (const SubRule& sub_rule : pattern.sub_rules()) {
    const std::optional<PayloadKind> kind = KindOf(sub_rule, payload_name_);
    if (!kind.has_value()) continue;
    by_kind[static_cast<size_t>(*kind)].push_back(sub_rule);
    for (const Condition& condition : sub_rule.conditions) {
      wanted_.insert(condition.path.substr(0, condition.path.find('.')));
    }
  }
  for (size_t kind = 0; kind < kPayloadKinds; ++kind) {
    if (by_kind[kind].empty()) continue;
    const bool has_room = rules_.Put(
        {.input = RuleInput::kJson,
         .pattern = std::make_shared<CompiledPattern>(
             pattern.text(), pattern.language(), pattern.event_limits(), std::move(by_kind[kind])),
         .id = StrCat(number, "/", kind),
         .keep_text = false,
         .payload = std::make_shared<const PayloadKind>(static_cast<PayloadKind>(kind))});
    BANYAN_CHECK(has_room, "the index was made with room for all filters");
  }
}

std::string_view RecordFilter::JsonObject(std::string_view payload) {
  if (!checker_.Check(payload, payload_limits_, &payload_)) return {};
  const std::string_view object = payload_.json();
  const auto end = static_cast<size_t>(object.data() + object.size() - payload.data());
  const bool alone = payload.find_first_not_of(" \n\r\t", end) == std::string_view::npos;
  return alone ? object : std::string_view();
}

bool RecordFilter::Matches(std::string_view payload,
                           absl::FunctionRef<void(ObjectWriter*)> others) {
  PayloadKind payload_kind = PayloadKind::kAny;
  std::string text;
  ObjectWriter record(&text);
  if (Wants(payload_name_)) {
    const std::string_view object = JsonObject(payload);
    text.reserve(payload.size() + 512);
    if (object.empty()) {
      payload_kind = PayloadKind::kText;
      record.Text(payload_name_, payload);
    } else {
      payload_kind = PayloadKind::kJson;
      record.Name(payload_name_)->append(object);
    }
  }
  others(&record);
  record.End();

  bool matched = false;
  const std::string_view json = text;
  rules_.Match({.event = nullptr, .json = &json, .attributes = nullptr},
               [&matched, payload_kind](const PackedRule& rule) {
                 const PayloadKind wanted = *static_cast<const PayloadKind*>(rule.payload());
                 matched = matched || wanted == PayloadKind::kAny || wanted == payload_kind;
               });
  return matched;
}

}  // namespace banyan::inline v0_1::internal
