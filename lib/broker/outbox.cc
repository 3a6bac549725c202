// SPDX-License-Identifier: Apache-2.0
//
// The handle of banyan/outbox.h: each verb is the relay's.
#include "banyan/outbox.h"

#include <utility>

#include "base/gate.h"
#include "broker/outbox_relay.h"
#include "message/errors.h"

namespace banyan::inline v0_1 {

namespace {
absl::Status OutboxMovedFrom() {
  return internal::Error(AwsError::kServiceUnavailable, "This Outbox was moved from.");
}
}  // namespace

absl::StatusOr<Outbox> Outbox::Create(const Broker& broker, OutboxTable& table,
                                      OutboxOptions options) {
  absl::StatusOr<std::shared_ptr<internal::OutboxRelay>> relay =
      internal::OutboxRelay::Create(broker, table, std::move(options));
  if (!relay.ok()) return relay.status();
  return Outbox(*std::move(relay));
}

Outbox::Outbox(std::shared_ptr<internal::OutboxRelay> relay) : relay_(std::move(relay)) {}

Outbox::Outbox(Outbox&&) noexcept = default;

Outbox& Outbox::operator=(Outbox&& other) noexcept {
  Outbox old(std::move(other));
  std::swap(relay_, old.relay_);
  return *this;
}

Outbox::~Outbox() {
  if (relay_ == nullptr) return;  // moved from
  relay_->Stop();
  // In a forked child, what the relay holds of the broker cannot even be destroyed; see ~Broker().
  if (relay_->forked()) new std::shared_ptr<internal::OutboxRelay>(std::move(relay_));
}

void Outbox::Start() {
  if (relay_ != nullptr) relay_->Start();
}

absl::StatusOr<Id> Outbox::PublishIn(OutboxTransaction& tx, const Topic& topic,
                                     PublishRequest request) const {
  if (relay_ == nullptr) return OutboxMovedFrom();
  return relay_->PublishIn(tx, topic, std::move(request));
}

absl::StatusOr<Id> Outbox::PutIn(OutboxTransaction& tx, const EventBus& bus,
                                 EventEntry entry) const {
  if (relay_ == nullptr) return OutboxMovedFrom();
  return relay_->PutIn(tx, bus, std::move(entry));
}

absl::StatusOr<Id> Outbox::SendIn(OutboxTransaction& tx, const Queue& queue,
                                  SendRequest request) const {
  if (relay_ == nullptr) return OutboxMovedFrom();
  return relay_->SendIn(tx, queue, std::move(request));
}

void Outbox::Committed() const {
  if (relay_ != nullptr) relay_->Wake();
}

void Outbox::Stop() {
  if (relay_ != nullptr) relay_->Stop();
}

OutboxStats Outbox::Stats() const {
  return relay_ == nullptr ? OutboxStats{.stopped = true} : relay_->Stats();
}

}  // namespace banyan::inline v0_1
