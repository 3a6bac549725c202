// SPDX-License-Identifier: Apache-2.0
//
// lib/message/journal.h -- floor 1: the one place through which every durable change of state
// passes, so that a journal can be put beneath a broker.
//
// A resource reports a change after it decided and before it answers its caller, under the lock
// that orders the resource's changes: replayed in order, the reports rebuild it. There is no
// journal yet; tests put a recorder here and check that nothing is left out.
//
// Subscriptions and rules are resources, too: they hold the deliveries that wait for their target.
// What a target took at once was never held and is not told. A delivery that became pending is
// kAccepted; kSettled when its target took it later, kMoved when its dead-letter queue has it
// (after that queue told its own kAccepted), kExpired when it was dropped. So a delivery may rest
// in two places for a moment, never in none: at least once. Its single attempts are not told; one
// that is rebuilt begins them anew. A rule's deliveries of one event, one per target, have the same
// resource and id: count them. Nothing ends for the journal once the broker has stopped.
#ifndef BANYAN_LIB_MESSAGE_JOURNAL_H_
#define BANYAN_LIB_MESSAGE_JOURNAL_H_

#include <cstdint>
#include <string_view>

#include "banyan/id.h"
#include "banyan/runtime.h"
#include "message/message.h"

namespace banyan::inline v0_1::internal {

enum class Change {
  kAccepted,  // a queue or stream holds a new message; a delivery is pending
  kReceived,  // an attempt began: receive count and deadline changed
  kSettled,   // deleted by a receiver, or purged; a pending delivery was taken by its target
  kMoved,     // left for another queue (dead letter, redrive)
  kExpired,   // retention ended it; a pending delivery was dropped
};

struct ChangeRecord {
  Change change;
  std::string_view resource;  // ARN: of a queue or stream; of a subscription or rule
  Id message_id;              // the resource's own id of the message
  const Message* message;     // null where the id says enough (settled, expired)
  Instant at;
  int64_t receive_count = 0;     // kReceived
  int64_t deadline_ns = 0;       // kReceived: uptime at which it becomes visible again
  std::string_view destination;  // ARN; kMoved: to where. Of a delivery otherwise: its target
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Must not block for long, must not call back into the broker.
  virtual void Append(const ChangeRecord& record) = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_JOURNAL_H_
