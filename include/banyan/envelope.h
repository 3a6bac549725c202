// SPDX-License-Identifier: Apache-2.0
//
// What lies inside the envelope that a topic or a bus puts around an event.
//
//   {"Type": "Notification", ..., "Message": "what was published"}     a topic's subscriber
//   {..., "detail-type": "OrderPlaced", ..., "detail": {"id": "o-1"}}     a rule's target
//
// For receivers behind queues and streams that want the event alone. A raw subscription needs
// none of it, and a function behind a topic gets what was published.
//
// Threads   Functions of their arguments.
// Lifetime  Views point into the text that was given.
// Errors    kInvalidArgument: not such an envelope, with the reason and, where there is one, the
//           place.
#ifndef BANYAN_ENVELOPE_H_
#define BANYAN_ENVELOPE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "banyan/export.h"

namespace banyan::inline v0_1 {

// The message as it was published.
// Source  docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
BANYAN_EXPORT absl::StatusOr<std::string> UnwrapNotification(std::string_view notification);

struct UnwrappedEvent {
  std::string source;
  std::string detail_type;
  std::string_view detail;  // a JSON object, as it stands in the event
};

// Source  docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
BANYAN_EXPORT absl::StatusOr<UnwrappedEvent> UnwrapEvent(std::string_view event);

}  // namespace banyan::inline v0_1

#endif  // BANYAN_ENVELOPE_H_
