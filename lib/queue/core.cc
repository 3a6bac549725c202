// SPDX-License-Identifier: Apache-2.0
#include "queue/core.h"

#include <algorithm>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

namespace {

// A queue that runs empty gives back what a flood of this many messages has left behind.
constexpr size_t kSlotsKept = 4096;

}  // namespace

std::shared_ptr<QueueCore> QueueCore::Create(std::shared_ptr<Environment> env, std::string name,
                                             const QueueOptions& options, QueueResolver resolve) {
  std::shared_ptr<QueueCore> core(
      new QueueCore(std::move(env), std::move(name), options, std::move(resolve)));
  core->origin_->queue = core;
  if (options.redrive.has_value() && core->resolve_ != nullptr) {
    core->SetDeadLetter(core->resolve_(options.redrive->dead_letter));
  }
  return core;
}

QueueCore::QueueCore(std::shared_ptr<Environment> env, std::string name,
                     const QueueOptions& options, QueueResolver resolve)
    : env_(std::move(env)),
      name_(std::move(name)),
      arn_(env_->MakeArn("sqs", name_)),
      origin_(std::make_shared<Origin>()),
      resolve_(std::move(resolve)),
      incarnation_(env_->NextIncarnation()),
      created_unix_ns_(env_->runtime.Read().unix_ns),
      fifo_(options.fifo),
      dedup_per_group_(options.deduplication_scope == DeduplicationScope::kMessageGroup),
      dedup_secret_{Mix64(incarnation_), Mix64(incarnation_ + kMixStep)},
      deadlines_(/*equal_ones_by_arrival=*/fifo_),
      groups_(fifo_ ? std::make_unique<FifoGroups>() : nullptr) {
  origin_->arn = arn_.ToString();
  origin_->incarnation = incarnation_;
  MutexLock lock(&mu_);
  modified_unix_ns_ = created_unix_ns_;
  TakeSettings(options);
  TellIntake();
}

QueueCore::~QueueCore() = default;

// ---------------------------------------------------------------------------------------------
// Books
// ---------------------------------------------------------------------------------------------

QueueStats QueueCore::Stats() {
  Operation operation(this);
  if (!operation.entered().ok()) return {};
  MutexLock lock(&mu_);
  if (closing_.has_value()) return {};
  BringUpTo(&operation.now, &operation.after);
  QueueStats stats = books_;
  MutexLock intake_lock(&intake_.mu);
  stats.duplicates = intake_.duplicates;
  return stats;
}

absl::Status QueueCore::Purge() {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  FifoDedupWindow forgotten;  // dies after the locks
  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation.now, &operation.after);
  const int64_t every_ns = CeilNanoseconds(env_->limits.queue.purge_every);
  if (purged_ns_.has_value() && operation.now.uptime_ns - *purged_ns_ < every_ns) {
    return Error(AwsError::kQueuePurgeInProgress, "Only one PurgeQueue operation on ", name_,
                 " is allowed every ", SecondsText(env_->limits.queue.purge_every), " seconds.");
  }
  purged_ns_ = operation.now.uptime_ns;
  {
    // At once: a message that stays must be remembered, and one that is forgotten must go.
    MutexLock intake_lock(&intake_.mu);
    forgotten = std::move(intake_.dedup);
    intake_.entries.swap(spare_entries_);
    intake_.waiting.store(0, std::memory_order_relaxed);
  }
  BringInAll(&operation.now, &operation.after);
  for (SlotIndex i = 0; i < slots_.size(); ++i) {
    if (!slots_.Holds(i)) continue;
    const SlotState state = slots_[i].state;
    if (state == SlotState::kFree || state == SlotState::kLeaving) continue;
    ++books_.purged;
    Drop(i, Change::kSettled, operation.now, &operation.after);
  }
  attempts_.Clear();
  return absl::OkStatus();
}

void QueueCore::Trim() {
  Operation operation(this);
  if (!operation.entered().ok()) return;
  std::vector<IntakeEntry> spare;  // dies after the locks
  MutexLock lock(&mu_);
  if (closing_.has_value()) return;
  BringUpTo(&operation.now, &operation.after);
  slots_.Trim();
  deadlines_.Trim();
  if (groups_ != nullptr) groups_->Trim();
  if (tenants_ != nullptr) tenants_->Trim(operation.now.uptime_ns);
  moved_in_.rehash(0);
  spare.swap(spare_entries_);
  MutexLock intake_lock(&intake_.mu);
  if (intake_.entries.empty()) std::vector<IntakeEntry>().swap(intake_.entries);
  intake_.dedup.Trim(operation.now.uptime_ns);
}

// ---------------------------------------------------------------------------------------------
// Time
// ---------------------------------------------------------------------------------------------

void QueueCore::BringUpTo(Instant* now, Aftermath* after, Drains drains) {
  now->uptime_ns = latest_ns_ = std::max(latest_ns_, now->uptime_ns);
  if (drains == Drains::kAlways || deadlines_.next_deadline() <= now->uptime_ns) {
    Drain(now, after);
  }
  PassTime(now->uptime_ns, *now, after);
  Expire(*now, after);
}

void QueueCore::PassTime(int64_t until_ns, const Instant& now, Aftermath* after) {
  while (deadlines_.next_deadline() <= until_ns) {
    const SlotIndex index = deadlines_.front();
    Slot& slot = slots_[index];
    if (ExpiresAt(slot) <= slot.turning_ns) {
      ++books_.expired;
      Drop(index, Change::kExpired, now, after);
    } else if (slot.state == SlotState::kInFlight) {
      EndAttempt(index, slot.turning_ns, now, after);
    } else {
      LeaveState(index, now.uptime_ns);
      MakeVisible(index, slot.turning_ns);
    }
  }
}

void QueueCore::Expire(const Instant& now, Aftermath* after) {
  while (!arrived_.empty() && ExpiresAt(slots_[arrived_.front()]) <= now.uptime_ns) {
    ++books_.expired;
    Drop(arrived_.front(), Change::kExpired, now, after);
  }
  while (!moved_by_age_.empty() &&
         ExpiresAt(slots_[moved_by_age_.begin()->second]) <= now.uptime_ns) {
    ++books_.expired;
    Drop(moved_by_age_.begin()->second, Change::kExpired, now, after);
  }
}

uint64_t QueueCore::Drain(Instant* now, Aftermath* after, const Amount& more) {
  // Who finds nothing here may have missed a sender that is just leaving something: it has not
  // answered yet. Who must not miss it took the intake's lock (TellIntake).
  if (more.messages == 0 && intake_.waiting.load(std::memory_order_relaxed) == 0) return 0;
  uint64_t first_number = 0;
  {
    MutexLock lock(&intake_.mu);
    intake_.entries.swap(spare_entries_);
    intake_.waiting.store(0, std::memory_order_relaxed);
    first_number = intake_.last_number + 1;
    intake_.last_number += static_cast<uint64_t>(more.messages);
    intake_.admitted.messages += more.messages;
    intake_.admitted.bytes += more.bytes;
    intake_.latest_ns = std::max(intake_.latest_ns, now->uptime_ns);
  }
  BringInAll(now, after);
  return first_number;
}

// What was taken out of the intake into spare_entries_.
void QueueCore::BringInAll(Instant* now, Aftermath* after) {
  for (IntakeEntry& entry : spare_entries_) {
    now->uptime_ns = latest_ns_ = std::max(latest_ns_, entry.at.uptime_ns);
    PassTime(entry.at.uptime_ns, *now, after);
    BringIn(&entry, *now);
  }
  spare_entries_.clear();
}

SlotIndex QueueCore::BringIn(IntakeEntry* entry, const Instant& now) {
  const SlotIndex index =
      AddSlot(std::move(entry->message), &entry->presentation, entry->id, entry->number);
  Slot& slot = slots_[index];
  slot.enqueued_ns = entry->at.uptime_ns;
  slot.sent_unix_ns = entry->at.unix_ns;
  arrived_.PushBack(slots_, index);
  ++books_.accepted;
  sent_sizes_.Add(static_cast<int64_t>(slot.contents.message->bytes()));
  Report(Change::kAccepted, slot, now);
  if (env_->story != nullptr) TellArrival(slot, now);
  if (entry->delay_ns > 0) {
    Hide(index, SlotState::kDelayed, AddClamped(slot.enqueued_ns, entry->delay_ns),
         entry->usual_delay);
  } else {
    MakeVisible(index, slot.enqueued_ns);
  }
  return index;
}

// ---------------------------------------------------------------------------------------------
// States
// ---------------------------------------------------------------------------------------------

// Takes the presentation, if there is one.
SlotIndex QueueCore::AddSlot(MessageRef message, std::shared_ptr<const Presentation>* presentation,
                             Id id, uint64_t number) {
  const SlotIndex index = slots_.Allocate(number);
  Slot& slot = slots_[index];
  books_.bytes += static_cast<int64_t>(message->bytes());
  slot.contents.message = std::move(message);
  if (*presentation != nullptr) slot.contents.presentation = std::move(*presentation);
  slot.id = id;
  const std::string_view group = slot.contents.group_id();
  if (fifo_) {
    groups_->Add(slots_, index, group);
  } else if (!group.empty()) {
    if (tenants_ == nullptr) tenants_ = std::make_unique<FairTenants>(options_.fairness);
    tenants_->Add(slots_, index, group);
  }
  return index;
}

void QueueCore::MakeVisible(SlotIndex index, int64_t since_ns) {
  Slot& slot = slots_[index];
  slot.state = SlotState::kVisible;
  slot.turning_ns = since_ns;
  ++books_.depth.visible;
  Line(index);
  WakeOne();
}

// Puts a visible message in its place among them; and takes it out.
void QueueCore::Line(SlotIndex index) {
  Slot& slot = slots_[index];
  if (fifo_) return groups_->Turned(slots_, index);
  slot.turning_order = ++lined_;
  slot.offered_again = slot.attempts > 0 && slot.attempts < kReceivesBeforeBack;
  if (strict_ != nullptr) {
    strict_->emplace(slot.number, index);
  } else if (slot.tenant != nullptr) {
    tenants_->Show(slots_, index);
  } else {
    plain_.PushBack(slots_, index);
  }
}

void QueueCore::Unline(SlotIndex index) {
  const Slot& slot = slots_[index];
  if (fifo_) {
    groups_->Turned(slots_, index);
  } else if (strict_ != nullptr) {
    strict_->erase(slot.number);
  } else if (slot.tenant != nullptr) {
    tenants_->Hide(slots_, index);
  } else {
    plain_.Remove(slots_, index);
  }
}

void QueueCore::Hide(SlotIndex index, SlotState state, int64_t deadline_ns, bool is_usual) {
  Slot& slot = slots_[index];
  slot.state = state;
  deadlines_.Push(slots_, index, deadline_ns, is_usual);
  if (state == SlotState::kDelayed) {
    ++books_.depth.delayed;
    if (!fifo_ && slot.tenant != nullptr) ++slot.tenant->delayed;
    return;
  }
  ++books_.depth.in_flight;
  if (fifo_) {
    groups_->BeginFlight(slot);
  } else if (slot.tenant != nullptr) {
    tenants_->BeginFlight(slot);
  }
}

// A message that is in flight stays so, until another time.
void QueueCore::Rehide(SlotIndex index, int64_t deadline_ns) {
  deadlines_.Remove(slots_, index);
  deadlines_.Push(slots_, index, deadline_ns, /*is_usual=*/false);
}

// The slot is then in no structure but its group, and the caller gives it its next state.
void QueueCore::LeaveState(SlotIndex index, int64_t now_ns) {
  Slot& slot = slots_[index];
  const SlotState was = slot.state;
  slot.state = SlotState::kLeaving;
  switch (was) {
    case SlotState::kVisible:
      --books_.depth.visible;
      Unline(index);
      break;
    case SlotState::kDelayed:
      deadlines_.Remove(slots_, index);
      --books_.depth.delayed;
      if (!fifo_ && slot.tenant != nullptr) --slot.tenant->delayed;
      break;
    case SlotState::kInFlight:
      deadlines_.Remove(slots_, index);
      --books_.depth.in_flight;
      if (fifo_) {
        groups_->EndFlight(slot);
      } else if (tenants_ != nullptr) {
        tenants_->EndFlight(slot, now_ns);
      }
      break;
    case SlotState::kFree:
    case SlotState::kLeaving:
      BANYAN_CHECK(false, "Q1: a message that leaves a state is in one");
  }
}

void QueueCore::LeaveBooks(SlotIndex index, int64_t now_ns) {
  Slot& slot = slots_[index];
  const bool made_room = slot.state == SlotState::kInFlight && !HasRoomInFlight();
  LeaveState(index, now_ns);
  if (slot.own_age) {
    moved_by_age_.erase({slot.enqueued_ns, slot.number});
  } else {
    arrived_.Remove(slots_, index);
  }
  ForgetOrigin(&slot);
  const int64_t bytes = static_cast<int64_t>(slot.contents.message->bytes());
  books_.bytes -= bytes;
  ChangeLeft({1, bytes});
  if (made_room) WakeOne();
}

// What has left, for senders who look for room. Only we write it, so a load and a store do.
void QueueCore::ChangeLeft(const Amount& by) {
  intake_.left_messages.store(intake_.left_messages.load(std::memory_order_relaxed) + by.messages,
                              std::memory_order_release);
  intake_.left_bytes.store(intake_.left_bytes.load(std::memory_order_relaxed) + by.bytes,
                           std::memory_order_release);
  if (senders_waiting_ > 0) senders_.WakeAll();
}

Contents QueueCore::FreeSlot(SlotIndex index, int64_t now_ns) {
  if (fifo_) {
    groups_->Remove(slots_, index);
    WakeOne();  // it may have kept others of its group waiting
  } else if (slots_[index].tenant != nullptr) {
    tenants_->Remove(slots_, index, now_ns);
  }
  Contents contents = slots_.Free(index);
  if (slots_.used() == 0 && slots_.held() > kSlotsKept) slots_.Trim();
  return contents;
}

void QueueCore::Drop(SlotIndex index, Change why, const Instant& now, Aftermath* after) {
  Report(why, slots_[index], now);
  if (env_->story != nullptr) TellEnd(why, slots_[index], now);
  // Whoever had an expired message had it until then, not until somebody looked.
  const int64_t left_ns = std::min(now.uptime_ns, ExpiresAt(slots_[index]));
  LeaveBooks(index, left_ns);
  after->dropped.push_back(FreeSlot(index, now.uptime_ns));
}

// An attempt is over and has not settled its message.
void QueueCore::EndAttempt(SlotIndex index, int64_t visible_since_ns, const Instant& now,
                           Aftermath* after) {
  Slot& slot = slots_[index];
  AddFailure(&slot, {}, now);
  if (slot.number < drop_from_number_) drop_from_ = kNoSlot;
  if (Exhausted(slot)) {
    Depart(index, nullptr, std::nullopt, now, after);
  } else {
    if (env_->story != nullptr) {
      const int64_t back_ns = now.uptime_ns - visible_since_ns;
      Tell(StoryStep::Kind::kReturned, slot, {visible_since_ns, now.unix_ns - back_ns});
    }
    LeaveState(index, visible_since_ns);
    MakeVisible(index, visible_since_ns);
  }
}

// Kept where a dead-letter queue may want to tell; the latest few.
void QueueCore::AddFailure(Slot* slot, std::string_view error, const Instant& now) {
  constexpr size_t kKept = 10;
  if (!options_.redrive.has_value()) return;
  if (slot->history == nullptr) slot->history = std::make_unique<std::vector<FailedAttempt>>();
  std::vector<FailedAttempt>& history = *slot->history;
  if (history.empty() || history.back().attempt != slot->attempts) {
    if (history.size() == kKept) history.erase(history.begin());
    history.push_back({.attempt = slot->attempts,
                       .received_unix_ns = now.unix_ns - (now.uptime_ns - slot->received_ns),
                       .error = {}});
  }
  if (!error.empty()) history.back().error = std::string(error.substr(0, 1'024));
}

bool QueueCore::Exhausted(const Slot& slot) const {
  // At least one attempt here, so that a dead-letter queue with a policy of its own offers what it
  // was given, however many attempts that had elsewhere.
  return options_.redrive.has_value() && slot.attempts > 0 &&
         slot.receive_count >= options_.redrive->max_receive_count;
}

bool QueueCore::HasRoomInFlight() const { return books_.depth.in_flight < options_.in_flight_max; }

bool QueueCore::Takeable() const {
  return books_.depth.visible > 0 && HasRoomInFlight() &&
         (groups_ == nullptr || groups_->first_ready() != nullptr);
}

int64_t QueueCore::ExpiresAt(const Slot& slot) const {
  return AddClamped(slot.enqueued_ns, retention_ns_);
}

int64_t QueueCore::NextExpiry() const {
  int64_t next_ns = kNever;
  if (!arrived_.empty()) next_ns = ExpiresAt(slots_[arrived_.front()]);
  if (!moved_by_age_.empty()) {
    next_ns = std::min(next_ns, ExpiresAt(slots_[moved_by_age_.begin()->second]));
  }
  return next_ns;
}

// ---------------------------------------------------------------------------------------------
// The end
// ---------------------------------------------------------------------------------------------

QueueDepth QueueCore::Close(CloseKind why) {
  // What dies after the lock.
  SlotArena slots;
  std::vector<IntakeEntry> entries;
  FifoDedupWindow dedup;
  QueueDepth left;
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return {};
    closing_ = why;
    left = books_.depth;
    if (env_->story != nullptr && why == CloseKind::kDeleted) TellOfAll("the queue was deleted");
    {
      MutexLock intake_lock(&intake_.mu);
      intake_.closed = why;
      entries.swap(intake_.entries);
      intake_.waiting.store(0, std::memory_order_relaxed);
      dedup = std::move(intake_.dedup);
    }
    left.visible += static_cast<int64_t>(outgoing_.size());  // between two queues
    for (const IntakeEntry& entry : entries) {
      ++(entry.delay_ns > 0 ? left.delayed : left.visible);
    }
    std::swap(slots, slots_);
    plain_ = {};
    strict_ = nullptr;
    tenants_ = nullptr;
    if (groups_ != nullptr) *groups_ = FifoGroups();
    deadlines_ = Deadlines(fifo_);
    arrived_ = {};
    moved_by_age_.clear();
    moved_in_ = {};
    moved_to_ = {};
    attempts_.Clear();
    books_ = {};
    if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
    timer_ = TimerId::kNone;
    timer_at_ns_ = kNever;
    WakeEverybody();
  }
  return left;
}

bool QueueCore::closed() const {
  MutexLock lock(&mu_);
  return closing_.has_value();
}

namespace {

absl::Status Closed(CloseKind why, std::string_view name) {
  if (why == CloseKind::kDeleted) {
    return Error(AwsError::kQueueDoesNotExist, "The specified queue does not exist.");
  }
  return Error(AwsError::kServiceUnavailable, "The broker of the queue ", name, " has stopped.");
}

}  // namespace

absl::Status QueueCore::ClosedStatus() const { return Closed(*closing_, name_); }
absl::Status QueueCore::IntakeClosedStatus() const { return Closed(*intake_.closed, name_); }

// ---------------------------------------------------------------------------------------------
// Texts and checks
// ---------------------------------------------------------------------------------------------

absl::StatusOr<Receipt> QueueCore::ParseReceipt(std::string_view text) const {
  const std::optional<Receipt> receipt = Receipt::Parse(text);
  if (receipt.has_value() && receipt->incarnation == incarnation_ && receipt->attempt > 0) {
    return *receipt;
  }
  return Error(AwsError::kQueueReceiptHandleIsInvalid, "The input receipt handle \"", text,
               "\" is not a valid receipt handle.");
}

absl::Status QueueCore::StaleReceipt(const Receipt& receipt) const {
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", receipt.ToString(),
               " for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not "
               "available for visibility timeout change.");
}

absl::Status QueueCore::ExpiredReceipt(const Receipt& receipt) const {
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", receipt.ToString(),
               " for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.");
}

absl::Status QueueCore::OverLimitStatus() const {
  return Error(AwsError::kQueueOverLimit, "Too many messages in flight in ", name_, ": ",
               books_.depth.in_flight, ", the limit is ", options_.in_flight_max, ".");
}

absl::Status QueueCore::FullStatus() const {
  return Error(AwsError::kQueueRequestThrottled, "The queue ", name_, " is full: it holds ",
               books_.depth.total(), " of ", options_.messages_max, " messages and ", books_.bytes,
               " of ", options_.bytes_max, " bytes.");
}

absl::Status QueueCore::NoMoreIdsStatus() const {
  return Error(AwsError::kQueueRequestThrottled, "The queue ", name_,
               " cannot take more deduplication ids within five minutes.");
}

void QueueCore::Report(Change change, const Slot& slot, const Instant& now, int64_t deadline_ns,
                       std::string_view destination) {
  if (env_->journal == nullptr) return;
  const bool id_says_enough = change == Change::kSettled || change == Change::kExpired;
  env_->journal->Append({.change = change,
                         .resource = arn_text(),
                         .message_id = slot.id,
                         .message = id_says_enough ? nullptr : slot.contents.message.get(),
                         .at = now,
                         .receive_count = slot.receive_count,
                         .deadline_ns = deadline_ns,
                         .destination = destination});
}

size_t QueueCore::slots_held() const {
  MutexLock lock(&mu_);
  return slots_.held();
}

bool QueueCore::timer_pending() const {
  MutexLock lock(&mu_);
  return timer_ != TimerId::kNone;
}

}  // namespace banyan::inline v0_1::internal
