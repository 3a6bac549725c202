// SPDX-License-Identifier: Apache-2.0
#include "banyan/queue.h"

#include "message/errors.h"
#include "queue/core.h"

namespace banyan::inline v0_1 {

namespace {

using internal::Error;

// A default Queue names no queue.
absl::Status NoQueue() {
  return Error(AwsError::kQueueDoesNotExist, "The specified queue does not exist.");
}

}  // namespace

Queue::Queue(std::shared_ptr<internal::QueueCore> core) : core_(std::move(core)) {}

absl::StatusOr<SendResult> Queue::Send(SendRequest request) const {
  if (core_ == nullptr) return NoQueue();
  return core_->Send(std::move(request));
}

absl::StatusOr<std::vector<absl::StatusOr<SendResult>>> Queue::SendBatch(
    std::vector<SendRequest> requests) const {
  if (core_ == nullptr) return NoQueue();
  return core_->SendBatch(std::move(requests));
}

absl::StatusOr<std::vector<Received>> Queue::Receive(ReceiveOptions options) const {
  if (core_ == nullptr) return NoQueue();
  return core_->Receive(options);
}

absl::Status Queue::Delete(std::string_view receipt_handle) const {
  return core_ == nullptr ? NoQueue() : core_->Delete(receipt_handle);
}

absl::Status Queue::ChangeVisibility(std::string_view receipt_handle,
                                     absl::Duration from_now) const {
  return core_ == nullptr ? NoQueue() : core_->ChangeVisibility(receipt_handle, from_now);
}

absl::StatusOr<std::vector<absl::Status>> Queue::DeleteBatch(
    absl::Span<const Received> received) const {
  if (core_ == nullptr) return NoQueue();
  return core_->DeleteBatch(received);
}

absl::StatusOr<std::vector<absl::Status>> Queue::DeleteBatch(
    absl::Span<const std::string> receipt_handles) const {
  if (core_ == nullptr) return NoQueue();
  return core_->DeleteBatch(receipt_handles);
}

absl::StatusOr<std::vector<absl::Status>> Queue::ChangeVisibilityBatch(
    absl::Span<const VisibilityChange> changes) const {
  if (core_ == nullptr) return NoQueue();
  return core_->ChangeVisibilityBatch(changes);
}

absl::StatusOr<std::vector<Received>> Queue::Peek(int64_t max_messages) const {
  if (core_ == nullptr) return NoQueue();
  return core_->Peek(max_messages);
}

absl::StatusOr<int64_t> Queue::Redrive(int64_t max_messages) const {
  if (core_ == nullptr) return NoQueue();
  return core_->Redrive(max_messages);
}

absl::StatusOr<std::string> Queue::StartMessageMoveTask(MessageMoveTaskOptions options) const {
  if (core_ == nullptr) return NoQueue();
  return core_->StartMessageMoveTask(std::move(options));
}

absl::StatusOr<std::vector<MessageMoveTask>> Queue::ListMessageMoveTasks(
    int64_t max_results) const {
  if (core_ == nullptr) return NoQueue();
  return core_->ListMessageMoveTasks(max_results);
}

absl::StatusOr<int64_t> Queue::CancelMessageMoveTask(std::string_view task_handle) const {
  if (core_ == nullptr) return NoQueue();
  return core_->CancelMessageMoveTask(task_handle);
}

absl::StatusOr<std::string> Queue::Explain() const {
  if (core_ == nullptr) return NoQueue();
  return core_->Explain();
}

absl::StatusOr<std::string> Queue::Explain(Id message_id) const {
  if (core_ == nullptr) return NoQueue();
  return core_->Explain(message_id);
}

absl::Status Queue::Purge() const { return core_ == nullptr ? NoQueue() : core_->Purge(); }

QueueDepth Queue::Depth() const { return Stats().depth; }
QueueStats Queue::Stats() const { return core_ == nullptr ? QueueStats() : core_->Stats(); }

absl::StatusOr<QueueMetrics> Queue::Metrics() const {
  if (core_ == nullptr) return NoQueue();
  return core_->Metrics();
}

absl::StatusOr<QueueOptions> Queue::Options() const {
  if (core_ == nullptr) return NoQueue();
  return core_->Options();
}

absl::Status Queue::SetOptions(const QueueOptions& options) const {
  return core_ == nullptr ? NoQueue() : core_->SetOptions(options);
}

absl::StatusOr<std::map<std::string, std::string>> Queue::GetAttributes(
    absl::Span<const std::string> names) const {
  if (core_ == nullptr) return NoQueue();
  return core_->GetAttributes(names);
}

absl::Status Queue::SetAttributes(const std::map<std::string, std::string>& attributes) const {
  if (core_ == nullptr) return NoQueue();
  return core_->SetAttributes(attributes);
}

absl::Status Queue::AddPermission(std::string_view label, absl::Span<const std::string> accounts,
                                  absl::Span<const std::string> actions) const {
  if (core_ == nullptr) return NoQueue();
  return core_->AddPermission(label, accounts, actions);
}

absl::Status Queue::RemovePermission(std::string_view label) const {
  if (core_ == nullptr) return NoQueue();
  return core_->RemovePermission(label);
}

absl::StatusOr<std::map<std::string, std::string>> Queue::Tags() const {
  if (core_ == nullptr) return NoQueue();
  return core_->Tags();
}

absl::Status Queue::SetTags(const std::map<std::string, std::string>& tags) const {
  if (core_ == nullptr) return NoQueue();
  return core_->SetTags(tags);
}

absl::Status Queue::RemoveTags(absl::Span<const std::string> keys) const {
  if (core_ == nullptr) return NoQueue();
  return core_->RemoveTags(keys);
}

void Queue::Trim() const {
  if (core_ != nullptr) core_->Trim();
}

const Arn& Queue::arn() const {
  static const Arn* const none = new Arn();
  return core_ == nullptr ? *none : core_->arn();
}

std::string_view Queue::name() const {
  return core_ == nullptr ? std::string_view() : std::string_view(core_->name());
}

}  // namespace banyan::inline v0_1
