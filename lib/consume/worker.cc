// SPDX-License-Identifier: Apache-2.0
#include "banyan/worker.h"

#include <utility>

#include "consume/shard_run.h"
#include "consume/worker_core.h"

namespace banyan::inline v0_1 {

absl::Status Checkpointer::At(const SequenceNumber& sequence) {
  return run_.CheckpointAt(sequence, std::nullopt);
}

absl::Status Checkpointer::At(const SequenceNumber& sequence, int64_t sub_sequence) {
  return run_.CheckpointAt(sequence, sub_sequence);
}

absl::Status Checkpointer::Here() { return run_.CheckpointHere(); }

Worker::Worker(std::shared_ptr<internal::WorkerCore> core) : core_(std::move(core)) {}

Worker::Worker(Worker&&) noexcept = default;

Worker& Worker::operator=(Worker&& other) noexcept {
  // The swap leaves the old one to a local, which stops it when this one has the new.
  Worker old(std::move(other));
  std::swap(core_, old.core_);
  return *this;
}

Worker::~Worker() {
  if (core_ != nullptr) core_->Stop(core_->options().drain_within).IgnoreError();
}

absl::StatusOr<Worker> Worker::Start(const Stream& stream, WorkerOptions options,
                                     RecordProcessorFactory factory) {
  absl::StatusOr<std::shared_ptr<internal::WorkerCore>> core =
      internal::WorkerCore::Start(stream, std::move(options), std::move(factory));
  if (!core.ok()) return core.status();
  return Worker(*std::move(core));
}

absl::Status Worker::Stop(absl::Duration within, std::stop_token stop) {
  return core_ == nullptr ? absl::OkStatus() : core_->Stop(within, std::move(stop));
}

void Worker::Abandon() {
  if (core_ != nullptr) core_->Abandon();
}

WorkerStats Worker::Stats() const {
  return core_ == nullptr ? WorkerStats{.stopped = true} : core_->Stats();
}

}  // namespace banyan::inline v0_1
