// SPDX-License-Identifier: Apache-2.0
#include "banyan/consumer.h"

#include <utility>

#include "consume/consumer_core.h"

namespace banyan::inline v0_1 {

Consumer::Consumer(std::shared_ptr<internal::ConsumerCore> core) : core_(std::move(core)) {}

Consumer::Consumer(Consumer&&) noexcept = default;

Consumer& Consumer::operator=(Consumer&& other) noexcept {
  // The swap leaves the old loop to a local, which stops it when this one has the new.
  Consumer old(std::move(other));
  std::swap(core_, old.core_);
  return *this;
}

Consumer::~Consumer() {
  if (core_ != nullptr) core_->Stop(core_->options().drain_within).IgnoreError();
}

absl::StatusOr<Consumer> Consumer::Start(const Queue& queue, ConsumerOptions options,
                                         MessageHandler handler) {
  BatchHandler one_by_one;
  if (handler) {
    one_by_one = [handler = std::move(handler)](
                     absl::Span<const Received> unit) -> absl::StatusOr<BatchResult> {
      if (absl::Status done = handler(unit.front()); !done.ok()) return done;
      return BatchResult();
    };
  }
  absl::StatusOr<std::shared_ptr<internal::ConsumerCore>> core = internal::ConsumerCore::Start(
      queue, options, internal::HandlerKind::kMessage, std::move(one_by_one));
  if (!core.ok()) return core.status();
  return Consumer(*std::move(core));
}

absl::StatusOr<Consumer> Consumer::StartBatch(const Queue& queue, ConsumerOptions options,
                                              BatchHandler handler) {
  absl::StatusOr<std::shared_ptr<internal::ConsumerCore>> core = internal::ConsumerCore::Start(
      queue, options, internal::HandlerKind::kBatch, std::move(handler));
  if (!core.ok()) return core.status();
  return Consumer(*std::move(core));
}

void Consumer::Pause() {
  if (core_ != nullptr) core_->Pause();
}

void Consumer::Resume() {
  if (core_ != nullptr) core_->Resume();
}

absl::Status Consumer::Stop(absl::Duration within, std::stop_token stop) {
  return core_ == nullptr ? absl::OkStatus() : core_->Stop(within, std::move(stop));
}

ConsumerStats Consumer::Stats() const {
  return core_ == nullptr ? ConsumerStats{.stopped = true} : core_->Stats();
}

}  // namespace banyan::inline v0_1
