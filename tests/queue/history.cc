// SPDX-License-Identifier: Apache-2.0
#include "history.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

namespace banyan {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr size_t kFaultsMax = 24;

// What hides a message for a while: an attempt, or a change of its visibility.
struct Hiding {
  Span span;
  absl::Duration visibility;
  int64_t receive_count = 0;  // of the attempt; 0 of a change
};

// All that happened to one message.
struct Story {
  const SentStep* sent = nullptr;             // the first of several that were answered with its id
  std::vector<const ReceivedStep*> attempts;  // by receive count
  std::vector<const SettledStep*> changes;
  std::vector<std::pair<const SettledStep*, int64_t>>
      deletes;  // and the receive count of the receipt
};

class Checker {
 public:
  explicit Checker(const History& history) : history_(history) {}

  std::vector<std::string> Run() {
    TellStories();
    for (const auto& [id, story] : stories_) {
      CheckAttempts(story);
      CheckVisibility(story);
      CheckDeletes(story);
    }
    if (history_.fifo) {
      CheckDuplicates();
      CheckNumbers();
      CheckGroupOrder();
    }
    CheckBooks();
    return std::move(faults_);
  }

 private:
  void Fault(std::string text) {
    if (faults_.size() < kFaultsMax) faults_.push_back(std::move(text));
  }

  void TellStories() {
    for (const SentStep& sent : history_.sent) {
      Story& story = stories_[sent.id];
      if (!history_.fifo && story.sent != nullptr) Fault("two sends have the id of " + sent.body);
      // Which of several was stored is not known, but none was before the earliest began.
      if (story.sent == nullptr || sent.span.start < story.sent->span.start) story.sent = &sent;
    }
    std::map<std::string, const ReceivedStep*> receipts;
    for (const ReceivedStep& received : history_.received) {
      const auto at = stories_.find(received.id);
      if (at == stories_.end()) {
        Fault("H1: " + received.body + " was received, but never sent");
        continue;
      }
      Story& story = at->second;
      if (story.sent->body != received.body) {
        Fault("H1: " + story.sent->body + " was received as " + received.body);
      }
      if (received.span.Before(story.sent->span)) {
        Fault("H1: " + received.body + " was received before it was sent");
      }
      if (!receipts.emplace(received.receipt, &received).second) {
        Fault("H2: " + received.body + " came with a receipt that was given out before");
      }
      story.attempts.push_back(&received);
    }
    const auto story_of = [&](const SettledStep& step) -> std::pair<Story*, const ReceivedStep*> {
      const auto at = receipts.find(step.receipt);
      if (at == receipts.end()) return {nullptr, nullptr};
      return {&stories_[at->second->id], at->second};
    };
    for (const SettledStep& change : history_.changed) {
      if (const auto [story, attempt] = story_of(change); story != nullptr) {
        story->changes.push_back(&change);
      } else {
        Fault("H2: a receipt was changed that nobody was given");
      }
    }
    for (const SettledStep& step : history_.deleted) {
      if (const auto [story, attempt] = story_of(step); story != nullptr) {
        story->deletes.emplace_back(&step, attempt->receive_count);
      } else {
        Fault("H2: a receipt was deleted that nobody was given");
      }
    }
    for (auto& [id, story] : stories_) {
      std::sort(story.attempts.begin(), story.attempts.end(),
                [](const auto* a, const auto* b) { return a->receive_count < b->receive_count; });
    }
  }

  void CheckAttempts(const Story& story) {
    int64_t expected = 0;
    for (const ReceivedStep* attempt : story.attempts) {
      if (attempt->receive_count != ++expected) {
        Fault("H1: attempt " + std::to_string(expected) + " of " + story.sent->body + " counts " +
              std::to_string(attempt->receive_count));
        return;
      }
    }
    for (size_t i = 1; i < story.attempts.size(); ++i) {
      if (story.attempts[i]->span.Before(story.attempts[i - 1]->span)) {
        Fault("H1: attempts of " + story.sent->body + " are counted against their order");
      }
    }
  }

  // H3. The one that hid the message last decides. Any may have been the last that no other
  // certainly followed before the attempt.
  void CheckVisibility(const Story& story) {
    std::vector<Hiding> all;
    for (const ReceivedStep* attempt : story.attempts) {
      all.push_back({attempt->span, attempt->visibility, attempt->receive_count});
    }
    for (const SettledStep* change : story.changes)
      all.push_back({change->span, change->visibility});
    for (const ReceivedStep* attempt : story.attempts) {
      if (attempt->receive_count == 1) continue;
      const auto precedes = [attempt](const Hiding& hiding) {
        return hiding.receive_count == 0 ? hiding.span.start < attempt->span.end
                                         : hiding.receive_count < attempt->receive_count;
      };
      const bool excused = std::any_of(all.begin(), all.end(), [&](const Hiding& last) {
        if (!precedes(last)) return false;
        const bool overruled = std::any_of(all.begin(), all.end(), [&](const Hiding& other) {
          const bool known_before =
              other.receive_count == 0 ? other.span.Before(attempt->span) : precedes(other);
          const bool known_after = last.receive_count != 0 && other.receive_count != 0
                                       ? other.receive_count > last.receive_count
                                       : last.span.Before(other.span);
          return known_before && known_after;
        });
        return !overruled &&
               last.span.uptime_before + last.visibility <= attempt->span.uptime_after;
      });
      if (!excused) {
        Fault("H3: attempt " + std::to_string(attempt->receive_count) + " of " + story.sent->body +
              " came while it was hidden");
      }
    }
  }

  void CheckDeletes(const Story& story) {
    const int64_t last = static_cast<int64_t>(story.attempts.size());
    bool deleted = false;
    for (const auto& [step, receive_count] : story.deletes) {
      deleted = deleted || receive_count == last;
      // Only the next attempt decides whether the receipt was the latest at that time.
      for (const ReceivedStep* attempt : story.attempts) {
        if (attempt->receive_count == receive_count + 1 && step->span.Before(attempt->span)) {
          Fault("H4: " + story.sent->body + " came again after it was deleted");
        }
      }
    }
    if (!deleted) Fault("H5: " + story.sent->body + " is lost");
  }

  void CheckDuplicates() {
    std::map<std::string, const SentStep*> first;
    for (const SentStep& sent : history_.sent) {
      const SentStep& other = *first.emplace(sent.deduplication_id, &sent).first->second;
      if (sent.id != other.id || sent.sequence_number != other.sequence_number) {
        Fault("H7: two sends of " + sent.deduplication_id + " have two answers");
      }
    }
  }

  // H6, first half.
  void CheckNumbers() {
    std::map<std::string, std::vector<const SentStep*>> groups;
    // Of duplicates nobody knows which one was stored: any of them may be the one in this order.
    std::map<Id, int> copies;
    for (const SentStep& sent : history_.sent) ++copies[sent.id];
    for (const SentStep& sent : history_.sent) {
      if (copies[sent.id] == 1) groups[sent.group].push_back(&sent);
    }
    for (auto& [group, sends] : groups) {
      std::set<uint64_t> numbers;
      for (const SentStep* sent : sends) {
        if (!numbers.insert(sent->sequence_number).second) {
          Fault("H6: a number of group " + group + " was given twice");
        }
      }
      // Along the counter: every start sees the highest number among those that ended before.
      std::vector<const SentStep*> by_start = sends;
      std::vector<const SentStep*> by_end = sends;
      const auto order = [](int64_t Span::*at) {
        return [at](const SentStep* a, const SentStep* b) {
          return std::pair(a->span.*at, a->entry) < std::pair(b->span.*at, b->entry);
        };
      };
      std::sort(by_start.begin(), by_start.end(), order(&Span::start));
      std::sort(by_end.begin(), by_end.end(), order(&Span::end));
      uint64_t highest = 0;
      size_t ended = 0;
      const SentStep* previous = nullptr;
      for (const SentStep* sent : by_start) {
        while (ended < by_end.size() && by_end[ended]->span.Before(sent->span)) {
          highest = std::max(highest, by_end[ended++]->sequence_number);
        }
        const bool behind_in_batch = previous != nullptr &&
                                     previous->span.start == sent->span.start &&
                                     previous->sequence_number > sent->sequence_number;
        if (sent->sequence_number <= highest || behind_in_batch) {
          Fault("H6: the number of " + sent->body + " is lower than that of one sent before it");
        }
        previous = sent;
      }
    }
  }

  // H6, second half.
  void CheckGroupOrder() {
    struct Place {
      const Story* story;
      int64_t first_delete;   // start of the first that may have taken it out; kNever
      int64_t latest_before;  // the largest first_delete of this and all before it
    };
    std::map<std::string, std::map<uint64_t, Place>> groups;
    for (const auto& [id, story] : stories_) {
      int64_t first = kNever;
      for (const auto& [step, receive_count] : story.deletes)
        first = std::min(first, step->span.start);
      groups[story.sent->group][story.sent->sequence_number] = {&story, first, 0};
    }
    for (auto& [group, places] : groups) {
      int64_t latest = 0;
      for (auto& [number, place] : places) {
        latest = std::max(latest, place.first_delete);
        place.latest_before = latest;
      }
    }
    std::map<int64_t, std::vector<const ReceivedStep*>>
        receives;  // by their start, which is unique
    for (const ReceivedStep& received : history_.received) {
      if (stories_.contains(received.id)) receives[received.span.start].push_back(&received);
    }
    for (auto& [start, batch] : receives) {
      std::sort(batch.begin(), batch.end(),
                [](const auto* a, const auto* b) { return a->entry < b->entry; });
      // Up to where each group came in this batch.
      std::map<std::string, uint64_t> reached;
      for (const ReceivedStep* received : batch) {
        const SentStep& sent = *stories_[received->id].sent;
        const auto& places = groups[sent.group];
        const auto here = places.find(sent.sequence_number);
        const auto before = reached.find(sent.group);
        bool in_order = true;
        if (before == reached.end()) {
          in_order =
              here == places.begin() || std::prev(here)->second.latest_before < received->span.end;
        } else {
          in_order = before->second < sent.sequence_number;
          for (auto at = places.upper_bound(before->second); in_order && at != here; ++at) {
            in_order = at->second.first_delete < received->span.end;
          }
        }
        if (!in_order) {
          Fault("H6: " + received->body + " overtook an earlier message of group " + sent.group);
        }
        reached[sent.group] = sent.sequence_number;
      }
    }
  }

  void CheckBooks() {
    const auto same = [this](const char* what, int64_t books, size_t seen) {
      if (books != static_cast<int64_t>(seen)) {
        Fault(std::string("H8: ") + what + ": the books say " + std::to_string(books) +
              ", the history " + std::to_string(seen));
      }
    };
    same("accepted", history_.books.accepted, stories_.size());
    same("duplicates", history_.books.duplicates, history_.sent.size() - stories_.size());
    same("received", history_.books.received, history_.received.size());
    same("deleted", history_.books.deleted, stories_.size());
    same("resting", history_.books.depth.total(), 0);
  }

  const History& history_;
  std::map<Id, Story> stories_;
  std::vector<std::string> faults_;
};

}  // namespace

std::vector<std::string> FindFaults(const History& history) { return Checker(history).Run(); }

}  // namespace banyan
