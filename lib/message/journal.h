// SPDX-License-Identifier: Apache-2.0
//
// lib/message/journal.h -- floor 1: the one place through which every durable change of state
// passes, so that a journal can be put beneath a broker.
//
// A resource reports a change after it decided and before it answers its caller, under the lock
// that orders the resource's changes: replayed in order, the reports rebuild it. There is no
// journal yet; tests put a recorder here and check that nothing is left out.
#ifndef BANYAN_LIB_MESSAGE_JOURNAL_H_
#define BANYAN_LIB_MESSAGE_JOURNAL_H_

#include <cstdint>
#include <string_view>

#include "banyan/id.h"
#include "banyan/runtime.h"
#include "message/message.h"

namespace banyan::inline v0_1::internal {

enum class Change {
  kAccepted,  // a queue or stream holds a new message
  kReceived,  // an attempt began: receive count and deadline changed
  kSettled,   // deleted by a receiver, or purged
  kMoved,     // left for another queue (dead letter, redrive)
  kExpired,   // retention ended it
};

struct ChangeRecord {
  Change change;
  std::string_view resource;  // ARN
  Id message_id;              // the resource's own id of the message
  const Message* message;     // null where the id says enough (settled, expired)
  Instant at;
  int64_t receive_count = 0;     // kReceived
  int64_t deadline_ns = 0;       // kReceived: uptime at which it becomes visible again
  std::string_view destination;  // kMoved: ARN
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Must not block for long, must not call back into the broker.
  virtual void Append(const ChangeRecord& record) = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_JOURNAL_H_
