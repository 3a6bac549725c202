// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/archives.cc -- floor 6: archives and replays of the broker's buses. The route room
// knows them by name (route/archives.h); here are the gate, and the buses.
#include "route/archives.h"

#include <utility>

#include "broker/broker_core.h"
#include "broker/registry.h"
#include "route/event_bus_core.h"

namespace banyan::inline v0_1::internal {

BrokerCore::BrokerCore(std::shared_ptr<Environment> env)
    : env_(std::move(env)),
      archives_(env_, [this](std::string_view bus) { return Find(&Registry::buses, bus); }) {}

absl::StatusOr<ArchiveDescription> BrokerCore::CreateArchive(std::string_view name,
                                                             const ArchiveOptions& options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  return archives_.Create(name, options);
}

absl::StatusOr<ArchiveDescription> BrokerCore::DescribeArchive(std::string_view name) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  return archives_.Describe(name);
}

absl::StatusOr<ArchiveDescription> BrokerCore::UpdateArchive(std::string_view name,
                                                             const ArchiveUpdate& update) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  return archives_.Update(name, update);
}

absl::Status BrokerCore::DeleteArchive(std::string_view name) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  return archives_.Delete(name);
}

absl::StatusOr<ArchivePage> BrokerCore::ListArchives(const ListArchivesOptions& options) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  return archives_.List(options);
}

absl::StatusOr<ReplayDescription> BrokerCore::StartReplay(std::string_view name,
                                                          const ReplayOptions& options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  return archives_.StartReplay(name, options);
}

absl::StatusOr<ReplayDescription> BrokerCore::DescribeReplay(std::string_view name) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  return archives_.DescribeReplay(name);
}

absl::StatusOr<ReplayDescription> BrokerCore::CancelReplay(std::string_view name) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  return archives_.CancelReplay(name);
}

absl::StatusOr<ReplayPage> BrokerCore::ListReplays(const ListReplaysOptions& options) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  return archives_.ListReplays(options);
}

}  // namespace banyan::inline v0_1::internal
