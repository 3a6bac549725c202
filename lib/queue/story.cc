// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/story.cc -- floor 3, the queue room: what a queue tells of its messages for their
// events' stories (message/storyteller.h). Everything here is called only while stories are kept.
#include <algorithm>
#include <string>

#include "base/strings.h"
#include "message/arn_words.h"
#include "queue/core.h"

namespace banyan::inline v0_1::internal {

namespace {

using Kind = StoryStep::Kind;

// What happened at an uptime that lies back, or is now.
Instant Earlier(const Instant& now, int64_t uptime_ns) {
  const int64_t back_ns = std::max<int64_t>(now.uptime_ns - uptime_ns, 0);
  return {.uptime_ns = now.uptime_ns - back_ns, .unix_ns = now.unix_ns - back_ns};
}

}  // namespace

void QueueCore::Tell(Kind kind, const Slot& slot, const Instant& at, std::string_view text,
                     std::string_view destination) const {
  const bool is_of_an_attempt = kind == Kind::kReceived || kind == Kind::kReturned ||
                                kind == Kind::kFailed || kind == Kind::kDeadLettered;
  env_->story->Tell(slot.contents.message->event_id,
                    {.kind = kind,
                     .at = at,
                     .resource = arn_text(),
                     .destination = destination,
                     .message_id = slot.id,
                     .attempt = is_of_an_attempt ? slot.receive_count : 0,
                     .text = text});
}

void QueueCore::TellArrival(const Slot& slot, const Instant& now) const {
  if (slot.state == SlotState::kLeaving) {  // it left, and comes back
    if (redelivering_) return Tell(Kind::kArrived, slot, now, "it could not go back");
    return Tell(Kind::kReturned, slot, now, "the dead-letter queue does not exist");
  }
  // To whom it was sent, it is the event: a delivery, and what a redrive brings, has another id.
  const bool was_sent = !slot.moved_in && slot.id == slot.contents.message->event_id;
  Tell(was_sent ? Kind::kAccepted : Kind::kArrived, slot,
       slot.moved_in ? now : Instant{slot.enqueued_ns, slot.sent_unix_ns});
}

void QueueCore::TellEnd(Change why, const Slot& slot, const Instant& now) const {
  if (why == Change::kSettled) return Tell(Kind::kSettled, slot, now);
  const int64_t end_ns = ExpiresAt(slot);
  if (end_ns > now.uptime_ns) return Tell(Kind::kDropped, slot, now, "to make room for another");
  Tell(Kind::kExpired, slot, Earlier(now, end_ns));
}

void QueueCore::TellOfAll(std::string_view text) const {
  const Instant now = env_->runtime.Read();
  for (SlotIndex i = 0; i < slots_.size(); ++i) {
    if (!slots_.Holds(i)) continue;
    const SlotState state = slots_[i].state;
    if (state == SlotState::kFree || state == SlotState::kLeaving) continue;
    Tell(Kind::kDropped, slots_[i], now, text);
  }
}

}  // namespace banyan::inline v0_1::internal
