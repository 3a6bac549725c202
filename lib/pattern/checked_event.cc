// SPDX-License-Identifier: Apache-2.0
#include "banyan/rule_set.h"
#include "pattern/event_checker.h"

namespace banyan::inline v0_1 {

absl::StatusOr<CheckedEvent> CheckedEvent::Check(std::string_view json, const Limits& limits) {
  internal::EventChecker checker;
  CheckedEvent event;
  absl::Status status;
  if (!checker.Check(json, limits, &event, &status)) return status;
  return event;
}

}  // namespace banyan::inline v0_1
