// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/explain_path.h -- floor 2: a path has no field. What did its author mean?
//
// Linear in the event's size, but for the number of segments of the path.
#ifndef BANYAN_LIB_PATTERN_EXPLAIN_PATH_H_
#define BANYAN_LIB_PATTERN_EXPLAIN_PATH_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "pattern/event_fields.h"

namespace banyan::inline v0_1::internal {

struct PathHint {
  bool stands_there = false;  // something does stand at the path, only no field
  std::string clause = {};    // "`detail.State` exists"; empty if nothing similar is there
};

PathHint NearestPath(std::string_view path, const EventFields& fields);

// The part of `path` that leads to `node`, which lies on it.
std::string_view PathTo(uint32_t node, std::string_view path, const EventFields& fields);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_EXPLAIN_PATH_H_
