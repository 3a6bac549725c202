// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/settings.cc -- floor 3, the queue room: how a queue is set, and what it shows of that.
//
// settings_mu_ orders changes that are made of what was there before; it is taken before mu_, and
// another queue's options are read under it, but no other lock of this kind.
#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "message/errors.h"
#include "queue/attributes.h"
#include "queue/core.h"
#include "queue/operation.h"
#include "queue/policy.h"
#include "queue/tags.h"

namespace banyan::inline v0_1::internal {

void QueueCore::TakeSettings(const QueueOptions& options) {
  options_ = options;
  retention_ns_ = CeilNanoseconds(options.retention);
  visibility_ns_ = CeilNanoseconds(options.visibility_timeout);
  content_based_deduplication_.store(options.content_based_deduplication,
                                     std::memory_order_relaxed);
  message_bytes_max_.store(options.message_bytes_max, std::memory_order_relaxed);
  if (tenants_ != nullptr) tenants_->SetFairness(options.fairness);
  if (!fifo_ && options.test_delivery.strict_order != (strict_ != nullptr)) {
    std::vector<SlotIndex> visible;
    for (SlotIndex i = 0; i < slots_.size(); ++i) {
      if (slots_.Holds(i) && slots_[i].state == SlotState::kVisible) visible.push_back(i);
    }
    std::sort(visible.begin(), visible.end(), [this](SlotIndex a, SlotIndex b) {
      mu_.AssertHeld();
      return slots_[a].number < slots_[b].number;
    });
    for (const SlotIndex index : visible) Unline(index);
    strict_ = options.test_delivery.strict_order ? std::make_unique<std::map<uint64_t, SlotIndex>>()
                                                 : nullptr;
    for (const SlotIndex index : visible) Line(index);
  }
  MutexLock intake_lock(&intake_.mu);
  intake_.delay_ns = CeilNanoseconds(options.delay);
  intake_.bound = {options.messages_max, options.bytes_max};
}

absl::StatusOr<QueueOptions> QueueCore::Options() {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  return options_;
}

absl::Status QueueCore::SetOptions(const QueueOptions& options) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  MutexLock settings_lock(&settings_mu_);
  return ChangeOptions(options, &operation);
}

absl::Status QueueCore::ChangeOptions(const QueueOptions& options, Operation* operation) {
  if (options.fifo != fifo_) {
    return Error(AwsError::kQueueInvalidAttributeValue,
                 "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not "
                 "supported.");
  }
  BANYAN_RETURN_IF_ERROR(ValidateQueueOptions(options, env_->limits));
  // What was agreed on stays: only naming a dead-letter queue, or counting anew, asks it. Otherwise
  // nothing could be set here any more once it is gone or has changed its mind.
  BANYAN_ASSIGN_OR_RETURN(const QueueOptions present, Options());
  const bool redrive_changes = options.redrive != present.redrive;
  std::shared_ptr<QueueCore> dead_letter;
  if (redrive_changes && options.redrive.has_value()) {
    BANYAN_ASSIGN_OR_RETURN(dead_letter, ResolveDeadLetter(*options.redrive));
    BANYAN_ASSIGN_OR_RETURN(const QueueOptions its_options, dead_letter->Options());
    BANYAN_RETURN_IF_ERROR(CheckRedriveAllowed(options, arn_, its_options));
    dead_letter->AddSource(shared_from_this());
  }

  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation->now, &operation->after);  // under the old options
  const bool delay_changed = options.delay != options_.delay;
  TakeSettings(options);
  modified_unix_ns_ = operation->now.unix_ns;
  if (redrive_changes) dead_letter_ = dead_letter;
  Expire(operation->now, &operation->after);  // a shorter retention ends some at once

  if (fifo_ && delay_changed) Redelay(operation->now);
  // Visible messages that had all the attempts a new policy allows would otherwise get one more.
  if (redrive_changes && options_.redrive.has_value()) {
    std::vector<std::pair<uint64_t, SlotIndex>> exhausted;
    for (SlotIndex i = 0; i < slots_.size(); ++i) {
      if (slots_.Holds(i) && slots_[i].state == SlotState::kVisible && Exhausted(slots_[i])) {
        exhausted.emplace_back(slots_[i].number, i);
      }
    }
    std::sort(exhausted.begin(), exhausted.end());  // groups keep their order
    for (const auto& [number, index] : exhausted) {
      Depart(index, nullptr, std::nullopt, operation->now, &operation->after);
    }
  }
  // A higher in-flight limit makes room for several receivers at once.
  const int64_t room = options_.in_flight_max - books_.depth.in_flight;
  for (int64_t i = std::min(room, books_.depth.visible);
       i > 0 && !(sleepers_.empty() && watchers_.empty()); --i) {
    WakeOne();
  }
  if (senders_waiting_ > 0) senders_.WakeAll();  // bounds may have grown
  SetTimer();
  return absl::OkStatus();
}

// A FIFO queue's new delay holds for all messages that nobody has received yet.
void QueueCore::Redelay(const Instant& now) {
  const int64_t delay_ns = CeilNanoseconds(options_.delay);
  for (SlotIndex i = 0; i < slots_.size(); ++i) {
    if (!slots_.Holds(i)) continue;
    const Slot& slot = slots_[i];
    const bool waits = slot.state == SlotState::kVisible || slot.state == SlotState::kDelayed;
    if (!waits || slot.attempts > 0 || slot.moved_in) continue;
    const int64_t visible_at_ns = AddClamped(slot.enqueued_ns, delay_ns);
    LeaveState(i, now.uptime_ns);
    if (visible_at_ns > now.uptime_ns) {
      Hide(i, SlotState::kDelayed, visible_at_ns, /*is_usual=*/false);
    } else {
      MakeVisible(i, visible_at_ns);
    }
  }
}

absl::StatusOr<std::map<std::string, std::string>> QueueCore::GetAttributes(
    absl::Span<const std::string> names) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  QueueFacts facts;
  facts.arn = arn_text();
  facts.created_unix_seconds = created_unix_ns_ / 1'000'000'000;
  QueueOptions options;
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return ClosedStatus();
    BringUpTo(&operation.now, &operation.after);
    facts.depth = books_.depth;
    facts.modified_unix_seconds = modified_unix_ns_ / 1'000'000'000;
    options = options_;
  }
  return ShowAttributes(options, facts, names);
}

absl::Status QueueCore::SetAttributes(const std::map<std::string, std::string>& attributes) {
  return Edit([&](const QueueOptions& options) {
    return ApplyAttributes(options, attributes, AttributesFor::kExistingQueue, env_->limits);
  });
}

absl::Status QueueCore::AddPermission(std::string_view label,
                                      absl::Span<const std::string> accounts,
                                      absl::Span<const std::string> actions) {
  return Edit([&](QueueOptions options) -> absl::StatusOr<QueueOptions> {
    BANYAN_ASSIGN_OR_RETURN(options.policy, internal::AddPermission(options.policy, arn_text(),
                                                                    label, accounts, actions));
    return options;
  });
}

absl::Status QueueCore::RemovePermission(std::string_view label) {
  return Edit([&](QueueOptions options) -> absl::StatusOr<QueueOptions> {
    BANYAN_ASSIGN_OR_RETURN(options.policy, internal::RemovePermission(options.policy, label));
    return options;
  });
}

absl::Status QueueCore::Edit(
    absl::FunctionRef<absl::StatusOr<QueueOptions>(const QueueOptions&)> edit) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  MutexLock settings_lock(&settings_mu_);
  BANYAN_ASSIGN_OR_RETURN(const QueueOptions present, Options());
  BANYAN_ASSIGN_OR_RETURN(const QueueOptions edited, edit(present));
  return ChangeOptions(edited, &operation);
}

absl::StatusOr<std::map<std::string, std::string>> QueueCore::Tags() {
  BANYAN_RETURN_IF_ERROR(Options().status());  // is it there?
  MutexLock lock(&settings_mu_);
  return tags_;
}

absl::Status QueueCore::SetTags(const std::map<std::string, std::string>& tags) {
  BANYAN_RETURN_IF_ERROR(Options().status());
  MutexLock lock(&settings_mu_);
  BANYAN_ASSIGN_OR_RETURN(tags_, WithTags(name_, tags_, tags));
  return absl::OkStatus();
}

absl::Status QueueCore::RemoveTags(absl::Span<const std::string> keys) {
  BANYAN_RETURN_IF_ERROR(Options().status());
  MutexLock lock(&settings_mu_);
  BANYAN_ASSIGN_OR_RETURN(tags_, WithoutTags(tags_, keys));
  return absl::OkStatus();
}

}  // namespace banyan::inline v0_1::internal
