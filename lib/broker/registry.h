// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/registry.h -- floor 6: the broker's registry, kind -> name -> core. The same few verbs
// for every kind; for the source files of this room.
//
// Whoever uses them sees the kind's core whole: a queue's name rests when it is taken out, and
// nobody else's does.
#ifndef BANYAN_LIB_BROKER_REGISTRY_H_
#define BANYAN_LIB_BROKER_REGISTRY_H_

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "broker/broker_core.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

template <typename Core>
std::shared_ptr<Core> BrokerCore::Find(Names<Core> Registry::*kind, std::string_view name) const {
  MutexLock lock(&mu_);
  const Names<Core>& names = registry_.*kind;
  const auto found = names.find(name);
  return found == names.end() ? nullptr : found->second;
}

template <typename Core>
std::vector<std::shared_ptr<Core>> BrokerCore::List(Names<Core> Registry::*kind,
                                                    std::string_view prefix) const {
  std::vector<std::shared_ptr<Core>> cores;
  MutexLock lock(&mu_);
  const Names<Core>& names = registry_.*kind;
  for (auto at = names.lower_bound(prefix); at != names.end(); ++at) {
    if (!std::string_view(at->first).starts_with(prefix)) break;
    cores.push_back(at->second);
  }
  return cores;
}

template <typename Core>
std::shared_ptr<Core> BrokerCore::TakeOut(Names<Core> Registry::*kind, std::string_view name) {
  MutexLock lock(&mu_);
  Names<Core>& names = registry_.*kind;
  const auto found = names.find(name);
  if (found == names.end()) return nullptr;
  std::shared_ptr<Core> core = std::move(found->second);
  names.erase(found);
  if constexpr (std::is_same_v<Core, QueueCore>) LetNameRest(name);
  return core;
}

template <typename Core>
absl::StatusOr<std::shared_ptr<Core>> BrokerCore::Enter(Names<Core> Registry::*kind,
                                                        std::string_view name,
                                                        std::shared_ptr<Core> made, int64_t max,
                                                        AwsError over_max) {
  MutexLock lock(&mu_);
  if (closed_) return env_->Refusal();
  Names<Core>& names = registry_.*kind;
  const auto found = names.find(name);
  if (found != names.end()) return found->second;
  if (static_cast<int64_t>(names.size()) >= max) {
    return Error(over_max, "There are ", names.size(), " of this kind, and the limit is ", max,
                 "; ", name, " would be one more.");
  }
  if constexpr (std::is_same_v<Core, QueueCore>) BANYAN_RETURN_IF_ERROR(CheckNameIsFree(name));
  names.emplace(std::string(name), made);
  return made;
}

template <typename Handle, typename Core>
std::vector<Handle> AsHandles(std::vector<std::shared_ptr<Core>> cores) {
  std::vector<Handle> handles;
  handles.reserve(cores.size());
  for (std::shared_ptr<Core>& core : cores) handles.emplace_back(std::move(core));
  return handles;
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BROKER_REGISTRY_H_
