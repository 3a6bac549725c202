// SPDX-License-Identifier: Apache-2.0
//
// EventStory: what became of one event, from its acceptance over every hop to its end.
//
//   Broker broker = Broker::Create(*runtime, {.story = {.events_max = 10'000}}).value();
//   Id id = orders.Publish({.body = text}).value().message_id;
//   ...
//   std::printf("%s", broker.Story(id).value().ToString().c_str());
//
//   event 5fea7756-0ea4-451a-a703-a558b933e274, since 2026-01-01T00:00:00Z
//   +0.000 s  topic orders: accepted
//   +0.000 s  topic orders: matched subscription orders:1b2c..., goes to queue billing
//     +0.000 s  queue billing: arrived as message 9c3d90aa-...
//     +2.000 s  queue billing: received, attempt 1
//     +2.100 s  queue billing: settled
//
// Stories are kept in memory and bounded: when there are too many, the oldest are forgotten. They
// cost an allocation and a short lock for each step, and nothing while they are off, which they are
// unless asked for. A story says nothing of filters that stopped the event (whoever publishes meets
// only those that let it pass; ask Topic::Explain), of visibility that was changed, and of records
// that were put into a stream directly.
//
// Threads   Values.
#ifndef BANYAN_STORY_H_
#define BANYAN_STORY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "banyan/export.h"
#include "banyan/id.h"

namespace banyan::inline v0_1 {

struct StoryOptions {
  int64_t events_max = 0;                  // 0: no stories
  int64_t bytes_max = int64_t{256} << 20;  // of all of them, about
  // Of one event. Beyond it steps from the middle are left out, and counted: the beginning says
  // where it went, the end how it is.
  int64_t steps_max = 500;

  friend bool operator==(const StoryOptions&, const StoryOptions&) = default;
};

struct StoryStep {
  enum class Kind {
    kAccepted,      // by what the caller called; or a schedule has fired
    kDuplicate,     // the same was sent again, and answered like this one
    kArrived,       // in a topic, bus, queue or stream that it was delivered or moved to
    kMatched,       // a rule or subscription (`through`) wants it, for `destination`
    kUnmatched,     // none does
    kArchived,      // an archive has kept it; a FIFO topic's has no ARN
    kReplayed,      // a replay puts it on its bus again, or shows it to a subscription (`through`)
    kDelivered,     // the target took it, not at once; of a function: its handler returned OK
    kFailed,        // an attempt failed: a target refused, a handler returned an error (`text`)
    kReceived,      // from a queue
    kReturned,      // the attempt ended without a settlement: it is visible again
    kSettled,       // deleted by a receiver, or purged
    kDeadLettered,  // given up, and goes to the dead-letter queue (`destination`)
    kMoved,         // redriven to `destination`
    kExpired,       // its retention has ended it
    kDropped,       // given up for good, or lost with its queue
  };
  Kind kind = Kind::kAccepted;
  absl::Time time = {};          // on the wall clock
  absl::Duration uptime = {};    // the same moment on the Runtime's other face, which never jumps
  std::string resource = {};     // ARN: of whom this tells
  std::string destination = {};  // ARN; empty where it goes nowhere
  std::string through = {};      // ARN of the rule, subscription or schedule; may be empty
  Id message_id = {};            // the resource's own; zero where it has none
  int64_t attempt = 0;           // 0 where that is no word
  std::string text = {};         // a reason, or a detail; may be empty; cut at 1,024 bytes
};

// "dead-lettered".
BANYAN_EXPORT std::string_view StoryKindName(StoryStep::Kind kind);

struct BANYAN_EXPORT EventStory {
  Id event_id = {};
  std::vector<StoryStep> steps = {};  // in the order of time
  int64_t steps_left_out = 0;

  // As above: each step a line, indented beneath the step that brought the event there. Times count
  // from the first step.
  std::string ToString() const;
};

// What is kept.
struct StoryStats {
  int64_t events = 0;
  int64_t bytes = 0;      // about
  int64_t forgotten = 0;  // events, to make room
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_STORY_H_
