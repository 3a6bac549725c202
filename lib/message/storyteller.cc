// SPDX-License-Identifier: Apache-2.0
#include "message/storyteller.h"

#include <algorithm>
#include <string>
#include <utility>

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kTextMax = 1'024;

// With few stories one shard, so that it is the oldest of all that is forgotten.
size_t ShardsFor(int64_t events_max) { return events_max >= 4'096 ? 16 : 1; }

StoryStep Kept(const StoryFact& fact) {
  return {.kind = fact.kind,
          .time = fact.at.time(),
          .uptime = fact.at.uptime(),
          .resource = std::string(fact.resource),
          .destination = std::string(fact.destination),
          .through = std::string(fact.through),
          .message_id = fact.message_id,
          .attempt = fact.attempt,
          .text = std::string(fact.text.substr(0, kTextMax))};
}

// What a story costs besides its steps: the list's and the map's part.
constexpr int64_t kStoryBytes = 256;
// What it costs that it can be found by one more message.
constexpr int64_t kMentionBytes = 64;

int64_t BytesOf(const StoryStep& step) {
  return static_cast<int64_t>(sizeof(StoryStep) + step.resource.size() + step.destination.size() +
                              step.through.size() + step.text.size());
}

bool Begins(StoryStep::Kind kind) {
  return kind == StoryStep::Kind::kAccepted || kind == StoryStep::Kind::kReplayed;
}

}  // namespace

Storyteller::Storyteller(const StoryOptions& options)
    : steps_max_(static_cast<size_t>(options.steps_max)),
      shards_(ShardsFor(options.events_max)),
      events_max_(options.events_max / static_cast<int64_t>(shards_.size())),
      bytes_max_(options.bytes_max / static_cast<int64_t>(shards_.size())) {}

Storyteller::Shard& Storyteller::ShardOf(const Id& event_id) {
  return shards_[event_id.lo % shards_.size()];
}

void Storyteller::Tell(const Id& event_id, const StoryFact& fact) {
  StoryStep step = Kept(fact);
  Stories forgotten;  // dies after the lock
  Shard& shard = ShardOf(event_id);
  MutexLock lock(&shard.mu);
  auto known = shard.by_event.find(event_id);
  if (known == shard.by_event.end()) {
    if (!Begins(fact.kind)) return;  // Y1
    shard.stories.emplace_back();
    shard.stories.back().event_id = event_id;
    shard.stories.back().bytes = kStoryBytes;
    shard.bytes += kStoryBytes;
    known = shard.by_event.emplace(event_id, std::prev(shard.stories.end())).first;
  }
  Story& story = *known->second;
  Mention(shard, known->second, step.message_id);
  const int64_t bytes = BytesOf(step);
  if (story.first.size() < steps_max_ / 2) {
    story.first.push_back(std::move(step));
  } else {
    story.latest.push_back(std::move(step));
  }
  story.bytes += bytes;
  shard.bytes += bytes;
  if (story.first.size() + story.latest.size() > steps_max_) LeaveOut(shard, story);
  while (shard.stories.size() > 1 &&
         (static_cast<int64_t>(shard.stories.size()) > events_max_ || shard.bytes > bytes_max_)) {
    ForgetOldest(shard, &forgotten);
  }
}

// Y2. It may be the one that is told of: then what comes later finds none.
void Storyteller::ForgetOldest(Shard& shard, Stories* forgotten) {
  Story& oldest = shard.stories.front();
  for (const StoryStep& step : oldest.first) Unmention(shard, oldest, step.message_id);
  for (const StoryStep& step : oldest.latest) Unmention(shard, oldest, step.message_id);
  shard.by_event.erase(oldest.event_id);
  shard.bytes -= oldest.bytes;
  ++shard.forgotten;
  forgotten->splice(forgotten->end(), shard.stories, shard.stories.begin());
}

void Storyteller::Mention(Shard& shard, Stories::iterator story, const Id& message_id) {
  if (message_id == Id() || message_id == story->event_id) return;
  const auto [found, is_new] = shard.by_message.try_emplace(message_id, Mentioned{story});
  if (found->second.story != story) return;
  ++found->second.steps;
  if (!is_new) return;
  story->bytes += kMentionBytes;
  shard.bytes += kMentionBytes;
}

void Storyteller::Unmention(Shard& shard, Story& story, const Id& message_id) {
  const auto found = shard.by_message.find(message_id);
  if (found == shard.by_message.end() || &*found->second.story != &story) return;
  if (--found->second.steps > 0) return;
  shard.by_message.erase(found);
  story.bytes -= kMentionBytes;
  shard.bytes -= kMentionBytes;
}

void Storyteller::LeaveOut(Shard& shard, Story& story) {
  const int64_t bytes = BytesOf(story.latest.front());
  Unmention(shard, story, story.latest.front().message_id);
  story.latest.pop_front();
  ++story.left_out;
  story.bytes -= bytes;
  shard.bytes -= bytes;
}

EventStory Storyteller::Told(const Story& story) {
  EventStory told = {
      .event_id = story.event_id, .steps = story.first, .steps_left_out = story.left_out};
  told.steps.insert(told.steps.end(), story.latest.begin(), story.latest.end());
  // Some things are noticed after they have happened.
  std::stable_sort(told.steps.begin(), told.steps.end(),
                   [](const StoryStep& a, const StoryStep& b) { return a.uptime < b.uptime; });
  return told;
}

std::optional<EventStory> Storyteller::Find(const Id& id) const {
  {
    const Shard& shard = shards_[id.lo % shards_.size()];
    MutexLock lock(&shard.mu);
    const auto known = shard.by_event.find(id);
    if (known != shard.by_event.end()) return Told(*known->second);
  }
  for (const Shard& shard : shards_) {
    MutexLock lock(&shard.mu);
    const auto known = shard.by_message.find(id);
    if (known != shard.by_message.end()) return Told(*known->second.story);
  }
  return std::nullopt;
}

StoryStats Storyteller::Stats() const {
  StoryStats stats;
  for (const Shard& shard : shards_) {
    MutexLock lock(&shard.mu);
    stats.events += static_cast<int64_t>(shard.stories.size());
    stats.bytes += shard.bytes;
    stats.forgotten += shard.forgotten;
  }
  return stats;
}

void Storyteller::Clear() {
  for (Shard& shard : shards_) {
    Stories stories;  // dies after the lock
    MutexLock lock(&shard.mu);
    stories.swap(shard.stories);
    shard.by_event.clear();
    shard.by_message.clear();
    shard.bytes = 0;
    shard.forgotten = 0;
  }
}

}  // namespace banyan::inline v0_1::internal
