// SPDX-License-Identifier: Apache-2.0
#include "queue_model.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/strings.h"

namespace banyan::internal {
namespace {

constexpr absl::Duration kWindow = absl::Minutes(5);  // of deduplication, and of named receives
constexpr absl::Duration kPurgeEvery = absl::Seconds(60);
constexpr absl::Duration kVisibilityMax = absl::Hours(12);
constexpr absl::Duration kDelayMax = absl::Minutes(15);

const char kOk[] = "OK";
const char kInvalidParameterValue[] = "InvalidParameterValue";
const char kMissingParameter[] = "MissingParameter";

}  // namespace

// --- time -------------------------------------------------------------------------------------

// FIFO: the queue's delay, as it is now, holds for what nobody has received here.
absl::Duration Model::HiddenUntil(const ModelMessage& m) const {
  const QueueOptions& options = queues[m.queue].options;
  return options.fifo && m.attempts == 0 ? m.enqueued + options.delay : m.hidden_until;
}

absl::Duration Model::Expires(const ModelMessage& m) const {
  return m.enqueued + queues[m.queue].options.retention;
}

// At the instant it would be visible again after its last attempt. The count goes on in a
// dead-letter queue, but what came from elsewhere has an attempt there first.
absl::Duration Model::Moves(const ModelMessage& m) const {
  const std::optional<RedrivePolicy>& redrive = queues[m.queue].options.redrive;
  const bool was_the_last =
      redrive.has_value() && m.attempts > 0 && m.receive_count >= redrive->max_receive_count;
  return was_the_last ? HiddenUntil(m) : absl::InfiniteDuration();
}

void Model::BringUpTo(absl::Duration now) {
  while (true) {
    ModelMessage* next = nullptr;
    absl::Duration due;
    for (ModelMessage& m : messages) {
      if (m.queue == kNowhere) continue;
      // What a change of options made due in the past happens at the change.
      const absl::Duration at = std::max(now_, std::min(Expires(m), Moves(m)));
      if (at > now) continue;
      if (next == nullptr || at < due || (at == due && m.arrived < next->arrived)) {
        next = &m;
        due = at;
      }
    }
    if (next == nullptr) break;
    now_ = due;
    if (Expires(*next) <= now_) {  // in any state; so also when it would move at this instant
      ++queues[next->queue].books.expired;
      next->queue = kNowhere;
    } else {
      if (next->reason != "") next->reason = std::nullopt;
      Move(*next);
    }
  }
  now_ = now;
}

size_t Model::DeadLetterQueueOf(size_t queue) const {
  const std::optional<RedrivePolicy>& redrive = queues[queue].options.redrive;
  if (!redrive.has_value()) return kNowhere;
  for (size_t i = 0; i < queues.size(); ++i) {
    if (queues[i].arn == redrive->dead_letter) return i;
  }
  return kNowhere;
}

void Model::Move(ModelMessage& m) {
  const size_t from = m.queue;
  m.queue = DeadLetterQueueOf(from);
  ++queues[from].books.moved_out;
  ++queues[m.queue].books.moved_in;
  m.source = from;
  m.arrived = ++arrivals_;
  m.attempts = 0;
  m.hidden_until = now_;
  m.sequence.reset();
  if (IsFifo(m.queue)) {
    m.enqueued = now_;                      // retention begins anew; a standard queue keeps it
    m.deduplication_id = m.id->ToString();  // it was received, so its id was seen
  }
}

std::vector<absl::Duration> Model::Deadlines() const {
  std::vector<absl::Duration> all;
  for (const ModelMessage& m : messages) {
    if (m.queue == kNowhere) continue;
    all.push_back(HiddenUntil(m));
    all.push_back(Expires(m));
  }
  for (const ModelDeduplication& d : deduplications_) all.push_back(d.accepted + kWindow);
  for (const ModelAttempt& a : attempts_) all.push_back(a.first + kWindow);
  for (const ModelQueue& q : queues) {
    if (q.purged.has_value()) all.push_back(*q.purged + kPurgeEvery);
  }
  all.erase(std::remove_if(all.begin(), all.end(), [this](absl::Duration d) { return d <= now_; }),
            all.end());
  return all;
}

// --- queues -----------------------------------------------------------------------------------

size_t Model::AddQueue(const Arn& arn, const QueueOptions& options) {
  queues.push_back({arn, options, options.deduplication_scope, {}, 0, std::nullopt});
  return queues.size() - 1;
}

void Model::SetOptions(size_t queue, const QueueOptions& options) {
  queues[queue].options = options;
  BringUpTo(now_);
}

std::string Model::Purge(size_t queue) {
  ModelQueue& q = queues[queue];
  if (q.purged.has_value() && now_ < *q.purged + kPurgeEvery) {
    return "AWS.SimpleQueueService.PurgeQueueInProgress";
  }
  q.purged = now_;
  for (ModelMessage& m : messages) {
    if (m.queue != queue) continue;
    ++q.books.purged;
    m.queue = kNowhere;
  }
  deduplications_.erase(
      std::remove_if(deduplications_.begin(), deduplications_.end(),
                     [queue](const ModelDeduplication& d) { return d.queue == queue; }),
      deduplications_.end());
  return kOk;
}

QueueStats Model::Stats(size_t queue) const {
  QueueStats stats = queues[queue].books;
  for (const ModelMessage& m : messages) {
    if (m.queue != queue) continue;
    stats.bytes += m.bytes;
    QueueDepth& depth = stats.depth;
    ++(IsVisible(m) ? depth.visible : m.attempts > 0 ? depth.in_flight : depth.delayed);
  }
  return stats;
}

// --- messages in ------------------------------------------------------------------------------

std::string Model::BatchFault(size_t queue, const std::vector<SendRequest>& requests) const {
  const QueueOptions& options = queues[queue].options;
  if (requests.empty()) return "AWS.SimpleQueueService.EmptyBatchRequest";
  if (requests.size() > 10) return "AWS.SimpleQueueService.TooManyEntriesInBatchRequest";
  if (!options.fifo) return kOk;
  for (const SendRequest& request : requests) {
    if (request.message_group_id.empty()) return kInvalidParameterValue;
    if (request.message_deduplication_id.empty() && !options.content_based_deduplication) {
      return kInvalidParameterValue;
    }
  }
  return kOk;
}

ModelSent Model::Send(size_t queue, const SendRequest& request, int64_t label) {
  ModelQueue& q = queues[queue];
  const absl::Duration delay = request.delay.value_or(absl::ZeroDuration());
  std::string deduplication_id = request.message_deduplication_id;
  if (request.body.empty()) return {kMissingParameter};
  if (delay < absl::ZeroDuration() || delay > kDelayMax) return {kInvalidParameterValue};
  if (q.options.fifo) {
    if (request.message_group_id.empty()) return {kMissingParameter};
    if (deduplication_id.empty()) {
      if (!q.options.content_based_deduplication) return {kInvalidParameterValue};
      deduplication_id = Sha256Hex(request.body.view());
    }
    if (delay > absl::ZeroDuration()) return {kInvalidParameterValue};
    for (const ModelDeduplication& d : deduplications_) {
      if (d.queue != queue || d.id != deduplication_id || now_ >= d.accepted + kWindow) continue;
      if (q.scope == DeduplicationScope::kMessageGroup && d.group != request.message_group_id) {
        continue;
      }
      ++q.books.duplicates;
      return {kOk, d.message, true};
    }
  } else if (!deduplication_id.empty()) {
    return {kInvalidParameterValue};
  }

  ModelMessage m;
  m.bytes = static_cast<int64_t>(request.body.size());
  for (const auto& [name, value] : request.attributes) {
    m.bytes += static_cast<int64_t>(name.size() + value.type.size() + value.value.size());
  }
  if (!MakeRoom(queue, m.bytes)) {
    ++q.books.rejected;
    return {"RequestThrottled"};
  }
  m.label = label;
  m.queue = queue;
  m.arrived = ++arrivals_;
  m.body = request.body.view();
  m.group = request.message_group_id;
  m.sent = m.enqueued = now_;
  m.hidden_until = now_ + request.delay.value_or(q.options.delay);
  ++q.books.accepted;
  messages.push_back(m);
  if (q.options.fifo) {
    messages.back().deduplication_id = deduplication_id;
    deduplications_.push_back({queue, m.group, deduplication_id, now_, messages.size() - 1});
  }
  return {kOk, messages.size() - 1};
}

bool Model::MakeRoom(size_t queue, int64_t bytes) {
  ModelQueue& q = queues[queue];
  while (true) {
    const QueueStats stats = Stats(queue);
    if (stats.depth.total() < q.options.messages_max &&
        stats.bytes + bytes <= q.options.bytes_max) {
      return true;
    }
    if (q.options.when_full != WhenFull::kDropOldest) return false;
    ModelMessage* oldest = nullptr;
    for (ModelMessage& m : messages) {
      if (m.queue != queue || IsInFlight(m)) continue;
      if (oldest == nullptr || m.arrived < oldest->arrived) oldest = &m;
    }
    if (oldest == nullptr) return false;
    ++q.books.dropped;
    oldest->queue = kNowhere;
  }
}

// --- messages out -----------------------------------------------------------------------------

std::vector<size_t> Model::Receivable(size_t queue) const {
  std::vector<size_t> here;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].queue != queue) continue;
    if (IsFifo(queue) || IsVisible(messages[i])) here.push_back(i);
  }
  if (!IsFifo(queue)) return here;

  std::sort(here.begin(), here.end(),
            [this](size_t a, size_t b) { return messages[a].arrived < messages[b].arrived; });
  // Of each group the longest prefix that is visible.
  struct Run {
    std::string group;
    std::vector<size_t> messages;
    bool ended = false;
  };
  std::vector<Run> runs;
  for (const size_t i : here) {
    const ModelMessage& m = messages[i];
    auto run =
        std::find_if(runs.begin(), runs.end(), [&m](const Run& r) { return r.group == m.group; });
    if (run == runs.end()) run = runs.insert(runs.end(), Run{m.group, {}});
    if (!IsVisible(m)) run->ended = true;
    if (!run->ended) run->messages.push_back(i);
  }
  runs.erase(
      std::remove_if(runs.begin(), runs.end(), [](const Run& r) { return r.messages.empty(); }),
      runs.end());
  // The group whose head has been visible longest comes first. Of equals the one with the lower
  // sequence number; one that is not known was not received, so it comes later.
  std::sort(runs.begin(), runs.end(), [this](const Run& x, const Run& y) {
    const ModelMessage& a = messages[x.messages[0]];
    const ModelMessage& b = messages[y.messages[0]];
    if (HiddenUntil(a) != HiddenUntil(b)) return HiddenUntil(a) < HiddenUntil(b);
    return a.sequence.value_or(UINT64_MAX) < b.sequence.value_or(UINT64_MAX);
  });
  std::vector<size_t> list;
  for (const Run& run : runs) list.insert(list.end(), run.messages.begin(), run.messages.end());
  return list;
}

int64_t Model::Room(size_t queue) const {
  return std::max<int64_t>(0, queues[queue].options.in_flight_max - Stats(queue).depth.in_flight);
}

std::optional<absl::Duration> Model::WhenReceivable(size_t queue, absl::Duration deadline) const {
  Model later = *this;
  while (later.Receivable(queue).empty() || later.Room(queue) == 0) {
    std::optional<absl::Duration> next;
    for (const absl::Duration d : later.Deadlines()) next = std::min(d, next.value_or(d));
    if (!next.has_value() || *next > deadline) return std::nullopt;
    later.BringUpTo(*next);
  }
  return later.now();
}

size_t Model::Receive(size_t message, absl::Duration visibility) {
  ModelMessage& m = messages[message];
  ++m.receive_count;
  ++m.attempts;
  ++queues[m.queue].books.received;
  if (!m.first_received.has_value()) m.first_received = now_;
  m.received = now_;
  m.replayed = false;
  m.hidden_until = now_ + visibility;
  m.handle = handles.size();
  handles.push_back({message, m.queue, now_});
  return m.handle;
}

void Model::NameReceive(size_t queue, const std::string& id, std::vector<size_t> given) {
  ModelAttempt attempt{queue, id, now_, now_, std::move(given), {}};
  for (const size_t h : attempt.handles) {
    attempt.changes.push_back(messages[handles[h].message].changes);
  }
  attempts_.erase(
      std::remove_if(attempts_.begin(), attempts_.end(),
                     [&](const ModelAttempt& a) { return a.queue == queue && a.id == id; }),
      attempts_.end());
  attempts_.push_back(std::move(attempt));
}

// Every message of it is still in flight by this receive, and nobody changed it.
bool Model::AttemptHolds(const ModelAttempt& attempt) const {
  for (size_t i = 0; i < attempt.handles.size(); ++i) {
    const ModelMessage& m = messages[handles[attempt.handles[i]].message];
    if (m.queue != attempt.queue || m.handle != attempt.handles[i] || IsVisible(m) ||
        m.changes != attempt.changes[i]) {
      return false;
    }
  }
  return !attempt.handles.empty();
}

ModelAttempt* Model::FindReplay(size_t queue, const std::string& id) {
  for (ModelAttempt& a : attempts_) {
    if (a.queue == queue && a.id == id && now_ < a.first + kWindow && AttemptHolds(a)) return &a;
  }
  return nullptr;
}

bool Model::ReplayIsOpen(size_t queue, const std::string& id) const {
  return std::any_of(attempts_.begin(), attempts_.end(), [&](const ModelAttempt& a) {
    return a.queue == queue && a.id == id && now_ >= a.first + kWindow && now_ < a.last + kWindow &&
           AttemptHolds(a);
  });
}

void Model::Replay(ModelAttempt& attempt, absl::Duration visibility) {
  attempt.last = now_;
  for (const size_t h : attempt.handles) {
    ModelMessage& m = messages[handles[h].message];
    m.hidden_until = now_ + visibility;
    m.replayed = true;
  }
  BringUpTo(now_);
}

// --- settling ---------------------------------------------------------------------------------

Codes Model::Delete(size_t handle) {
  ModelMessage& m = messages[handles[handle].message];
  const size_t giver = handles[handle].queue;
  const bool fifo = IsFifo(giver);
  if (m.queue == kNowhere) return {kOk};
  if (m.queue == giver) {
    if (fifo && (m.handle != handle || IsVisible(m))) return {kInvalidParameterValue};
    if (m.handle != handle) {
      ++queues[giver].books.stale_deletes;
      return {kOk};
    }
  } else if (m.attempts > 0 || m.handle != handle) {
    // A dead letter by now, and somebody else's or another attempt's. What an expired handle is
    // told of it, and in which queue's books it is stale, is not said.
    ++queues[giver].open_stale_deletes;
    ++queues[m.queue].open_stale_deletes;
    return fifo ? Codes{kOk, kInvalidParameterValue} : Codes{kOk};
  }
  ++queues[m.queue].books.deleted;
  m.queue = kNowhere;
  return {kOk};
}

bool Model::DeleteIsOpen(size_t handle) const {
  const ModelMessage& m = messages[handles[handle].message];
  return m.moved_by_hand && m.queue != kNowhere && m.queue != handles[handle].queue;
}

Codes Model::ChangeVisibility(size_t handle, absl::Duration from_now) {
  ModelMessage& m = messages[handles[handle].message];
  const size_t giver = handles[handle].queue;
  if (from_now < absl::ZeroDuration() || from_now > kVisibilityMax) return {kInvalidParameterValue};
  if (m.queue != giver) return {kInvalidParameterValue};
  if (IsFifo(giver) && (m.handle != handle || IsVisible(m))) return {kInvalidParameterValue};
  const bool too_long = (now_ - m.received) + from_now > kVisibilityMax;
  const bool no_room = IsVisible(m) && from_now > absl::ZeroDuration() && Room(giver) == 0;
  if (too_long && no_room) return {kInvalidParameterValue, "OverLimit"};
  if (too_long) return {kInvalidParameterValue};
  if (no_room) return {"OverLimit"};
  m.hidden_until = now_ + from_now;
  ++m.changes;
  BringUpTo(now_);
  return {kOk};
}

bool Model::ChangeIsOpen(size_t handle, absl::Duration from_now) const {
  const ModelMessage& m = messages[handles[handle].message];
  return (m.handle != handle || m.replayed) && from_now <= kVisibilityMax &&
         (now_ - handles[handle].received) + from_now > kVisibilityMax;
}

bool Model::MoveToDeadLetterQueue(size_t handle, const std::string& reason) {
  ModelMessage& m = messages[handles[handle].message];
  const size_t giver = handles[handle].queue;
  if (DeadLetterQueueOf(giver) == kNowhere || m.queue != giver || m.handle != handle ||
      IsVisible(m)) {
    return false;
  }
  m.reason = reason;
  m.moved_by_hand = true;
  Move(m);
  BringUpTo(now_);  // a standard message may be too old for that queue
  return true;
}

bool Model::MoveIsOpen(size_t handle) const {
  const ModelMessage& m = messages[handles[handle].message];
  return m.queue == handles[handle].queue && !IsFifo(m.queue) && m.handle == handle && IsVisible(m);
}

std::vector<size_t> Model::Redrivable(size_t queue) const {
  std::vector<size_t> list;
  for (size_t i = 0; i < messages.size(); ++i) {
    const ModelMessage& m = messages[i];
    if (m.queue == queue && m.source.has_value() && IsVisible(m)) list.push_back(i);
  }
  std::sort(list.begin(), list.end(),
            [this](size_t a, size_t b) { return messages[a].arrived < messages[b].arrived; });
  return list;
}

void Model::SendBack(size_t message) {
  const ModelMessage old = messages[message];
  messages[message].queue = kNowhere;
  ++queues[old.queue].books.moved_out;
  ++queues[*old.source].books.moved_in;
  ModelMessage m;
  m.label = old.label;
  m.queue = *old.source;
  m.arrived = ++arrivals_;
  m.body = old.body;
  m.group = old.group;
  m.bytes = old.bytes;
  m.sent_back = true;
  m.sent = m.enqueued = m.hidden_until = now_;
  messages.push_back(m);
}

bool Model::DelayIsOpen(size_t queue) const {
  return std::any_of(messages.begin(), messages.end(), [&](const ModelMessage& m) {
    return IsFifo(queue) && m.queue == queue && m.sent_back && m.attempts == 0;
  });
}

// --- looking ----------------------------------------------------------------------------------

std::string Model::Describe() const {
  std::vector<const ModelMessage*> resting;
  for (const ModelMessage& m : messages) {
    if (m.queue != kNowhere) resting.push_back(&m);
  }
  std::sort(resting.begin(), resting.end(), [](const ModelMessage* a, const ModelMessage* b) {
    return std::pair(a->queue, a->arrived) < std::pair(b->queue, b->arrived);
  });
  std::string text;
  for (const ModelMessage* m : resting) {
    StrAppend(&text, "  ", queues[m->queue].arn.resource, ": ", m->label, " of group '", m->group,
              "', enqueued ", absl::FormatDuration(m->enqueued), ", hidden until ",
              absl::FormatDuration(HiddenUntil(*m)), ", attempts ", m->attempts, " of ",
              m->receive_count, "\n");
  }
  return text;
}

ModelMessage* Model::Find(int64_t label) {
  for (ModelMessage& m : messages) {
    if (m.queue != kNowhere && m.label == label) return &m;
  }
  return nullptr;
}

}  // namespace banyan::internal
