// SPDX-License-Identifier: Apache-2.0
//
// lib/message/storyteller.h -- floor 1: keeps what became of the latest events.
//
//   rooms --Tell--> shard by event id: [story][story] ... oldest forgotten first
//
// Y1  A story begins with an acceptance (or a replay). What is told of an event that has none, since
//     it was forgotten or came before, is not kept: old events must not drive out new ones.
// Y2  A shard holds at most its part of the events and of the bytes. The oldest story goes first; the
//     only one stays, whatever its size, which steps_max bounds.
// Y3  A story is found by its event and by each message in its steps, at the cost of a lookup in each
//     shard. by_message has what the steps that are kept say, and nothing else: it goes with them, and
//     counts among the bytes.
// Y4  Tell() is called under the locks of resources: it takes its shard's lock, and calls nobody.
//
// Why not the Journal: that one tells what must be rebuilt, of messages that rest, by the ids of
// their resources. This one tells of events what people ask, over all hops, and may forget.
//
// Whoever tells looks at Environment::story first, which is null while stories are off.
//
// Threads   Any, all methods.
#ifndef BANYAN_LIB_MESSAGE_STORYTELLER_H_
#define BANYAN_LIB_MESSAGE_STORYTELLER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "banyan/id.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/story.h"

namespace banyan::inline v0_1::internal {

// A StoryStep before it is kept.
struct StoryFact {
  StoryStep::Kind kind;
  Instant at;
  std::string_view resource;
  std::string_view destination = {};
  std::string_view through = {};
  Id message_id = {};
  int64_t attempt = 0;
  std::string_view text = {};
};

class Storyteller {
 public:
  // `options.events_max` is at least 1, the others are in range.
  explicit Storyteller(const StoryOptions& options);

  void Tell(const Id& event_id, const StoryFact& fact);

  // By the event's id, or by a message's.
  std::optional<EventStory> Find(const Id& id) const;
  StoryStats Stats() const;

  // For a broker whose ids begin again.
  void Clear();

 private:
  struct Story {
    Id event_id;
    std::vector<StoryStep> first;  // up to half of steps_max; then the latest
    std::deque<StoryStep> latest;
    int64_t bytes = 0;
    int64_t left_out = 0;
  };
  using Stories = std::list<Story>;  // oldest first
  struct Mentioned {
    Stories::iterator story;  // a message belongs to one event
    int64_t steps = 0;        // of the story's
  };
  struct Shard {
    mutable Mutex mu;
    Stories stories ABSL_GUARDED_BY(mu);
    absl::flat_hash_map<Id, Stories::iterator> by_event ABSL_GUARDED_BY(mu);
    absl::flat_hash_map<Id, Mentioned> by_message ABSL_GUARDED_BY(mu);  // but the event's own id
    int64_t bytes ABSL_GUARDED_BY(mu) = 0;
    int64_t forgotten ABSL_GUARDED_BY(mu) = 0;
  };

  static EventStory Told(const Story& story);
  static void Mention(Shard& shard, Stories::iterator story, const Id& message_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static void Unmention(Shard& shard, Story& story, const Id& message_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static void LeaveOut(Shard& shard, Story& story) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  static void ForgetOldest(Shard& shard, Stories* forgotten)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  Shard& ShardOf(const Id& event_id);

  const size_t steps_max_;
  std::vector<Shard> shards_;
  const int64_t events_max_;  // of a shard
  const int64_t bytes_max_;   // of a shard
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_MESSAGE_STORYTELLER_H_
