// SPDX-License-Identifier: Apache-2.0
#include "banyan/target.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "banyan/topic.h"
#include "base/mix.h"
#include "base/status_macros.h"
#include "deliver/function_core.h"
#include "deliver/json_path.h"
#include "deliver/retry.h"
#include "deliver/stream_target.h"
#include "message/errors.h"
#include "queue/core.h"
#include "route/rule_target.h"
#include "route/topic_core.h"
#include "stream/core.h"

namespace banyan::inline v0_1 {

Target::Target(const Topic& topic) : to_(topic.core()) {}

namespace internal {

namespace {

constexpr size_t kTargetIdMax = 64;

bool IsIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

// "queue.billing". A name too long for an id is cut and ends in a hash of the whole.
std::string DefaultId(std::string_view kind, std::string_view name) {
  std::string id = StrCat(kind, ".", name);
  if (id.size() <= kTargetIdMax) return id;
  uint64_t hash = 0;
  for (char c : name) hash = Mix64(hash + kMixStep + static_cast<unsigned char>(c));
  id.resize(kTargetIdMax - 17);
  return StrCat(id, "-", absl::StrFormat("%016x", hash));
}

absl::Status ValidateTargetId(std::string_view id, size_t index) {
  if (!std::all_of(id.begin(), id.end(), IsIdCharacter)) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '", id,
                 "' at 'targets.", index,
                 ".member.id' failed to satisfy constraint: Member must satisfy regular expression "
                 "pattern: [\\.\\-_A-Za-z0-9]+");
  }
  if (id.size() > kTargetIdMax) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '", id,
                 "' at 'targets.", index,
                 ".member.id' failed to satisfy constraint: Member must have length less than or "
                 "equal to ",
                 kTargetIdMax);
  }
  return absl::OkStatus();
}

absl::Status BadTarget(std::string_view id, std::string_view reason) {
  return Error(AwsError::kBusValidation, "Parameter Target is not valid for target ", id,
               ". Reason: ", reason);
}

}  // namespace

bool IsFifoQueue(const Target& target) {
  const Queue* queue = std::get_if<Queue>(&target.to());
  return queue != nullptr && queue->core() != nullptr && queue->core()->fifo();
}

bool IsAtHome(const Target& target, const Environment& env) {
  const auto at_home = [&env](const auto& core) {
    return core == nullptr || core->env().get() == &env;
  };
  const bool destination_at_home = std::visit(
      [&at_home](const auto& to) {
        if constexpr (requires { to.core(); }) {
          return at_home(to.core());
        } else {
          return at_home(to);
        }
      },
      target.to());
  return destination_at_home &&
         (!target.dead_letter().has_value() || at_home(target.dead_letter()->core()));
}

absl::StatusOr<RuleTarget> ResolveRuleTarget(const Target& target, size_t index,
                                             const Environment& env) {
  RuleTarget resolved = {.id = target.id(), .target = target, .sink = nullptr};
  std::string_view kind, name;
  std::optional<JsonPath> key_path;
  bool bad_key_path = false;  // told below, where the target has its id
  if (const Queue* queue = std::get_if<Queue>(&target.to())) {
    kind = "queue", name = queue->name(), resolved.sink = queue->core();
  } else if (const Function* function = std::get_if<Function>(&target.to())) {
    kind = "function", name = function->name(), resolved.sink = function->core();
  } else if (const auto* topic = std::get_if<std::shared_ptr<TopicCore>>(&target.to())) {
    kind = "topic", resolved.sink = *topic;
    if (*topic != nullptr) name = (*topic)->name();
  } else {
    const Stream& stream = std::get<Stream>(target.to());
    kind = "stream", name = stream.name();
    if (!target.partition_key_path().empty()) {
      key_path = JsonPath::Parse(target.partition_key_path());
      bad_key_path = !key_path.has_value();
    }
    if (stream.core() != nullptr) {
      resolved.sink = std::make_shared<StreamTarget>(stream.core(), std::move(key_path));
    }
  }
  if (resolved.id.empty()) resolved.id = DefaultId(kind, name);
  BANYAN_RETURN_IF_ERROR(ValidateTargetId(resolved.id, index));
  if (resolved.sink == nullptr) return BadTarget(resolved.id, "The handle names nothing.");
  if (bad_key_path) {
    return BadTarget(resolved.id, StrCat("\"", target.partition_key_path(),
                                         "\" is not a path like $.detail.order.id."));
  }
  if (IsFifoQueue(target)) {
    return BadTarget(resolved.id,
                     "A FIFO queue needs a MessageGroupId, which targets cannot give yet.");
  }
  if (target.dead_letter().has_value() && target.dead_letter()->core() != nullptr &&
      target.dead_letter()->core()->fifo()) {
    return BadTarget(resolved.id, "The dead-letter queue of a rule is a standard queue.");
  }
  if (!target.partition_key_path().empty() && !std::holds_alternative<Stream>(target.to())) {
    return BadTarget(resolved.id, "PartitionKeyPath is for streams only.");
  }
  if (target.dead_letter().has_value() && target.dead_letter()->core() == nullptr) {
    return BadTarget(resolved.id, "The dead-letter handle names no queue.");
  }
  if (!IsAtHome(target, env)) {
    return BadTarget(resolved.id, "It, or its dead-letter queue, belongs to another broker.");
  }
  if (target.retry().has_value()) {
    BANYAN_RETURN_IF_ERROR(
        ValidateRetryPolicy(*target.retry(), BusRetryLimits(), AwsError::kBusValidation));
  }
  return resolved;
}

bool SameTarget(const Target& a, const Target& b) {
  return a.to() == b.to() && a.retry() == b.retry() && a.dead_letter() == b.dead_letter() &&
         a.partition_key_path() == b.partition_key_path();
}

}  // namespace internal

}  // namespace banyan::inline v0_1
