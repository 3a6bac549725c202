// SPDX-License-Identifier: Apache-2.0
//
// lib/route/rule_target.h -- floor 5: a Target as a rule understands it.
#ifndef BANYAN_LIB_ROUTE_RULE_TARGET_H_
#define BANYAN_LIB_ROUTE_RULE_TARGET_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "banyan/target.h"
#include "deliver/target_input.h"
#include "message/environment.h"
#include "message/sink.h"

namespace banyan::inline v0_1::internal {

class EventBusCore;

struct RuleTarget {
  std::string id;
  Target target;
  std::shared_ptr<Sink> sink;
  std::shared_ptr<const TargetInput> input = nullptr;  // null: the event as it is
};

// Who delivers to one has to give each message a group.
bool IsFifoQueue(const Target& target);

// True if the target, and its dead-letter queue if it has one, live in the broker of `env`. What
// names nothing counts as at home; it is refused for that.
bool IsAtHome(const Target& target, const Environment& env);

// What of a target's fields only rules know, by its name; empty if it has nothing of the kind.
std::string_view FieldForRulesOnly(const Target& target);

// OK, or EventBridge's error: a target of another broker, a bad id, a handle that names nothing, a
// bad retry policy, path, group id or input. `index` counts from 1 and is part of the text;
// `own_bus` is the rule's; null, and another length of the group id, for a schedule.
absl::StatusOr<RuleTarget> ResolveRuleTarget(const Target& target, size_t index,
                                             const EventBusCore* own_bus, const Environment& env,
                                             std::optional<int64_t> group_id_max = std::nullopt);

// Would a rule that has `a` notice if it were given `b`?
bool SameTarget(const Target& a, const Target& b);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_RULE_TARGET_H_
