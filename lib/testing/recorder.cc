// SPDX-License-Identifier: Apache-2.0
#include "testing/recorder.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace banyan::inline v0_1::testing::internal {
namespace {

bool IsQueue(std::string_view arn) { return arn.find(":sqs:") != std::string_view::npos; }

// `before` is the change of the same message just before, or null.
std::string Describe(const RecordedChange& change, const RecordedChange* before) {
  switch (change.change) {
    case Change::kAccepted:
      return "accepted";
    case Change::kReceived: {
      // A changed visibility is told as the same attempt once more.
      const bool same_attempt = before != nullptr && before->change == Change::kReceived &&
                                before->receive_count == change.receive_count;
      std::string text = same_attempt ? "visibility changed"
                                      : "received, attempt " + std::to_string(change.receive_count);
      if (change.deadline_ns <= change.at.uptime_ns) return text + ", visible at once";
      return text + ", hidden until " + TimeText(change.deadline_ns);
    }
    case Change::kSettled:
      return "settled";
    case Change::kMoved:
      return "moved to " + std::string(NameIn(change.destination));
    case Change::kExpired:
      return "expired";
  }
  return "?";
}

}  // namespace

std::string TimeText(int64_t uptime_ns) {
  const long long ms = uptime_ns / 1'000'000;
  char text[40];
  std::snprintf(text, sizeof(text), "%02lld:%02lld:%02lld.%03lld", ms / 3'600'000, ms / 60'000 % 60,
                ms / 1000 % 60, ms % 1000);
  return text;
}

std::string_view NameIn(std::string_view arn) {
  const size_t colon = arn.rfind(':');
  return colon == std::string_view::npos ? arn : arn.substr(colon + 1);
}

MessageStory Story::InWords(Instant now) const {
  MessageStory story;
  story.message_id = message_id;
  story.event_id = event_id;
  story.body = body;
  story.attributes = attributes;
  story.cut_short = cut_short;
  const RecordedChange* before = nullptr;
  for (const RecordedChange& change : changes) {
    story.lines.push_back(TimeText(change.at.uptime_ns) + " " +
                          std::string(NameIn(change.resource)) + ": " + Describe(change, before));
    before = &change;
  }
  const RecordedChange& last = changes.back();
  const bool rests = last.change == Change::kAccepted || last.change == Change::kReceived;
  if (rests && IsQueue(last.resource)) {
    const bool in_flight = last.change == Change::kReceived && last.deadline_ns > now.uptime_ns;
    story.lines.push_back(TimeText(now.uptime_ns) +
                          (in_flight ? " now: in flight in " : " now: waits in ") +
                          std::string(NameIn(last.resource)));
  }
  return story;
}

void Recorder::Append(const ChangeRecord& record) {
  const MessageName name(record.resource, record.message_id);
  MutexLock lock(&mu_);
  ++recorded_;
  uint64_t number = FindStory(record, name);
  if (number == 0) {
    if (record.message == nullptr) {  // the end of a story that was dropped
      ++dropped_;
      return;
    }
    number = BeginStory(record);
  }
  Enter(name, number);
  if (record.change == Change::kMoved) {
    Enter(MessageName(record.destination, record.message_id), number);  // R1
  }
  stories_.at(number).changes.push_back({.change = record.change,
                                         .resource = std::string(record.resource),
                                         .destination = std::string(record.destination),
                                         .at = record.at,
                                         .receive_count = record.receive_count,
                                         .deadline_ns = record.deadline_ns});
  order_.push_back(number);
  while (!order_.empty() && (static_cast<int64_t>(order_.size()) > options_.changes_max ||
                             bytes_ > options_.bytes_max)) {
    DropOldestChange();
  }
}

uint64_t Recorder::FindStory(const ChangeRecord& record, const MessageName& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) return 0;
  const bool goes_on = record.change != Change::kAccepted ||
                       stories_.at(found->second).changes.back().change == Change::kMoved;
  return goes_on ? found->second : 0;  // R2
}

uint64_t Recorder::BeginStory(const ChangeRecord& record) {
  Story& story = stories_[++last_story_];
  story.message_id = record.message_id;
  story.event_id = record.message->event_id;
  story.body = std::string(record.message->body.view());  // R3
  story.attributes = record.message->attributes;
  story.bytes = static_cast<int64_t>(record.message->bytes());
  story.cut_short = record.change != Change::kAccepted;
  bytes_ += story.bytes;
  return last_story_;
}

void Recorder::Enter(MessageName name, uint64_t number) {
  const auto [entry, is_new] = index_.try_emplace(name, number);
  if (!is_new && entry->second == number) return;
  entry->second = number;
  stories_.at(number).names.push_back(std::move(name));
}

void Recorder::DropOldestChange() {
  const auto oldest = stories_.find(order_.front());
  order_.pop_front();
  ++dropped_;
  Story& story = oldest->second;
  story.cut_short = true;
  if (story.changes.size() > 1) {
    story.changes.pop_front();
    return;
  }
  for (const MessageName& name : story.names) {
    const auto entry = index_.find(name);
    if (entry != index_.end() && entry->second == oldest->first) index_.erase(entry);  // R2
  }
  bytes_ -= story.bytes;
  stories_.erase(oldest);
}

std::vector<Story> Recorder::Stories() const {
  MutexLock lock(&mu_);
  std::vector<Story> stories;
  stories.reserve(stories_.size());
  for (const auto& [number, story] : stories_) stories.push_back(story);
  return stories;
}

int64_t Recorder::recorded() const {
  MutexLock lock(&mu_);
  return recorded_;
}

int64_t Recorder::dropped() const {
  MutexLock lock(&mu_);
  return dropped_;
}

}  // namespace banyan::inline v0_1::testing::internal
