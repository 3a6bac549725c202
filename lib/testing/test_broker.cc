// SPDX-License-Identifier: Apache-2.0
#include "banyan/testing/test_broker.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/testing/printers.h"
#include "testing/recorder.h"

namespace banyan::inline v0_1::testing {
namespace internal {
namespace {

enum class Fate { kSettled, kMovedTo, kRests, kExpired };

const char* Words(Fate fate) {
  switch (fate) {
    case Fate::kSettled:
      return "settled in";
    case Fate::kMovedTo:
      return "moved to";
    case Fate::kRests:
      return "resting in";
    case Fate::kExpired:
      return "expired in";
  }
  return "?";
}

bool Had(const Story& story, Fate fate, const std::string& queue) {
  if (fate == Fate::kRests) {
    const RecordedChange& last = story.changes.back();
    return last.resource == queue &&
           (last.change == Change::kAccepted || last.change == Change::kReceived);
  }
  for (const RecordedChange& change : story.changes) {
    switch (change.change) {
      case Change::kSettled:
        if (fate == Fate::kSettled && change.resource == queue) return true;
        break;
      case Change::kMoved:
        if (fate == Fate::kMovedTo && change.destination == queue) return true;
        break;
      case Change::kExpired:
        if (fate == Fate::kExpired && change.resource == queue) return true;
        break;
      case Change::kAccepted:
      case Change::kReceived:
        break;
    }
  }
  return false;
}

bool WasIn(const Story& story, const std::string& queue) {
  for (const RecordedChange& change : story.changes) {
    if (change.resource == queue || change.destination == queue) return true;
  }
  return false;
}

std::string Counted(size_t n) { return n == 1 ? "1 message" : std::to_string(n) + " messages"; }

// A failure stays readable: the first few, and how many more there are.
void Print(const std::vector<MessageStory>& stories, std::ostream* os) {
  constexpr size_t kStoriesShown = 5;
  size_t shown = 0;
  for (const MessageStory& story : stories) {
    if (shown++ == kStoriesShown) {
      *os << "\n    and " << Counted(stories.size() - kStoriesShown) << " more";
      return;
    }
    *os << "\n    ";
    PrintTo(story, os);
  }
}

Broker MakeBroker(Runtime& runtime, BrokerOptions options, Recorder* recorder) {
  absl::StatusOr<Broker> broker =
      v0_1::internal::CreateJournaledBroker(runtime, std::move(options), recorder);
  if (!broker.ok()) {
    std::fprintf(stderr, "TestBroker: %s\n", broker.status().ToString().c_str());
    std::abort();
  }
  return *std::move(broker);
}

}  // namespace

class FateMatcher final : public ::testing::MatcherInterface<const TestBroker&> {
 public:
  FateMatcher(Fate fate, const Queue& queue, StoryMatcher message)
      : fate_(fate), queue_(queue), arn_(queue.arn().ToString()), message_(std::move(message)) {
    // Not() of a fate in no queue would always pass.
    if (queue == Queue()) ADD_FAILURE() << "The queue of this assertion is Queue(), which is none.";
  }

  bool MatchAndExplain(const TestBroker& broker,
                       ::testing::MatchResultListener* listener) const override {
    broker.BringUpToDate();
    const Instant now = broker.runtime_.Read();
    std::vector<MessageStory> had_it, had_it_not, others_here;
    bool any_here = false;  // of those in had_it_not
    for (const Story& recorded : broker.recorder_->Stories()) {
      MessageStory story = recorded.InWords(now);
      const bool here = WasIn(recorded, arn_);
      if (!message_.Matches(story)) {
        if (here) others_here.push_back(std::move(story));
      } else if (Had(recorded, fate_, arn_)) {
        had_it.push_back(std::move(story));
      } else {
        any_here = any_here || here;
        had_it_not.push_back(std::move(story));
      }
    }
    if (!listener->IsInterested()) return !had_it.empty();

    std::ostream* const os = listener->stream();
    if (!had_it.empty()) {
      *os << "whose " << (had_it.size() == 1 ? "message" : Counted(had_it.size()))
          << " like that was:";
      Print(had_it, os);
      return true;
    }
    if (!had_it_not.empty()) {
      *os << "whose " << (had_it_not.size() == 1 ? "message" : Counted(had_it_not.size()))
          << " like that was not:";
      Print(had_it_not, os);
    } else {
      *os << "which never had a message like that";
    }
    if (!any_here) {
      *os << "\n  " << queue_.name() << " had "
          << (others_here.empty() ? "no message"
                                  : Counted(others_here.size()) + ", none of them like that:");
      Print(others_here, os);
    }
    if (broker.changes_dropped() > 0) {
      *os << "\n  Not all is known: the oldest " << broker.changes_dropped()
          << " changes were dropped, see RecordingOptions.";
    }
    const absl::StatusOr<Queue> found = broker.broker_.FindQueue(queue_.name());
    if (!found.ok() || *found != queue_) {
      *os << "\n  The queue asked about is deleted, or another broker's.";
    }
    return false;
  }

  void DescribeTo(std::ostream* os) const override {
    *os << "a message that ";
    message_.DescribeTo(os);
    *os << (fate_ == Fate::kRests ? " is " : " was ") << Words(fate_) << " " << queue_.name();
  }
  void DescribeNegationTo(std::ostream* os) const override {
    *os << "no message that ";
    message_.DescribeTo(os);
    *os << (fate_ == Fate::kRests ? " is " : " was ") << Words(fate_) << " " << queue_.name();
  }

 private:
  const Fate fate_;
  const Queue queue_;
  const std::string arn_;
  const StoryMatcher message_;
};

namespace {

FateOfMessage MakeFate(Fate fate, const Queue& queue, StoryMatcher message) {
  return FateOfMessage(new FateMatcher(fate, queue, std::move(message)));
}

}  // namespace
}  // namespace internal

void PrintTo(const MessageStory& story, std::ostream* os) {
  *os << ::testing::PrintToString(story.body) << ", message " << story.message_id.ToString()
      << ", event " << story.event_id.ToString();
  if (!story.attributes.empty()) {
    *os << ", attributes ";
    PrintTo(story.attributes, os);
  }
  if (story.cut_short) *os << "\n      (earlier changes are no longer known)";
  for (const std::string& line : story.lines) *os << "\n      " << line;
}

TestBroker::TestBroker(Runtime& runtime, BrokerOptions options, RecordingOptions recording)
    : runtime_(runtime),
      recorder_(std::make_unique<internal::Recorder>(recording)),
      broker_(internal::MakeBroker(runtime, std::move(options), recorder_.get())) {}

TestBroker::~TestBroker() = default;

// A queue notices that retention ended a message when somebody looks at it.
void TestBroker::BringUpToDate() const {
  for (const Queue& queue : broker_.ListQueues()) queue.Depth();
}

std::vector<MessageStory> TestBroker::History() const {
  BringUpToDate();
  const Instant now = runtime_.Read();
  std::vector<MessageStory> history;
  for (const internal::Story& story : recorder_->Stories()) history.push_back(story.InWords(now));
  return history;
}

int64_t TestBroker::changes_recorded() const { return recorder_->recorded(); }

int64_t TestBroker::changes_dropped() const { return recorder_->dropped(); }

void PrintTo(const TestBroker& broker, std::ostream* os) {
  *os << "a broker that recorded " << broker.changes_recorded()
      << (broker.changes_recorded() == 1 ? " change" : " changes");
}

FateOfMessage Settled(const Queue& queue, StoryMatcher message) {
  return internal::MakeFate(internal::Fate::kSettled, queue, std::move(message));
}

FateOfMessage WasMovedTo(const Queue& queue, StoryMatcher message) {
  return internal::MakeFate(internal::Fate::kMovedTo, queue, std::move(message));
}

FateOfMessage RestsIn(const Queue& queue, StoryMatcher message) {
  return internal::MakeFate(internal::Fate::kRests, queue, std::move(message));
}

FateOfMessage ExpiredIn(const Queue& queue, StoryMatcher message) {
  return internal::MakeFate(internal::Fate::kExpired, queue, std::move(message));
}

}  // namespace banyan::inline v0_1::testing
