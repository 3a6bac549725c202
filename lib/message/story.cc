// SPDX-License-Identifier: Apache-2.0
//
// lib/message/story.cc -- floor 1: a story as text. What happened at one resource stands together,
// beneath the step that brought the event there; within it, in the order of time.
#include "banyan/story.h"

#include <map>

#include "absl/strings/str_format.h"
#include "base/strings.h"
#include "message/arn_words.h"

namespace banyan::inline v0_1 {

namespace {

using internal::ArnWords;
using internal::StrCat;
using Kind = StoryStep::Kind;

// What users wrote, on one line.
std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else {
      line.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c);
    }
  }
  return line;
}

std::string Because(const StoryStep& step) {
  return step.text.empty() ? std::string() : StrCat(": ", OneLine(step.text));
}

std::string Attempt(const StoryStep& step) { return StrCat("attempt ", step.attempt); }

std::string Attempts(const StoryStep& step) {
  return step.attempt == 0
             ? std::string()
             : StrCat(" after ", step.attempt, step.attempt == 1 ? " attempt" : " attempts");
}

std::string Sentence(const StoryStep& step, const Id& event_id) {
  const bool has_own_id = !step.message_id.IsZero() && step.message_id != event_id;
  const std::string as_message =
      has_own_id ? StrCat(" as message ", step.message_id.ToString()) : std::string();
  switch (step.kind) {
    case Kind::kAccepted:
      return StrCat("accepted", as_message, Because(step));
    case Kind::kDuplicate:
      return StrCat("the same again, answered like this one", Because(step));
    case Kind::kArrived:
      return StrCat("arrived", as_message, Because(step));
    case Kind::kMatched:
      return StrCat(step.through.empty() ? "goes to "
                                         : StrCat("matched ", ArnWords(step.through), ", goes to "),
                    ArnWords(step.destination));
    case Kind::kUnmatched:
      return "wanted by nobody";
    case Kind::kArchived:
      return StrCat("kept in ",
                    step.destination.empty() ? "its archive" : ArnWords(step.destination));
    case Kind::kReplayed:
      if (step.through.empty()) return StrCat("put again by replay ", OneLine(step.text));
      return StrCat("replayed to ", ArnWords(step.through), ", goes to ",
                    ArnWords(step.destination));
    case Kind::kDelivered:
      return StrCat("delivered, ", Attempt(step));
    case Kind::kFailed:
      return StrCat(Attempt(step), " failed", Because(step));
    case Kind::kReceived:
      return StrCat("received, ", Attempt(step));
    case Kind::kReturned:
      return StrCat(Attempt(step), " ended unsettled, visible again", Because(step));
    case Kind::kSettled:
      return "settled";
    case Kind::kDeadLettered:
      return StrCat("goes to dead-letter ", ArnWords(step.destination), Attempts(step),
                    Because(step));
    case Kind::kMoved:
      return StrCat("redriven to ", ArnWords(step.destination));
    case Kind::kExpired:
      return "expired";
    case Kind::kDropped:
      return StrCat("dropped", Attempts(step), Because(step));
  }
  return "";
}

class Teller {
 public:
  explicit Teller(const EventStory& story) : story_(story) {
    for (size_t i = 0; i < story.steps.size(); ++i) at_[story.steps[i].resource].push_back(i);
  }

  std::string Tell() {
    if (story_.steps.empty()) return StrCat("event ", story_.event_id.ToString(), "\n");
    text_ = StrCat(
        "event ", story_.event_id.ToString(), ", since ",
        absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", story_.steps.front().time, absl::UTCTimeZone()),
        "\n");
    FindParents();
    for (size_t i = 0; i < story_.steps.size(); ++i) {
      const std::string& resource = story_.steps[i].resource;
      if (!brought_.contains(resource)) TellOf(resource, 0);
    }
    if (story_.steps_left_out > 0) {
      internal::StrAppend(&text_, "(", story_.steps_left_out, " steps in the middle left out)\n");
    }
    return text_;
  }

 private:
  // The first step that sends the event to a resource brings it there; but not back to where it has
  // come through already, so that nobody stands beneath himself.
  void FindParents() {
    const std::string& root = story_.steps.front().resource;
    for (size_t i = 0; i < story_.steps.size(); ++i) {
      const StoryStep& step = story_.steps[i];
      if (step.destination.empty() || step.destination == root ||
          brought_.contains(step.destination)) {
        continue;
      }
      if (!ComesThrough(step.resource, step.destination)) brought_[step.destination] = i;
    }
  }
  bool ComesThrough(std::string resource, const std::string& other) const {
    for (;;) {
      if (resource == other) return true;
      const auto parent = brought_.find(resource);
      if (parent == brought_.end()) return false;
      resource = story_.steps[parent->second].resource;
    }
  }

  void TellOf(const std::string& resource, size_t depth) {
    const auto found = at_.find(resource);
    if (found == at_.end()) return;
    const std::vector<size_t> steps = std::move(found->second);
    at_.erase(found);  // told
    for (const size_t i : steps) {
      const StoryStep& step = story_.steps[i];
      const double seconds = absl::ToDoubleSeconds(step.uptime - story_.steps.front().uptime);
      internal::StrAppend(&text_, std::string(2 * depth, ' '),
                          absl::StrFormat("+%.3f s  ", seconds), ArnWords(resource), ": ",
                          Sentence(step, story_.event_id), "\n");
      const auto brought = brought_.find(step.destination);
      if (brought != brought_.end() && brought->second == i) TellOf(step.destination, depth + 1);
    }
  }

  const EventStory& story_;
  std::map<std::string, std::vector<size_t>> at_;  // steps by resource, those not told yet
  std::map<std::string, size_t> brought_;          // by which step
  std::string text_;
};

}  // namespace

std::string_view StoryKindName(StoryStep::Kind kind) {
  switch (kind) {
    case Kind::kAccepted:
      return "accepted";
    case Kind::kDuplicate:
      return "duplicate";
    case Kind::kArrived:
      return "arrived";
    case Kind::kMatched:
      return "matched";
    case Kind::kUnmatched:
      return "unmatched";
    case Kind::kArchived:
      return "archived";
    case Kind::kReplayed:
      return "replayed";
    case Kind::kDelivered:
      return "delivered";
    case Kind::kFailed:
      return "failed";
    case Kind::kReceived:
      return "received";
    case Kind::kReturned:
      return "returned";
    case Kind::kSettled:
      return "settled";
    case Kind::kDeadLettered:
      return "dead-lettered";
    case Kind::kMoved:
      return "moved";
    case Kind::kExpired:
      return "expired";
    case Kind::kDropped:
      return "dropped";
  }
  return "";
}

std::string EventStory::ToString() const { return Teller(*this).Tell(); }

}  // namespace banyan::inline v0_1
