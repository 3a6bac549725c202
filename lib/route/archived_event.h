// SPDX-License-Identifier: Apache-2.0
//
// lib/route/archived_event.h -- floor 5: what an archive reads in an event, and what a replay writes
// into it.
//
// The events of a bus are in EventBridge's envelope with its members in one order (event.h), so
// none of this parses more than the head of the text.
#ifndef BANYAN_LIB_ROUTE_ARCHIVED_EVENT_H_
#define BANYAN_LIB_ROUTE_ARCHIVED_EVENT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "banyan/runtime.h"
#include "message/message.h"

namespace banyan::inline v0_1::internal {

struct EventHead {
  int64_t unix_seconds;      // the event's time
  bool has_replay_name;      // says of itself that it is a replayed one
  size_t replay_name_place;  // where in the text that member is or would be: behind region
};
EventHead ReadEventHead(std::string_view event_json);

// What an event counts for in SizeBytes of an archive. AWS says nowhere how it counts; ten events
// on record came to 1,590. Those had 27 characters each of source and detail type, 79 of detail
// without white space, and an account of 12: with 14 for the time, as in a PutEvents, that makes
// 159. (With a detail as it was put, 85, and 20 for the time's text it makes 159, too; but that
// text is not kept.) So this is the text of the event without the names of the members and what all
// events have alike: version, id, region. Resources count as they are written.
int64_t ArchivedSize(std::string_view event_json, std::string_view region);

// The event as a replay puts it: a message of its own, with the replay's name in the text; id, event
// id and trace header stay. `name` has only characters that JSON takes as they are.
MessageRef MakeReplayed(const Message& archived, std::string_view name, const Instant& now);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_ARCHIVED_EVENT_H_
