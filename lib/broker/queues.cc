// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/queues.cc -- floor 6: queues by name. Apart from its name a queue has relatives: the
// dead-letter queue that it names must be there and let it in.
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "broker/broker_core.h"
#include "broker/registry.h"
#include "message/errors.h"
#include "queue/attributes.h"
#include "queue/core.h"
#include "queue/tags.h"
#include "queue/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

absl::Status NoQueue() {
  return Error(AwsError::kQueueDoesNotExist, "The specified queue does not exist.");
}

}  // namespace

absl::Status BrokerCore::CheckNameIsFree(std::string_view queue) {
  const auto rests = rests_until_.find(queue);
  if (rests == rests_until_.end() || rests->second <= env_->runtime.Read().uptime_ns) {
    return absl::OkStatus();
  }
  return Error(AwsError::kQueueDeletedRecently, "You must wait ",
               SecondsText(env_->limits.queue.recreate_after),
               " seconds after deleting a queue before you can create another with the same name.");
}

void BrokerCore::LetNameRest(std::string_view queue) {
  const int64_t rest_ns = CeilNanoseconds(env_->limits.queue.recreate_after);
  if (rest_ns <= 0) return;
  const int64_t now_ns = env_->runtime.Read().uptime_ns;
  while (!resting_names_.empty()) {
    const auto oldest = rests_until_.find(resting_names_.front());
    const bool full = static_cast<int64_t>(resting_names_.size()) >= env_->limits.broker.queues_max;
    if (oldest->second > now_ns && !full) break;
    rests_until_.erase(oldest);
    resting_names_.pop_front();
  }
  // A name that was taken again and deleted again within its rest cannot be: it was not free.
  rests_until_.emplace(std::string(queue), AddClamped(now_ns, rest_ns));
  resting_names_.emplace_back(queue);
}

std::shared_ptr<QueueCore> BrokerCore::FindByArn(const Arn& arn) const {
  std::shared_ptr<QueueCore> core = Find(&Registry::queues, arn.resource);
  return core != nullptr && core->arn() == arn ? core : nullptr;
}

absl::StatusOr<Queue> BrokerCore::CreateQueue(std::string_view name, const QueueOptions& options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidateQueueName(name, options.fifo, env_->limits));
  BANYAN_RETURN_IF_ERROR(ValidateQueueOptions(options, env_->limits));
  return CreateOrOpenQueue(name, options, /*tags=*/{}, [&options](const QueueOptions& stored) {
    return FirstDifference(options, stored);
  });
}

absl::StatusOr<Queue> BrokerCore::CreateQueueFromAttributes(
    std::string_view name, const std::map<std::string, std::string>& attributes,
    const std::map<std::string, std::string>& tags) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  // The name first: of "x.fifo" without FifoQueue that is what is wrong, whatever else is given.
  const auto fifo = attributes.find("FifoQueue");
  const bool is_fifo = fifo != attributes.end() && fifo->second == "true";
  BANYAN_RETURN_IF_ERROR(ValidateQueueName(name, is_fifo, env_->limits));
  BANYAN_ASSIGN_OR_RETURN(const QueueOptions options,
                          ApplyAttributes({}, attributes, AttributesFor::kNewQueue, env_->limits));
  BANYAN_RETURN_IF_ERROR(WithTags(name, {}, tags).status());
  return CreateOrOpenQueue(name, options, tags, [&](const QueueOptions& stored) {
    return FirstDifference(attributes, options, stored);
  });
}

absl::StatusOr<Queue> BrokerCore::CreateOrOpenQueue(
    std::string_view name, const QueueOptions& options,
    const std::map<std::string, std::string>& tags,
    absl::FunctionRef<std::string_view(const QueueOptions& stored)> first_difference) {
  const auto open = [&](std::shared_ptr<QueueCore> there) -> absl::StatusOr<Queue> {
    BANYAN_ASSIGN_OR_RETURN(const QueueOptions stored, there->Options());
    const std::string_view difference = first_difference(stored);
    if (!difference.empty()) return QueueExistsWithAnother(difference);
    return Queue(std::move(there));
  };
  if (std::shared_ptr<QueueCore> there = Find(&Registry::queues, name)) {
    return open(std::move(there));
  }
  std::shared_ptr<QueueCore> made =
      QueueCore::Create(env_, std::string(name), options,
                        [weak = weak_from_this()](const Arn& arn) -> std::shared_ptr<QueueCore> {
                          const std::shared_ptr<BrokerCore> self = weak.lock();
                          return self == nullptr ? nullptr : self->FindByArn(arn);
                        });
  if (options.redrive.has_value()) {
    BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<QueueCore> dead_letter,
                            made->ResolveDeadLetter(*options.redrive));
    BANYAN_ASSIGN_OR_RETURN(const QueueOptions its_options, dead_letter->Options());
    BANYAN_RETURN_IF_ERROR(CheckRedriveAllowed(options, made->arn(), its_options));
    made->SetDeadLetter(dead_letter);
  }
  if (!tags.empty()) BANYAN_RETURN_IF_ERROR(made->SetTags(tags));
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<QueueCore> entered,
                          Enter(&Registry::queues, name, made, env_->limits.broker.queues_max,
                                AwsError::kQueueOverLimit));
  if (entered != made) return open(std::move(entered));  // somebody was quicker
  return Queue(std::move(entered));
}

absl::StatusOr<Queue> BrokerCore::FindQueue(std::string_view name) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  std::shared_ptr<QueueCore> core = Find(&Registry::queues, name);
  if (core == nullptr) return NoQueue();
  return Queue(std::move(core));
}

std::vector<Queue> BrokerCore::ListQueues(std::string_view prefix) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  return AsHandles<Queue>(List(&Registry::queues, prefix));
}

absl::StatusOr<QueuePage> BrokerCore::ListQueuesPage(std::string_view prefix, int64_t max_results,
                                                     std::string_view next_token) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (max_results < 1 || max_results > 1'000) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", max_results,
                 " for parameter MaxResults is invalid. Reason: MaxResults must be an integer "
                 "between 1 and 1000.");
  }
  // The token is the name of the last queue of the page before, which need not be there any more.
  if (!next_token.empty() && !next_token.starts_with(prefix)) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", next_token,
                 " for parameter NextToken is invalid. Reason: It is not from a list of queues "
                 "whose names begin with \"",
                 prefix, "\".");
  }
  std::vector<std::shared_ptr<QueueCore>> page;
  bool more = false;
  {
    MutexLock lock(&mu_);
    const Names<QueueCore>& names = registry_.queues;
    auto at = next_token.empty() ? names.lower_bound(prefix) : names.upper_bound(next_token);
    for (; at != names.end() && std::string_view(at->first).starts_with(prefix); ++at) {
      more = static_cast<int64_t>(page.size()) == max_results;
      if (more) break;
      page.push_back(at->second);
    }
  }
  std::string token = more ? page.back()->name() : std::string();
  return QueuePage{AsHandles<Queue>(std::move(page)), std::move(token)};
}

absl::StatusOr<std::vector<Queue>> BrokerCore::ListDeadLetterSourceQueues(
    std::string_view name) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const std::shared_ptr<QueueCore> dead_letter = Find(&Registry::queues, name);
  if (dead_letter == nullptr) return NoQueue();
  std::vector<Queue> sources;
  for (std::shared_ptr<QueueCore>& queue : List(&Registry::queues, "")) {
    const absl::StatusOr<QueueOptions> options = queue->Options();
    if (!options.ok()) {
      if (absl::IsNotFound(options.status())) continue;  // deleted meanwhile
      return options.status();
    }
    if (options->redrive.has_value() && options->redrive->dead_letter == dead_letter->arn()) {
      sources.emplace_back(std::move(queue));
    }
  }
  return sources;
}

absl::Status BrokerCore::DeleteQueue(std::string_view name) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const std::shared_ptr<QueueCore> core = TakeOut(&Registry::queues, name);
  if (core == nullptr) return NoQueue();
  core->Close(CloseKind::kDeleted);
  return absl::OkStatus();
}

}  // namespace banyan::inline v0_1::internal
