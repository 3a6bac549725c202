// SPDX-License-Identifier: Apache-2.0
#include "banyan/mapping.h"

#include <utility>

#include "consume/mapping_core.h"

namespace banyan::inline v0_1 {

StreamMapping::StreamMapping(std::shared_ptr<internal::MappingCore> core)
    : core_(std::move(core)) {}

StreamMapping::StreamMapping(StreamMapping&&) noexcept = default;

StreamMapping& StreamMapping::operator=(StreamMapping&& other) noexcept {
  // The swap leaves the old loop to a local, which stops it when this one has the new.
  StreamMapping old(std::move(other));
  std::swap(core_, old.core_);
  return *this;
}

StreamMapping::~StreamMapping() {
  if (core_ != nullptr) core_->Stop(core_->drain_within()).IgnoreError();
}

absl::StatusOr<StreamMapping> StreamMapping::Start(const Stream& stream,
                                                   StreamMappingOptions options,
                                                   StreamBatchHandler handler) {
  absl::StatusOr<std::shared_ptr<internal::MappingCore>> core =
      internal::MappingCore::Start(stream, nullptr, std::move(options), std::move(handler));
  if (!core.ok()) return core.status();
  return StreamMapping(*std::move(core));
}

absl::StatusOr<StreamMapping> StreamMapping::Start(const StreamConsumer& consumer,
                                                   StreamMappingOptions options,
                                                   StreamBatchHandler handler) {
  absl::StatusOr<std::shared_ptr<internal::MappingCore>> core = internal::MappingCore::Start(
      Stream(consumer.stream()), consumer.registered(), std::move(options), std::move(handler));
  if (!core.ok()) return core.status();
  return StreamMapping(*std::move(core));
}

void StreamMapping::Disable() {
  if (core_ != nullptr) core_->Disable();
}

void StreamMapping::Enable() {
  if (core_ != nullptr) core_->Enable();
}

absl::Status StreamMapping::Update(StreamMappingOptions options) {
  return core_ == nullptr ? absl::OkStatus() : core_->Update(std::move(options));
}

absl::Status StreamMapping::Stop(absl::Duration within, std::stop_token stop) {
  return core_ == nullptr ? absl::OkStatus() : core_->Stop(within, std::move(stop));
}

MappingDescription StreamMapping::Describe() const {
  return core_ == nullptr ? MappingDescription() : core_->Describe();
}

MappingMetrics StreamMapping::Metrics() const {
  return core_ == nullptr ? MappingMetrics() : core_->Metrics();
}

std::optional<uint64_t> StreamMapping::Checkpoint(ShardId shard) const {
  return core_ == nullptr ? std::nullopt : core_->Checkpoint(shard);
}

}  // namespace banyan::inline v0_1
