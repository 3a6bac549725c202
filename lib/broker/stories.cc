// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/stories.cc -- floor 6: who asks for an event's story.
#include <optional>
#include <set>
#include <string>

#include "banyan/arn.h"
#include "broker/broker_core.h"
#include "message/errors.h"
#include "queue/core.h"

namespace banyan::inline v0_1::internal {

absl::StatusOr<EventStory> BrokerCore::Story(const Id& id) const {
  if (env_->gate.Look() == Gate::Answer::kForked) return env_->Refusal();
  if (env_->story == nullptr) {
    return Error(AwsError::kTopicInvalidState,
                 "No stories are kept: BrokerOptions::story says of how many events.");
  }
  std::optional<EventStory> story = env_->story->Find(id);
  if (!story.has_value()) {
    return Error(AwsError::kTopicNotFound, "No story of ", id.ToString(),
                 ": there was no such event, or it is forgotten.");
  }
  // What time does to a queue is done when somebody looks.
  std::set<std::string> places;
  for (const StoryStep& step : story->steps) places.insert(step.resource);
  for (const std::string& place : places) {
    const absl::StatusOr<Arn> arn = Arn::Parse(place);
    if (!arn.ok() || arn->service != "sqs") continue;
    const Gate::Pass pass = env_->gate.Enter();
    if (!pass) break;
    if (const std::shared_ptr<QueueCore> queue = FindByArn(*arn)) queue->Stats();
  }
  std::optional<EventStory> now = env_->story->Find(story->event_id);
  return now.has_value() ? *std::move(now) : *std::move(story);
}

StoryStats BrokerCore::StoriesKept() const {
  if (env_->gate.Look() == Gate::Answer::kForked || env_->story == nullptr) return {};
  return env_->story->Stats();
}

}  // namespace banyan::inline v0_1::internal
