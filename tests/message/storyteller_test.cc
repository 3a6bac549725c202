// SPDX-License-Identifier: Apache-2.0
//
// By which ids stories are found while they grow, lose steps and are forgotten. What they tell:
// tests/broker/story_test.cc.
#include "message/storyteller.h"

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

Id IdOf(uint64_t kind, uint64_t number) {
  Id id;
  id.hi = kind;
  id.lo = number;
  return id;
}
Id Event(uint64_t number) { return IdOf(1, number); }
Id MessageOf(uint64_t number) { return IdOf(2, number); }

StoryFact Accepted() {
  return {.kind = StoryStep::Kind::kAccepted, .at = {}, .resource = "arn:aws:sns:::t"};
}
StoryFact Arrived(const Id& message) {
  return {.kind = StoryStep::Kind::kArrived,
          .at = {},
          .resource = "arn:aws:sqs:::q",
          .message_id = message};
}

TEST(StorytellerTest, AStoryIsFoundByItsEventAndByEachOfItsMessages) {
  Storyteller teller({.events_max = 10});
  teller.Tell(Event(1), Accepted());
  teller.Tell(Event(1), Arrived(MessageOf(7)));
  teller.Tell(Event(1), Arrived(MessageOf(8)));
  teller.Tell(Event(2), Accepted());
  teller.Tell(Event(2), Arrived(Event(2)));
  EXPECT_EQ(teller.Find(MessageOf(7))->event_id, Event(1));
  EXPECT_EQ(teller.Find(MessageOf(8))->event_id, Event(1));
  EXPECT_EQ(teller.Find(Event(2))->event_id, Event(2));
  EXPECT_FALSE(teller.Find(MessageOf(9)).has_value());
  EXPECT_FALSE(teller.Find(Id()).has_value()) << "a step without a message is no way in";
}

TEST(StorytellerTest, AMessageIsForgottenWithTheLastStepThatNamesIt) {
  Storyteller teller({.events_max = 10, .steps_max = 4});
  teller.Tell(Event(1), Accepted());
  teller.Tell(Event(1), Arrived(MessageOf(1)));  // the first half, which stays
  teller.Tell(Event(1), Arrived(MessageOf(2)));
  teller.Tell(Event(1), Arrived(MessageOf(2)));
  teller.Tell(Event(1), Arrived(MessageOf(3)));
  EXPECT_TRUE(teller.Find(MessageOf(2)).has_value()) << "one of its two steps is left";
  teller.Tell(Event(1), Arrived(MessageOf(3)));
  EXPECT_FALSE(teller.Find(MessageOf(2)).has_value());
  EXPECT_TRUE(teller.Find(MessageOf(1)).has_value());
  EXPECT_TRUE(teller.Find(MessageOf(3)).has_value());
}

// What a forgotten story was found by does not stay in the bytes either.
TEST(StorytellerTest, ForgottenStoriesLeaveNothingBehind) {
  Storyteller fresh({.events_max = 1});
  fresh.Tell(Event(2), Accepted());
  Storyteller teller({.events_max = 1, .steps_max = 6});
  teller.Tell(Event(1), Accepted());
  for (uint64_t i = 0; i < 20; ++i) teller.Tell(Event(1), Arrived(MessageOf(i % 7)));
  const int64_t before = teller.Stats().bytes;
  EXPECT_GT(before, fresh.Stats().bytes);
  teller.Tell(Event(2), Accepted());
  EXPECT_EQ(teller.Stats().bytes, fresh.Stats().bytes);
  for (uint64_t i = 0; i < 7; ++i) EXPECT_FALSE(teller.Find(MessageOf(i)).has_value());
  teller.Clear();
  EXPECT_EQ(teller.Stats().bytes, 0);
}

// Against a look at every story that is kept.
TEST(StorytellerTest, EveryMessageOfAKeptStepIsFoundAndNoOther) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    Storyteller teller({.events_max = seed % 4 == 0 ? int64_t{4'096} : 20,  // with many: 16 shards
                        .bytes_max = seed % 2 == 0 ? int64_t{20'000} : int64_t{1} << 20,
                        .steps_max = 2 + static_cast<int64_t>(random() % 10)});
    constexpr uint64_t kEvents = 60, kMessages = 5;  // of an event
    for (int i = 0; i < 2'000; ++i) {
      const uint64_t event = random() % kEvents;
      const uint64_t message = event * kMessages + random() % kMessages;
      teller.Tell(Event(event), random() % 8 == 0 ? Accepted() : Arrived(MessageOf(message)));
    }
    std::set<uint64_t> told;
    for (uint64_t event = 0; event < kEvents; ++event) {
      const std::optional<EventStory> story = teller.Find(Event(event));
      if (!story.has_value()) continue;
      for (const StoryStep& step : story->steps) {
        if (step.message_id != Id()) told.insert(step.message_id.lo);
      }
    }
    ASSERT_FALSE(told.empty());
    for (uint64_t message = 0; message < kEvents * kMessages; ++message) {
      const std::optional<EventStory> story = teller.Find(MessageOf(message));
      ASSERT_EQ(story.has_value(), told.count(message) == 1) << message;
      if (!story.has_value()) continue;
      EXPECT_EQ(story->event_id, Event(message / kMessages));
    }
    EXPECT_LE(teller.Stats().bytes, int64_t{1} << 20);
  }
}

}  // namespace
}  // namespace banyan::internal
