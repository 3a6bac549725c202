// SPDX-License-Identifier: Apache-2.0
//
// The public face of consumers: theirs, and what Stream has of it.
#include "banyan/stream_consumer.h"

#include <utility>

#include "base/status_macros.h"
#include "message/errors.h"
#include "stream/core.h"
#include "stream/subscription.h"

namespace banyan::inline v0_1 {

namespace {

absl::Status RegistersWithNoStream() {
  return internal::Error(AwsError::kStreamResourceNotFound, "This handle names no stream.");
}

absl::Status NamesNoConsumer() {
  return internal::Error(AwsError::kStreamResourceNotFound, "This handle names no consumer.");
}

}  // namespace

// --- Stream --------------------------------------------------------------------------------------

absl::StatusOr<StreamConsumer> Stream::RegisterConsumer(std::string_view name) const {
  if (core_ == nullptr) return RegistersWithNoStream();
  BANYAN_ASSIGN_OR_RETURN(auto consumer, core_->consumers().Register(name));
  return StreamConsumer(core_, std::move(consumer));
}

absl::StatusOr<StreamConsumer> Stream::FindConsumer(std::string_view name_or_arn) const {
  if (core_ == nullptr) return RegistersWithNoStream();
  BANYAN_ASSIGN_OR_RETURN(auto consumer, core_->consumers().Find(name_or_arn));
  return StreamConsumer(core_, std::move(consumer));
}

absl::StatusOr<StreamConsumerDescription> Stream::DescribeConsumer(
    std::string_view name_or_arn) const {
  BANYAN_ASSIGN_OR_RETURN(const StreamConsumer consumer, FindConsumer(name_or_arn));
  return consumer.Describe();
}

absl::StatusOr<std::vector<StreamConsumerDescription>> Stream::ListConsumers() const {
  if (core_ == nullptr) return RegistersWithNoStream();
  return core_->consumers().List();
}

absl::StatusOr<StreamConsumerPage> Stream::ListConsumersPage(
    const ListConsumersOptions& options) const {
  if (core_ == nullptr) return RegistersWithNoStream();
  return core_->consumers().ListPage(options);
}

absl::Status Stream::DeregisterConsumer(std::string_view name_or_arn) const {
  if (core_ == nullptr) return RegistersWithNoStream();
  return core_->consumers().Deregister(name_or_arn);
}

// --- StreamConsumer ------------------------------------------------------------------------------

StreamConsumer::StreamConsumer(std::shared_ptr<internal::StreamCore> stream,
                               std::shared_ptr<const internal::RegisteredConsumer> consumer)
    : stream_(std::move(stream)), consumer_(std::move(consumer)) {}

absl::StatusOr<ShardSubscription> StreamConsumer::SubscribeToShard(
    ShardId shard, const StartAt& start, ShardEventHandler handler,
    SubscriptionEndHandler on_end) const {
  if (stream_ == nullptr) return NamesNoConsumer();
  BANYAN_ASSIGN_OR_RETURN(
      auto core, stream_->consumers().Subscribe(consumer_, shard, start, std::move(handler),
                                                std::move(on_end)));
  return ShardSubscription(std::move(core));
}

absl::StatusOr<ShardSubscription> StreamConsumer::SubscribeToShard(
    std::string_view shard_id, const StartAt& start, ShardEventHandler handler,
    SubscriptionEndHandler on_end) const {
  if (stream_ == nullptr) return NamesNoConsumer();
  BANYAN_ASSIGN_OR_RETURN(const ShardId shard, stream_->IdOf(shard_id));
  return SubscribeToShard(shard, start, std::move(handler), std::move(on_end));
}

absl::StatusOr<StreamConsumerDescription> StreamConsumer::Describe() const {
  if (stream_ == nullptr) return NamesNoConsumer();
  return stream_->consumers().Describe(consumer_);
}

absl::Status StreamConsumer::SetTags(const StreamTags& tags) const {
  if (stream_ == nullptr) return NamesNoConsumer();
  return stream_->consumers().SetTags(consumer_, tags);
}

absl::Status StreamConsumer::RemoveTags(absl::Span<const std::string> keys) const {
  if (stream_ == nullptr) return NamesNoConsumer();
  return stream_->consumers().RemoveTags(consumer_, keys);
}

absl::StatusOr<StreamTags> StreamConsumer::Tags() const {
  if (stream_ == nullptr) return NamesNoConsumer();
  return stream_->consumers().Tags(consumer_);
}

const Arn& StreamConsumer::arn() const {
  static const Arn& none = *new Arn();  // never destroyed
  return consumer_ == nullptr ? none : consumer_->arn;
}

std::string_view StreamConsumer::name() const {
  return consumer_ == nullptr ? std::string_view() : consumer_->name;
}

// --- ShardSubscription ---------------------------------------------------------------------------

ShardSubscription::ShardSubscription(std::shared_ptr<internal::ShardSubscriptionCore> core)
    : core_(std::move(core)) {}

ShardSubscription::ShardSubscription(ShardSubscription&&) noexcept = default;

ShardSubscription& ShardSubscription::operator=(ShardSubscription&& other) noexcept {
  // The swap leaves the old push to a local, which cancels it when this one has the new.
  ShardSubscription old(std::move(other));
  std::swap(core_, old.core_);
  return *this;
}

ShardSubscription::~ShardSubscription() { Cancel(); }

void ShardSubscription::Cancel() {
  if (core_ != nullptr) core_->Cancel();
}

std::optional<SubscriptionEnd> ShardSubscription::end() const {
  if (core_ == nullptr) {
    SubscriptionEnd none;
    none.reason = SubscriptionEnd::Reason::kCancelled;
    return none;
  }
  return core_->end();
}

SequenceNumber ShardSubscription::continuation() const {
  return core_ == nullptr ? SequenceNumber() : core_->continuation();
}

}  // namespace banyan::inline v0_1
