// SPDX-License-Identifier: Apache-2.0
//
// lib/route/event.h -- floor 5: from what a caller puts to the event that rules and targets see.
//
// The envelope's members come in EventBridge's order: version, id, detail-type, source, account,
// time (whole seconds), region, resources, detail. The detail is written without white space; its
// numbers and strings keep their text. An event that came enveloped keeps what else it has: a
// replay-name in its place before resources, unknown members behind detail.
#ifndef BANYAN_LIB_ROUTE_EVENT_H_
#define BANYAN_LIB_ROUTE_EVENT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/event_bus.h"
#include "banyan/id.h"
#include "banyan/rule_set.h"
#include "message/environment.h"

namespace banyan::inline v0_1::internal {

struct Event {
  Id id;
  std::string json;  // in its envelope
  // What is known of the text from checking its parts, so that rules need not check it again.
  // nullopt: nothing.
  std::optional<EventOutline> outline = std::nullopt;
};

// What counts towards the size of a PutEvents.
int64_t EntryBytes(const EventEntry& entry);

// Faults for which the service refuses the whole call: the shape of the request. `index` counts
// from 1 and is part of the text.
absl::Status ValidateEntryShape(const EventEntry& entry, size_t index, const Limits& limits);
absl::Status ValidateEntriesBytes(int64_t bytes, const Limits& limits);
// All of these, and the number of entries. `entry` counts from 0. The call is counted in the
// broker's books, whatever the answer; entries that fail alone are for the caller to count.
absl::Status AdmitEntries(size_t count, absl::FunctionRef<const EventEntry&(size_t)> entry,
                          Environment& env);

// Faults of one entry: a required argument is missing, a text is not UTF-8, a source is reserved,
// the detail is no JSON object.
absl::StatusOr<Event> MakeEvent(const EventEntry& entry, Id id, absl::Time now,
                                const Environment& env);

// `new_id` serves where the event has no id, or one that is no UUID (which its envelope keeps).
absl::StatusOr<Event> ReadEvent(std::string_view event_json, Id new_id, absl::Time now,
                                const Environment& env);

// Why a text is not one JSON object and nothing else, and where: "it is not a JSON object at line
// 1, column 1". Only for texts that are none, so that the way of good events needs no positions.
std::string ObjectFault(std::string_view json, size_t depth_max);

// The refusal of an event in its envelope.
absl::Status NotAnEvent(std::string_view reason);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_EVENT_H_
