// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/event_limits.h -- floor 2: how large an event may be that patterns look at.
#ifndef BANYAN_LIB_PATTERN_EVENT_LIMITS_H_
#define BANYAN_LIB_PATTERN_EVENT_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "banyan/limits.h"

namespace banyan::inline v0_1::internal {

// What Limits::pattern says of events. A pattern keeps these and not all of the limits.
struct EventLimits {
  explicit EventLimits(const Limits& limits = Limits::Aws())
      : bytes_max(limits.pattern.event_bytes_max),
        names_max(limits.pattern.event_names_max),
        depth_max(static_cast<size_t>(limits.pattern.depth_max)) {}

  int64_t bytes_max;
  int64_t names_max;
  size_t depth_max;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_EVENT_LIMITS_H_
