// SPDX-License-Identifier: Apache-2.0
#include "deliver/courier.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/nanoseconds.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {

// One pending delivery (C2). Holds its courier, so that a retry under way outlives an Unsubscribe;
// but not in waiting_, where the timer does, so that no courier owns itself.
struct Courier::Attempt {
  std::shared_ptr<Courier> courier;
  Delivery delivery;     // its `attempt` is the one that was last begun
  int64_t since_ns = 0;  // uptime; its age counts from here
  bool is_head = false;  // of its group's line (C7)
};

// C8.
class Courier::Return final : public WayBack {
 public:
  Return(std::function<std::shared_ptr<Courier>()> find, Delivery delivery)
      : find_(std::move(find)), delivery_(std::move(delivery)) {}

  bool Redeliver() const override {
    const std::shared_ptr<Courier> courier = find_();
    return courier != nullptr && courier->Redeliver(delivery_);
  }

 private:
  const std::function<std::shared_ptr<Courier>()> find_;
  const Delivery delivery_;
};

namespace {

const std::string& GroupOf(const Delivery& delivery) { return delivery.message->group_id(); }

// For people: without the mark by which FindAwsError() knows it.
std::string TextOf(const absl::Status& status) {
  return status.ToString(absl::StatusToStringMode::kWithNoExtraData);
}

int64_t AcceptedNanoseconds(const Delivery& delivery) {
  return delivery.message->accepted.uptime_ns;
}

}  // namespace

Courier::Courier(std::shared_ptr<Environment> env, CourierPlan plan)
    : env_(std::move(env)), plan_(std::move(plan)), dead_letter_(plan_.dead_letter) {}

std::shared_ptr<Courier> Courier::Create(std::shared_ptr<Environment> env, CourierPlan plan) {
  BANYAN_CHECK(plan.destination != nullptr, "a courier has a destination");
  BANYAN_CHECK(plan.dead_letter == nullptr || plan.dead_letter_form != nullptr,
               "whoever gives a dead-letter queue says what it gets");
  return std::shared_ptr<Courier>(new Courier(std::move(env), std::move(plan)));
}

std::unique_ptr<Courier::Attempt> Courier::NewAttempt(const Delivery& delivery, int64_t since_ns) {
  {
    MutexLock lock(&mu_);
    ++pending_;
    if (plan_.in_order) ++lines_[GroupOf(delivery)].heads;
    Report(delivery, Change::kAccepted, plan_.destination->arn_text());
  }
  std::unique_ptr<Attempt> attempt(
      new Attempt{shared_from_this(), delivery, since_ns, plan_.in_order});
  attempt->delivery.now.reset();
  return attempt;
}

// True: something of its group is pending, and this was put behind it; or given up, if too many
// wait.
bool Courier::WaitsInLine(const Delivery& delivery, int64_t since_ns) {
  // As in waiting_, without its courier, so that no courier owns itself.
  std::unique_ptr<Attempt> attempt;
  {
    MutexLock lock(&mu_);
    const auto line = lines_.find(GroupOf(delivery));
    if (line == lines_.end()) return false;
    attempt.reset(new Attempt{nullptr, delivery, since_ns});
    attempt->delivery.attempt = 0;  // none was begun
    attempt->delivery.now.reset();
    ++pending_;
    Report(delivery, Change::kAccepted, plan_.destination->arn_text());
    if (static_cast<int64_t>(waiting_.size()) + in_line_ < plan_.retry.waiting_max) {
      ++in_line_;
      line->second.behind.push_back(std::move(attempt));
      return true;
    }
  }
  attempt->courier = shared_from_this();
  GivenUp why = {.last_refusal = absl::ResourceExhaustedError("too many messages wait"),
                 .retries = 0,
                 .exhausted = kExhaustedAttempts};
  GiveUp(std::move(attempt), std::move(why));
  return true;
}

// The delivery is pending no more: those behind it have their turn, until one of them stays. A loop
// and no recursion, since a line may be long.
void Courier::HeadGone(const Attempt& gone) {
  if (!gone.is_head) return;
  const std::string& group = GroupOf(gone.delivery);
  {
    MutexLock lock(&mu_);
    const auto line = lines_.find(group);
    if (line == lines_.end()) return;  // closed
    --line->second.heads;
    if (line->second.is_passing) return;
    line->second.is_passing = true;
  }
  for (;;) {
    std::unique_ptr<Attempt> next;
    {
      MutexLock lock(&mu_);
      const auto line = lines_.find(group);
      if (line == lines_.end()) return;
      if (line->second.heads > 0) {
        line->second.is_passing = false;
        return;
      }
      if (line->second.behind.empty()) {
        lines_.erase(line);
        return;
      }
      next = std::move(line->second.behind.front());
      line->second.behind.pop_front();
      --in_line_;
      line->second.heads = 1;
    }
    next->courier = shared_from_this();
    next->is_head = true;
    TryAgain(std::move(next));
  }
}

Completion Courier::CompletionOf(std::unique_ptr<Attempt> attempt) {
  return [attempt = std::move(attempt)](absl::Status answer) mutable {
    Courier& courier = *attempt->courier;
    courier.Answered(std::move(attempt), std::move(answer));
  };
}

void Courier::Deliver(Delivery& delivery) {
  delivery.source_arn = plan_.source_arn;
  delivery.attempt = 1;
  if (plan_.form != nullptr) return DeliverFormed(delivery);
  Offer(delivery);
}

// A copy, for the publisher shows its own to others.
void Courier::DeliverFormed(Delivery formed) {
  const absl::Status status = plan_.form(formed);
  if (status.ok()) {
    formed.presented_bytes.reset();
    return Offer(formed);
  }
  {
    MutexLock lock(&mu_);
    ++dropped_;
  }
  Tell(StoryStep::Kind::kDropped, formed, ToStd(status.message()));
  LogDrop(formed, StrCat("before any attempt: ", ToStd(status.message())));
}

void Courier::Offer(const Delivery& delivery) {
  const int64_t since_ns = AcceptedNanoseconds(delivery);
  if (plan_.in_order && WaitsInLine(delivery, since_ns)) return;
  std::optional<absl::Status> answer = plan_.destination->Accept(
      delivery,
      [this, &delivery, since_ns] { return CompletionOf(NewAttempt(delivery, since_ns)); });
  if (!answer.has_value()) return;
  if (answer->ok()) {
    delivered_at_once_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  Answered(NewAttempt(delivery, since_ns), *std::move(answer));
}

bool Courier::Redeliver(Delivery delivery) {
  delivery.source_arn = plan_.source_arn;
  delivery.attempt = 1;
  if (plan_.form != nullptr && !plan_.form(delivery).ok()) return false;
  const int64_t since_ns = env_->runtime.Read().uptime_ns;
  {
    MutexLock lock(&mu_);
    if (closed_) return false;
    ++redelivered_;
  }
  if (plan_.in_order && WaitsInLine(delivery, since_ns)) return true;
  std::optional<absl::Status> answer = plan_.destination->Accept(
      delivery,
      [this, &delivery, since_ns] { return CompletionOf(NewAttempt(delivery, since_ns)); });
  if (!answer.has_value()) return true;
  if (answer->ok()) {
    delivered_at_once_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  if (!IsPermanent(*answer)) {
    Answered(NewAttempt(delivery, since_ns), *std::move(answer));
    return true;
  }
  MutexLock lock(&mu_);
  --redelivered_;
  return false;
}

void Courier::GiveUpUnsent(const Delivery& delivery, absl::Status why) {
  std::unique_ptr<Attempt> attempt(
      new Attempt{shared_from_this(), delivery, AcceptedNanoseconds(delivery)});
  attempt->delivery.source_arn = plan_.source_arn;
  attempt->delivery.attempt = 0;  // none was begun
  attempt->delivery.now.reset();
  {
    MutexLock lock(&mu_);
    ++pending_;
    Report(attempt->delivery, Change::kAccepted, plan_.destination->arn_text());
  }
  GiveUp(std::move(attempt), {.last_refusal = std::move(why)});
}

void Courier::TryAgain(std::unique_ptr<Attempt> attempt) {
  ++attempt->delivery.attempt;
  attempt->delivery.now.reset();
  // A copy: once the destination has the Completion, the Attempt is no longer ours to look at.
  const Delivery delivery = attempt->delivery;
  std::optional<absl::Status> answer =
      plan_.destination->Accept(delivery, [&attempt] { return CompletionOf(std::move(attempt)); });
  if (answer.has_value()) Answered(std::move(attempt), *std::move(answer));
}

void Courier::Answered(std::unique_ptr<Attempt> attempt, absl::Status answer) {
  // Keeps the courier alive should this attempt be its last owner.
  const std::shared_ptr<Courier> self = attempt->courier;
  if (answer.ok()) {
    {
      MutexLock lock(&mu_);
      Settle(attempt->delivery, delivered_later_, Change::kSettled, plan_.destination->arn_text());
    }
    HeadGone(*attempt);
    return;
  }

  GivenUp why = {.retries = attempt->delivery.attempt - 1};
  std::optional<RetryPhases> phases;
  if (plan_.phases != nullptr) phases = plan_.phases();
  const int64_t retries_max = phases.has_value() ? phases->retries : plan_.retry.retries_max;
  {
    MutexLock lock(&mu_);
    ++failed_attempts_;
    // The runtime may be gone (environment.h); nobody will try again.
    if (closed_ && close_kind_ == CloseKind::kStopped) return;
    if (env_->story != nullptr) {
      Tell(StoryStep::Kind::kFailed, attempt->delivery, TextOf(answer));
    }

    if (!closed_ && !IsPermanent(answer)) {
      const int64_t now_ns = env_->runtime.Read().uptime_ns;
      const int64_t last_ns = AddClamped(attempt->since_ns, CeilNanoseconds(plan_.retry.age_max));
      if (why.retries >= retries_max) {
        why.exhausted = kExhaustedAttempts;
      } else if (now_ns >= last_ns) {
        why.exhausted = kExhaustedAge;
      } else if (static_cast<int64_t>(waiting_.size()) >= plan_.retry.waiting_max) {
        why.exhausted = kExhaustedAttempts;
      } else {
        const int64_t retry = why.retries + 1;
        const uint64_t random = env_->runtime.Random();
        const int64_t wait_ns = phases.has_value() ? WaitNanoseconds(*phases, retry, random)
                                                   : BackOffNanoseconds(plan_.retry, retry, random);
        WaitUntil(std::min(AddClamped(now_ns, wait_ns), last_ns), std::move(attempt));
        return;
      }
    }
  }
  why.last_refusal = std::move(answer);
  GiveUp(std::move(attempt), std::move(why));
}

void Courier::WaitUntil(int64_t due_ns, std::unique_ptr<Attempt> attempt) {
  attempt->courier.reset();  // the caller keeps `this` alive
  waiting_.emplace(due_ns, std::move(attempt));
  SetTimer();
}

void Courier::SetTimer() {
  if (waiting_.empty()) return;
  const int64_t due_ns = waiting_.begin()->first;
  if (timer_ != TimerId::kNone) {
    if (timer_due_ns_ <= due_ns) return;
    // If it runs already, it finds nothing due, or what is due.
    env_->runtime.Cancel(timer_);
  }
  timer_due_ns_ = due_ns;
  timer_ = env_->runtime.PostAt(absl::Nanoseconds(due_ns),
                                [self = shared_from_this()] { self->TimerFired(); });
}

void Courier::TimerFired() {
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return;  // the broker is gone
  std::vector<std::unique_ptr<Attempt>> due;
  {
    MutexLock lock(&mu_);
    if (closed_) return;
    const int64_t now_ns = env_->runtime.Read().uptime_ns;
    const auto end = waiting_.upper_bound(now_ns);
    for (auto it = waiting_.begin(); it != end; ++it) due.push_back(std::move(it->second));
    waiting_.erase(waiting_.begin(), end);
    if (timer_due_ns_ <= now_ns) timer_ = TimerId::kNone;
    retries_ += static_cast<int64_t>(due.size());
    SetTimer();
  }
  for (std::unique_ptr<Attempt>& attempt : due) {
    attempt->courier = shared_from_this();
    TryAgain(std::move(attempt));
  }
}

void Courier::GiveUp(std::unique_ptr<Attempt> attempt, GivenUp why) {
  std::shared_ptr<Sink> dead_letter = this->dead_letter();
  if (dead_letter == nullptr) {
    Drop(*attempt, StrCat(TextOf(why.last_refusal), "; there is no dead-letter queue"));
    return;
  }
  Delivery letter = plan_.dead_letter_form(attempt->delivery, why);
  letter.accepted_before = true;
  if (plan_.find_later != nullptr) {
    Delivery again = attempt->delivery;
    if (plan_.form != nullptr) again.presentation = nullptr;  // who delivers then gives it a form
    again.source_arn = {};                                    // a view of what may be gone by then
    again.presented_bytes.reset();
    letter.way_back = std::make_shared<const Return>(plan_.find_later, std::move(again));
  }
  std::optional<absl::Status> answer =
      dead_letter->Accept(letter, [&attempt, &dead_letter]() -> Completion {
        return [attempt = std::move(attempt), dead_letter](const absl::Status& status) mutable {
          Courier& courier = *attempt->courier;
          courier.DeadLetterAnswered(std::move(attempt), *dead_letter, status);
        };
      });
  if (answer.has_value()) DeadLetterAnswered(std::move(attempt), *dead_letter, *answer);
}

void Courier::DeadLetterAnswered(std::unique_ptr<Attempt> attempt, const Sink& dead_letter,
                                 const absl::Status& answer) {
  const std::shared_ptr<Courier> self = attempt->courier;
  if (!answer.ok()) {
    {
      MutexLock lock(&mu_);
      ++dead_letters_refused_;
    }
    Drop(*attempt,
         StrCat("its dead-letter queue ", dead_letter.arn_text(), " refused it: ", TextOf(answer)));
    return;
  }
  {
    MutexLock lock(&mu_);
    Settle(attempt->delivery, dead_lettered_, Change::kMoved, dead_letter.arn_text());
  }
  HeadGone(*attempt);
}

void Courier::Drop(const Attempt& attempt, std::string_view why) {
  {
    MutexLock lock(&mu_);
    Settle(attempt.delivery, dropped_, Change::kExpired, plan_.destination->arn_text(), why);
  }
  LogDrop(attempt.delivery, StrCat("after ", attempt.delivery.attempt, " attempts: ", why));
  HeadGone(attempt);
}

void Courier::LogDrop(const Delivery& delivery, std::string_view why) const {
  env_->Log(LogSeverity::kError, plan_.source_arn,
            StrCat("dropped message ", delivery.message->id.ToString(), " for ",
                   plan_.destination->arn_text(), " ", why));
}

void Courier::Settle(const Delivery& delivery, int64_t& book, Change how,
                     std::string_view destination, std::string_view why) {
  --pending_;
  ++book;
  if (closed_ && close_kind_ == CloseKind::kStopped) return;  // C6
  Report(delivery, how, destination);
  if (how == Change::kSettled) {
    Tell(StoryStep::Kind::kDelivered, delivery, why);
  } else if (how == Change::kMoved) {
    Tell(StoryStep::Kind::kDeadLettered, delivery, why, destination);
  } else {
    Tell(StoryStep::Kind::kDropped, delivery, why);
  }
}

void Courier::Tell(StoryStep::Kind kind, const Delivery& delivery, std::string_view text,
                   std::string_view destination) const {
  if (env_->story == nullptr) return;
  env_->story->Tell(delivery.message->event_id, {.kind = kind,
                                                 .at = env_->runtime.Read(),
                                                 .resource = plan_.destination->arn_text(),
                                                 .destination = destination,
                                                 .through = plan_.source_arn,
                                                 .attempt = delivery.attempt,
                                                 .text = text});
}

void Courier::Report(const Delivery& delivery, Change change, std::string_view destination) {
  if (env_->journal == nullptr) return;
  env_->journal->Append({.change = change,
                         .resource = plan_.source_arn,
                         .message_id = delivery.message->id,
                         .message = delivery.message.get(),
                         .at = env_->runtime.Read(),
                         .destination = destination});
}

void Courier::SetDeadLetter(std::shared_ptr<Sink> dead_letter) {
  BANYAN_CHECK(plan_.dead_letter_form != nullptr,
               "whoever gives a dead-letter queue says what it gets");
  MutexLock lock(&mu_);
  dead_letter_.swap(dead_letter);
}

std::shared_ptr<Sink> Courier::dead_letter() const {
  MutexLock lock(&mu_);
  return dead_letter_;
}

DeliveryStats Courier::Stats() const {
  DeliveryStats stats;
  // A forked child may have inherited the lock in the locked state.
  if (env_->gate.Look() == Gate::Answer::kForked) return stats;
  MutexLock lock(&mu_);
  stats.delivered = delivered_at_once_.load(std::memory_order_relaxed) + delivered_later_;
  stats.dead_lettered = dead_lettered_;
  stats.dropped = dropped_;
  stats.pending = pending_;
  stats.redelivered = redelivered_;
  stats.failed_attempts = failed_attempts_;
  stats.retries = retries_;
  stats.dead_letters_refused = dead_letters_refused_;
  stats.matched = stats.delivered + stats.dead_lettered + stats.dropped + stats.pending;  // C1
  return stats;
}

int64_t Courier::pending() const {
  MutexLock lock(&mu_);
  return pending_;
}

void Courier::Close(CloseKind kind) {
  Waiting waiting;
  Lines lines;
  {
    MutexLock lock(&mu_);
    if (closed_) return;
    closed_ = true;
    close_kind_ = kind;
    waiting.swap(waiting_);
    lines.swap(lines_);
    in_line_ = 0;
    if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
    timer_ = TimerId::kNone;
  }
  // When the broker stops they stay pending in the books, for StopReport.
  if (kind != CloseKind::kStopped) GiveUpAll(std::move(waiting), std::move(lines));
  if (plan_.close_destination != nullptr) plan_.close_destination(kind);
}

void Courier::GiveUpAll(Waiting waiting, Lines lines) {
  const auto give_up = [this](std::unique_ptr<Attempt> attempt) {
    attempt->courier = shared_from_this();
    GivenUp why = {.last_refusal = absl::AbortedError("what it came through was deleted"),
                   .retries = std::max<int64_t>(0, attempt->delivery.attempt - 1)};
    GiveUp(std::move(attempt), std::move(why));
  };
  for (auto& [due_ns, attempt] : waiting) give_up(std::move(attempt));
  for (auto& [group, line] : lines) {
    for (std::unique_ptr<Attempt>& attempt : line.behind) give_up(std::move(attempt));
  }
}

}  // namespace banyan::inline v0_1::internal
