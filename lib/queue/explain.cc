// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/explain.cc -- floor 3, the queue room: what hides the messages of a queue, in sentences
// for people.
//
// X1  Every sentence is true at the one reading of the clock that the whole answer is made of.
// X2  Nothing changes but what time itself changes: no attempt, no order, no deadline.
// X3  Of long lists the first few are told, then how many more there are.
//
// The price: Explain() walks every message once, Explain(Id) until it has found its own, and both
// hold the lock meanwhile. It is for people, who ask seldom.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kToldMax = 10;  // X3

// "7.2 s", "2 min 30 s", "3 d 1 h". Rounded up to milliseconds: what lies ahead is never "0 s".
std::string Span(int64_t ns) {
  if (ns >= kLatest / 2) return "ever";
  int64_t ms = (std::max<int64_t>(ns, 0) + 999'999) / 1'000'000;
  std::vector<std::string> parts;
  const auto take = [&](int64_t unit_ms, std::string_view unit) {
    if (ms >= unit_ms) parts.push_back(StrCat(ms / unit_ms, " ", unit));
    ms %= unit_ms;
  };
  take(86'400'000, "d");
  take(3'600'000, "h");
  take(60'000, "min");
  if (ms > 0 || parts.empty()) {
    std::string seconds = StrCat(ms / 1'000, ".", absl::Dec(ms % 1'000, absl::kZeroPad3));
    seconds.erase(seconds.find_last_not_of('0') + 1);
    if (seconds.back() == '.') seconds.pop_back();
    parts.push_back(StrCat(seconds, " s"));
  }
  return absl::StrJoin(parts, " ");
}

std::string Stamp(int64_t unix_ns) {
  const absl::Time time = absl::FromUnixMillis(unix_ns / 1'000'000);
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone());
}

// "1 message", "2 messages".
std::string Count(int64_t count, std::string_view one, std::string_view many) {
  return StrCat(count, " ", count == 1 ? one : many);
}

// Texts of users, on one line.
std::string Quoted(std::string_view text) {
  return StrCat("\"", absl::Utf8SafeCEscape(ToAbsl(text)), "\"");
}

// "after receives at T1, T2 with errors "disk full", none".
std::string AfterReceives(int64_t attempts, const std::vector<FailedAttempt>& history) {
  const std::string receives = Count(attempts, "receive", "receives");
  if (history.empty()) return StrCat("after ", receives);
  std::vector<std::string> times;
  std::vector<std::string> errors;
  bool told = false;
  for (const FailedAttempt& one : history) {
    times.push_back(Stamp(one.received_unix_ns));
    errors.push_back(one.error.empty() ? "none" : Quoted(one.error));
    told = told || !one.error.empty();
  }
  const bool all = static_cast<int64_t>(history.size()) >= attempts;
  return StrCat(!all ? StrCat("after ", receives, ", the latest") : "after receives", " at ",
                absl::StrJoin(times, ", "), " with ",
                told ? StrCat("errors ", absl::StrJoin(errors, ", ")) : "no error given");
}

}  // namespace

// Made under the lock of the queue it speaks of, for one answer.
class QueueCore::Explainer {
 public:
  Explainer(QueueCore* core, const Instant& now) : core_(*core), now_(now) {}

  std::string Queue(bool dead_letter_queue_is_there);
  // Empty: it is not here.
  std::string Message(Id id);
  std::vector<std::weak_ptr<QueueCore>> MovedTo() const {
    core_.mu_.AssertHeld();
    return core_.moved_to_;
  }

 private:
  // The first message of a group that is not visible: what comes after it must wait.
  struct Barrier {
    const FifoGroup* group = nullptr;
    SlotIndex at = kNoSlot;
    int64_t open = 0;  // messages before it: they may be received
  };

  std::string At(int64_t uptime_ns) const {
    return uptime_ns >= kLatest / 2 ? "the end of time"
                                    : Stamp(now_.unix_ns - now_.uptime_ns + uptime_ns);
  }
  // "2026-01-01T00:00:30Z (7.2 s more)"; "... (7.2 s ago)".
  std::string Until(int64_t uptime_ns) const {
    return StrCat(At(uptime_ns), " (", Span(uptime_ns - now_.uptime_ns), " more)");
  }
  std::string Since(int64_t uptime_ns) const {
    return StrCat(At(uptime_ns), " (", Span(now_.uptime_ns - uptime_ns), " ago)");
  }

  // A hidden message's state ends with its deadline or with its life.
  int64_t HiddenUntil(const Slot& slot) const {
    core_.mu_.AssertHeld();
    return std::min(slot.turning_ns, core_.ExpiresAt(slot));
  }

  std::string Attempt(const Slot& slot) const;
  std::string Hides(const Slot& slot) const;
  std::optional<Barrier> FindBarrier(const FifoGroup& group) const;
  std::string Tell(const Barrier& barrier) const;

  void TellHidden(SlotState state, std::string_view word);
  void TellReceivable();
  void TellGroups();
  void TellTenants();
  void TellBooks();
  void TellMoved(const Slot& slot);
  void TellResting(SlotIndex index, std::string_view subject);

  template <typename... T>
  void Line(const T&... parts) {
    StrAppend(&text_, parts..., "\n");
  }

  QueueCore& core_;
  const Instant now_;
  std::string text_;
};

std::string QueueCore::Explainer::Queue(bool dead_letter_queue_is_there) {
  core_.mu_.AssertHeld();
  const QueueDepth& depth = core_.books_.depth;
  if (depth.total() == 0) {
    Line("nothing rests here");
  } else {
    Line("visible: ", depth.visible, ", in flight: ", depth.in_flight,
         ", delayed: ", depth.delayed);
    TellReceivable();
    TellHidden(SlotState::kInFlight, "in flight");
    TellHidden(SlotState::kDelayed, "delayed");
  }
  if (core_.groups_ != nullptr) TellGroups();
  if (core_.tenants_ != nullptr && core_.strict_ == nullptr) TellTenants();
  if (core_.options_.redrive.has_value() && !dead_letter_queue_is_there) {
    Line("the dead-letter queue ", core_.options_.redrive->dead_letter.ToString(),
         " does not exist: messages come back after their last attempt, too");
  }
  TellBooks();
  return std::move(text_);
}

void QueueCore::Explainer::TellReceivable() {
  core_.mu_.AssertHeld();
  int64_t receivable = core_.books_.depth.visible;
  if (core_.groups_ != nullptr) {
    receivable = 0;
    core_.groups_->ForEach([&](const FifoGroup& group) {
      core_.mu_.AssertHeld();
      SlotIndex i = group.messages.front();
      for (; i != kNoSlot && core_.slots_[i].state == SlotState::kVisible;
           i = core_.slots_[i].next) {
        ++receivable;
      }
    });
  }
  if (!core_.HasRoomInFlight()) {
    Line("the in flight limit is reached: ", core_.books_.depth.in_flight, " of ",
         core_.options_.in_flight_max, "; nothing is received until one is deleted or comes back");
  } else if (receivable > 0) {
    Line(Count(receivable, "message", "messages"), " can be received now");
  } else {
    Line("nothing can be received now");
  }
  if (core_.senders_waiting_ > 0) {
    Line(Count(core_.senders_waiting_, "send waits", "sends wait"), " for room: the queue holds ",
         core_.books_.depth.total(), " of ", core_.options_.messages_max, " messages and ",
         core_.books_.bytes, " of ", core_.options_.bytes_max, " bytes");
  }
}

// "3 delayed until T (7.2 s more), the last until T (30 s more)".
void QueueCore::Explainer::TellHidden(SlotState state, std::string_view word) {
  core_.mu_.AssertHeld();
  int64_t count = 0;
  int64_t first_ns = kNever;
  int64_t last_ns = INT64_MIN;
  for (SlotIndex i = 0; i < core_.slots_.size(); ++i) {
    if (!core_.slots_.Holds(i) || core_.slots_[i].state != state) continue;
    ++count;
    const int64_t until_ns = HiddenUntil(core_.slots_[i]);
    first_ns = std::min(first_ns, until_ns);
    last_ns = std::max(last_ns, until_ns);
  }
  if (count == 0) return;
  Line(count, " ", word, " until ", Until(first_ns),
       last_ns > first_ns ? StrCat(", the last until ", Until(last_ns)) : "");
}

void QueueCore::Explainer::TellGroups() {
  core_.mu_.AssertHeld();
  std::vector<Barrier> barriers;
  core_.groups_->ForEach([&](const FifoGroup& group) {
    if (const std::optional<Barrier> barrier = FindBarrier(group)) barriers.push_back(*barrier);
  });
  // Blocked groups before those of which something can be received; of each kind, those whose
  // message has been in the way for longest.
  const auto order = [this](const Barrier& barrier) {
    core_.mu_.AssertHeld();
    const Slot& slot = core_.slots_[barrier.at];
    const bool received = slot.attempts > 0;
    return std::tuple(barrier.open > 0, received ? slot.received_ns : slot.enqueued_ns,
                      slot.number);
  };
  const size_t told = std::min(barriers.size(), kToldMax);
  std::partial_sort(barriers.begin(), barriers.begin() + static_cast<ptrdiff_t>(told),
                    barriers.end(),
                    [&](const Barrier& a, const Barrier& b) { return order(a) < order(b); });
  for (size_t i = 0; i < told; ++i) Line("group ", Tell(barriers[i]));
  if (barriers.size() > told) {
    Line("and so ",
         Count(static_cast<int64_t>(barriers.size() - told), "more group", "more groups"));
  }
}

// None, too, if what is not visible is the last of a group of which something can be received.
std::optional<QueueCore::Explainer::Barrier> QueueCore::Explainer::FindBarrier(
    const FifoGroup& group) const {
  core_.mu_.AssertHeld();
  Barrier barrier = {.group = &group, .at = group.messages.front()};
  while (barrier.at != kNoSlot && core_.slots_[barrier.at].state == SlotState::kVisible) {
    ++barrier.open;
    barrier.at = core_.slots_[barrier.at].next;
  }
  if (barrier.at == kNoSlot) return std::nullopt;
  if (barrier.open > 0 && core_.slots_[barrier.at].next == kNoSlot) return std::nullopt;
  return barrier;
}

// "g1 is blocked: message ... is in flight for 7.2 s more (attempt 2), 4 messages wait behind it".
std::string QueueCore::Explainer::Tell(const Barrier& barrier) const {
  core_.mu_.AssertHeld();
  const Slot& slot = core_.slots_[barrier.at];
  int64_t behind = 0;
  for (SlotIndex i = slot.next; i != kNoSlot; i = core_.slots_[i].next) ++behind;
  return StrCat(
      barrier.group->name,
      barrier.open == 0
          ? " is blocked: message "
          : StrCat(" is blocked after ", Count(barrier.open, "message", "messages"), ": message "),
      slot.id.ToString(), " is ", Hides(slot),
      behind == 0 ? ""
                  : StrCat(", ", Count(behind, "message waits", "messages wait"), " behind it"));
}

std::string QueueCore::Explainer::Hides(const Slot& slot) const {
  core_.mu_.AssertHeld();
  if (slot.state == SlotState::kLeaving) return "on its way to another queue";
  const std::string span = StrCat(" for ", Span(HiddenUntil(slot) - now_.uptime_ns), " more",
                                  HiddenUntil(slot) < slot.turning_ns ? ", when it expires" : "");
  return slot.state == SlotState::kDelayed ? StrCat("delayed", span)
                                           : StrCat("in flight", span, " (", Attempt(slot), ")");
}

std::string QueueCore::Explainer::Attempt(const Slot& slot) const {
  core_.mu_.AssertHeld();
  return StrCat("attempt ", slot.attempts, core_.Exhausted(slot) ? ", the last" : "");
}

void QueueCore::Explainer::TellTenants() {
  core_.mu_.AssertHeld();
  struct Noisy {
    std::string_view name;
    int64_t in_flight;
    int64_t waiting;
  };
  std::vector<Noisy> noisy;
  core_.tenants_->ForEach([&](Tenant* tenant) {
    core_.mu_.AssertHeld();
    const int64_t waiting = tenant->messages - tenant->in_flight - tenant->delayed;
    if (waiting <= 0) return;
    if (!core_.tenants_->IsNoisy(tenant, core_.books_.depth.in_flight, now_.uptime_ns)) return;
    noisy.push_back({tenant->name, tenant->in_flight, waiting});
  });
  std::sort(noisy.begin(), noisy.end(), [](const Noisy& a, const Noisy& b) {
    return std::pair(-a.waiting, a.name) < std::pair(-b.waiting, b.name);
  });
  int64_t waiting = 0;
  std::vector<std::string> names;
  for (const Noisy& one : noisy) {
    waiting += one.waiting;
    if (names.size() == kToldMax) continue;
    names.push_back(StrCat(one.name, " (", one.waiting, ", and ", one.in_flight, " in flight)"));
  }
  const int64_t before = core_.books_.depth.visible - waiting;
  if (waiting == 0 || before <= 0) return;  // nobody stands in their way
  Line(Count(waiting, "message of noisy tenants waits", "messages of noisy tenants wait"),
       " behind ", before, " of quiet ones: ", absl::StrJoin(names, ", "),
       noisy.size() > names.size() ? StrCat(" and ", noisy.size() - names.size(), " more") : "");
}

// Where everything went that came.
void QueueCore::Explainer::TellBooks() {
  core_.mu_.AssertHeld();
  const QueueStats books = core_.books_;
  const auto list = [](std::initializer_list<std::pair<int64_t, std::string_view>> counts) {
    std::vector<std::string> parts;
    for (const auto& [count, word] : counts) {
      if (count > 0) parts.push_back(StrCat(count, " ", word));
    }
    return absl::StrJoin(parts, ", ");
  };
  const std::string came = list({{books.accepted, "accepted"}, {books.moved_in, "moved in"}});
  const std::string went = list({{books.deleted, "deleted"},
                                 {books.expired, "expired"},
                                 {books.moved_out, "moved to other queues"},
                                 {books.purged, "purged"},
                                 {books.dropped, "dropped for want of room"},
                                 {books.depth.total(), "here"}});
  Line("since the queue was made: ", came.empty() ? "nothing came" : StrCat(came, "; ", went));
  if (books.rejected > 0) Line(Count(books.rejected, "send was", "sends were"), " refused: full");
  MutexLock intake_lock(&core_.intake_.mu);
  if (core_.intake_.duplicates > 0) {
    Line(Count(core_.intake_.duplicates, "send", "sends"),
         " had the deduplication id of an earlier one: answered like that, not stored");
  }
}

std::string QueueCore::Explainer::Message(Id id) {
  core_.mu_.AssertHeld();
  for (SlotIndex i = 0; i < core_.slots_.size(); ++i) {
    if (!core_.slots_.Holds(i)) continue;
    const Slot& slot = core_.slots_[i];
    if (slot.state == SlotState::kFree || slot.id != id) continue;
    const bool dead_letter = slot.contents.moved() != nullptr;
    if (dead_letter) TellMoved(slot);
    TellResting(i, dead_letter ? "it" : StrCat("message ", id.ToString()));
    break;
  }
  return std::move(text_);
}

void QueueCore::Explainer::TellMoved(const Slot& slot) {
  const Provenance& from = *slot.contents.provenance;
  Line("message ", slot.id.ToString(), " is in the dead-letter queue ",
       AfterReceives(from.attempt, from.history));
  const std::string& source = from.origin->arn;
  Line("it was moved at ", Since(from.moved_ns), " from ", source.substr(source.rfind(':') + 1),
       " to ", core_.name_, from.given_up ? ", as its receiver asked" : "",
       from.reason.empty() ? "" : StrCat(": ", Quoted(from.reason)));
}

void QueueCore::Explainer::TellResting(SlotIndex index, std::string_view subject) {
  core_.mu_.AssertHeld();
  const Slot& slot = core_.slots_[index];
  switch (slot.state) {
    case SlotState::kVisible:
      Line(subject, " is visible since ", Since(slot.turning_ns));
      break;
    case SlotState::kInFlight:
      Line(subject, " is in flight until ", Until(slot.turning_ns), ", ", Attempt(slot));
      break;
    case SlotState::kDelayed:
      Line(subject, " is delayed until ", Until(slot.turning_ns));
      break;
    default:
      Line(subject, " is on its way to another queue");
      return;
  }
  if (core_.groups_ != nullptr) {
    const std::optional<Barrier> barrier = FindBarrier(*slot.group);
    const bool waits = barrier.has_value() && core_.slots_[barrier->at].number < slot.number;
    if (waits) Line("its group ", Tell(*barrier));
  }
  if (slot.attempts == 0) {
    Line("nobody has received it here");
  } else {
    Line("received ", Count(slot.attempts, "time", "times"), " here, the latest at ",
         Since(slot.received_ns));
  }
  if (slot.history != nullptr) {
    const int64_t ended = slot.attempts - (slot.state == SlotState::kInFlight ? 1 : 0);
    Line("attempts that failed: ", AfterReceives(ended, *slot.history));
  }
  if (slot.receive_count > slot.attempts) {
    Line("received ", Count(slot.receive_count, "time", "times"), " in all queues it went through");
  }
  Line("sent at ", Stamp(slot.sent_unix_ns), "; its retention ends at ",
       Until(core_.ExpiresAt(slot)));
}

// What `tell` says of the queue as it is now, under its lock.
absl::StatusOr<std::string> QueueCore::ExplainBy(absl::FunctionRef<std::string(Explainer&)> tell) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  for (;;) {
    {
      MutexLock lock(&mu_);
      if (closing_.has_value()) return ClosedStatus();
      BringUpTo(&operation.now, &operation.after);
      if (!operation.after.departed) {
        Explainer explainer(this, operation.now);
        return tell(explainer);
      }
    }
    operation.Finish();  // dead letters first: nobody wants to read that they are on their way
  }
}

absl::StatusOr<std::string> QueueCore::Explain() {
  const bool dead_letter_queue_is_there = DeadLetterQueue() != nullptr;  // found under no lock
  return ExplainBy(
      [&](Explainer& explainer) { return explainer.Queue(dead_letter_queue_is_there); });
}

absl::StatusOr<std::string> QueueCore::Explain(Id message_id) {
  // A dead letter keeps its id, so where those of this queue went is asked, too, and where theirs
  // went; each queue once, and never two at a time.
  std::vector<std::shared_ptr<QueueCore>> asked = {shared_from_this()};
  for (size_t i = 0; i < asked.size(); ++i) {
    std::vector<std::weak_ptr<QueueCore>> moved_to;
    absl::StatusOr<std::string> found = asked[i]->ExplainBy([&](Explainer& explainer) {
      moved_to = explainer.MovedTo();
      return explainer.Message(message_id);
    });
    if (!found.ok() && i == 0) return found;
    if (found.ok() && !found->empty()) return found;
    for (const std::weak_ptr<QueueCore>& place : moved_to) {
      std::shared_ptr<QueueCore> queue = place.lock();
      if (queue == nullptr || std::count(asked.begin(), asked.end(), queue) > 0) continue;
      asked.push_back(std::move(queue));
    }
  }
  return StrCat("no message ", message_id.ToString(),
                " rests here, nor where dead letters of this queue went; it was deleted, has "
                "expired, got another id by a redrive, or was never here\n");
}

}  // namespace banyan::inline v0_1::internal
