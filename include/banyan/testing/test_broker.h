// SPDX-License-Identifier: Apache-2.0
//
// TestBroker: a Broker that remembers what happened to every message, and assertions that tell it
// when they fail.
//
//   SimulatedRuntime runtime;
//   TestBroker broker(runtime);
//   Queue jobs = broker->CreateQueue("jobs").value();
//   ...
//   EXPECT_THAT(broker, Settled(jobs, BodyIs("resize 17")));
//
// fails like this:
//
//   Expected: a message that has a body that is equal to "resize 17" was settled in jobs
//     Actual: a broker that recorded 4 changes, whose message like that was not:
//       "resize 17", message 5fea7756-..., event 1c3d90aa-...
//         00:00:00.000 jobs: accepted
//         00:00:00.000 jobs: received, attempt 1, hidden until 00:00:30.000
//         00:00:30.000 jobs: moved to jobs-dead
//         00:00:30.000 jobs-dead: accepted
//         00:00:31.000 now: waits in jobs-dead
//
// A message is what one queue or stream accepted; its story goes on in the dead-letter queue. What
// a topic or bus delivers to three queues is three messages of one event, and a redrive, too, makes
// a new message of the same event.
//
// Threads   As the Broker's. The assertions see what was recorded when they began.
// Lifetime  The runtime outlives it. Its Broker reports to it and must not be moved out of it.
// Units     Times are the runtime's uptime, as hours:minutes:seconds.
#ifndef BANYAN_TESTING_TEST_BROKER_H_
#define BANYAN_TESTING_TEST_BROKER_H_

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "banyan/attributes.h"
#include "banyan/broker.h"
#include "banyan/id.h"
#include "banyan/queue.h"
#include "banyan/runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1::testing {

namespace internal {
class FateMatcher;
class Recorder;
}  // namespace internal

// What became of one message so far.
struct MessageStory {
  Id message_id;
  Id event_id;             // kept over every hop
  std::string body;        // without the envelope that a topic's subscriber sees around it
  Attributes attributes;   // of a stream's record: its partition key, as "PartitionKey"
  bool cut_short = false;  // its first changes were dropped, see RecordingOptions

  // In time order: "00:00:30.000 jobs: received, attempt 2, hidden until 00:01:00.000".
  // A message that rests has a last line that says where: "00:00:31.000 now: waits in jobs".
  // Messages of a queue that is deleted end without a line.
  std::vector<std::string> lines;
};

void PrintTo(const MessageStory& story, std::ostream* os);

// What a TestBroker remembers at most. Beyond either bound it drops the oldest changes first, and
// failures say how many.
struct RecordingOptions {
  int64_t changes_max = 100'000;
  int64_t bytes_max = int64_t{256} << 20;  // of the bodies and attributes it copied
};

class TestBroker {
 public:
  // Broker options that Broker::Create would refuse abort, with its reason.
  explicit TestBroker(Runtime& runtime, BrokerOptions options = {},
                      RecordingOptions recording = {});
  ~TestBroker();

  Broker& broker() { return broker_; }
  Broker* operator->() { return &broker_; }

  // Every message that is remembered, in the order of their first changes.
  std::vector<MessageStory> History() const;

  int64_t changes_recorded() const;  // dropped ones among them
  int64_t changes_dropped() const;

 private:
  friend class internal::FateMatcher;

  void BringUpToDate() const;

  Runtime& runtime_;
  const std::unique_ptr<internal::Recorder> recorder_;  // outlives broker_, which reports to it
  Broker broker_;
};

void PrintTo(const TestBroker& broker, std::ostream* os);

// Assertions: at least one message that `message` matches (BodyIs, HasAttribute, ..., or _ for any)
// had this fate. Not() of them: none had.
using StoryMatcher = ::testing::Matcher<const MessageStory&>;
using FateOfMessage = ::testing::Matcher<const TestBroker&>;

// Deleted by a receiver of `queue`, or purged from it.
FateOfMessage Settled(const Queue& queue, StoryMatcher message = ::testing::_);

// Moved into `queue`, as its dead-letter queue or by a redrive; wherever it is now.
FateOfMessage WasMovedTo(const Queue& queue, StoryMatcher message = ::testing::_);

// In `queue` now: visible, delayed or in flight.
FateOfMessage RestsIn(const Queue& queue, StoryMatcher message = ::testing::_);

// Ended in `queue` by its retention.
FateOfMessage ExpiredIn(const Queue& queue, StoryMatcher message = ::testing::_);

}  // namespace banyan::inline v0_1::testing

#endif  // BANYAN_TESTING_TEST_BROKER_H_
