// SPDX-License-Identifier: Apache-2.0
//
// Tap: sees every message a broker accepts, before anyone else does. The bridge's door, and a
// place for audits.
//
// A message is accepted when a caller's Publish, Put or Send passed validation. What a topic or a
// bus then delivers into queues and streams of the same broker is not accepted a second time. A
// queue or stream that turns out to be full refuses after the tap has seen the message: its caller
// is told, the tap is not.
//
// Threads   Accepted() runs on the caller's thread, inside its Publish, Put or Send, under no lock
//           of the library; from several threads at once.
// Lifetime  The tap outlives the Broker it was given to. The views live as long as the call; the
//           Payload may be kept.
#ifndef BANYAN_TAP_H_
#define BANYAN_TAP_H_

#include <cstdint>
#include <string_view>

#include "banyan/attributes.h"
#include "banyan/export.h"
#include "banyan/id.h"
#include "banyan/payload.h"
#include "banyan/runtime.h"

namespace banyan::inline v0_1 {

struct AcceptedMessage {
  std::string_view resource_arn;  // the topic, bus, queue or stream that accepted it
  uint64_t sequence = 0;          // 1, 2, 3, ... per resource, in the order of acceptance
  Id event_id;                    // stays with the message over every hop
  std::string_view trace_header;  // as given by the caller; may be empty
  Instant accepted;
  Payload body;                            // of a bus: the event in its envelope
  const Attributes* attributes = nullptr;  // never null
  std::string_view key;                    // of a stream: the partition key
};

enum class TapVerdict {
  kDeliver,   // go on: fan out, store
  kTakeOver,  // the tap answers for it: the broker delivers nothing and reports success
};

class BANYAN_EXPORT Tap {
 public:
  virtual ~Tap() = default;
  virtual TapVerdict Accepted(const AcceptedMessage& message) = 0;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_TAP_H_
