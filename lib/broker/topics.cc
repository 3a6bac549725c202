// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/topics.cc -- floor 6: topics by name.
#include <utility>

#include "base/status_macros.h"
#include "broker/broker_core.h"
#include "broker/registry.h"
#include "message/errors.h"
#include "route/publish_rules.h"
#include "route/topic_attributes.h"
#include "route/topic_core.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr size_t kTopicPage = 100;

absl::Status NoTopic() { return Error(AwsError::kTopicNotFound, "Topic does not exist"); }

absl::Status Differs(std::string_view what) {
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: ", what,
               " Reason: Topic already exists with different ",
               what == "Tags" ? "tags" : "attributes");
}

// What is left at its default counts as left out, and left out is no difference.
bool HasDifference(const TopicOptions& asked, const TopicOptions& there) {
  const TopicOptions defaults;
  const auto differs = [&](auto field) {
    return asked.*field != defaults.*field && asked.*field != there.*field;
  };
  using Options = TopicOptions;
  return differs(&Options::display_name) || differs(&Options::fifo) ||
         differs(&Options::content_based_deduplication) ||
         differs(&Options::fifo_throughput_scope) || differs(&Options::archive_retention) ||
         differs(&Options::archive_bytes_max) || differs(&Options::delivery_policy) ||
         differs(&Options::signature_version) || differs(&Options::policy) ||
         differs(&Options::kms_master_key_id) || differs(&Options::tracing_config) ||
         differs(&Options::delivery_status_logging);
}

}  // namespace

absl::StatusOr<std::shared_ptr<TopicCore>> BrokerCore::FindOrMakeTopic(std::string_view name,
                                                                       const TopicOptions& options,
                                                                       bool* is_new) {
  *is_new = false;
  BANYAN_RETURN_IF_ERROR(ValidateTopicName(name, options.fifo, env_->limits));
  BANYAN_RETURN_IF_ERROR(ValidateTopicOptions(options));
  if (std::shared_ptr<TopicCore> there = Find(&Registry::topics, name)) return there;
  const std::shared_ptr<TopicCore> made =
      TopicCore::Create(env_, std::string(name), options,
                        [weak = weak_from_this()](const Arn& arn) -> std::shared_ptr<QueueCore> {
                          const std::shared_ptr<BrokerCore> self = weak.lock();
                          return self == nullptr ? nullptr : self->FindByArn(arn);
                        });
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<TopicCore> entered,
                          Enter(&Registry::topics, name, made, env_->limits.broker.topics_max,
                                AwsError::kTopicLimitExceeded));
  *is_new = entered == made;
  return entered;
}

absl::StatusOr<Topic> BrokerCore::CreateTopic(std::string_view name, const TopicOptions& options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  bool is_new = false;
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<TopicCore> topic,
                          FindOrMakeTopic(name, options, &is_new));
  if (!is_new && HasDifference(options, topic->options())) return Differs("Attributes");
  return Topic(std::move(topic));
}

absl::StatusOr<Topic> BrokerCore::CreateTopicFromAttributes(
    std::string_view name, const std::map<std::string, std::string>& attributes,
    const std::map<std::string, std::string>& tags) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_ASSIGN_OR_RETURN(const TopicOptions options, TopicOptionsFrom(attributes));
  BANYAN_RETURN_IF_ERROR(ValidateTopicTags(tags));
  bool is_new = false;
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<TopicCore> topic,
                          FindOrMakeTopic(name, options, &is_new));
  if (is_new) {
    BANYAN_RETURN_IF_ERROR(topic->SetTags(tags));
    return Topic(std::move(topic));
  }
  if (!TopicHas(attributes, topic->options())) return Differs("Attributes");
  BANYAN_ASSIGN_OR_RETURN(const AttributeStrings there, topic->Tags());
  for (const auto& [key, value] : tags) {
    const auto found = there.find(key);
    if (found == there.end() || found->second != value) return Differs("Tags");
  }
  return Topic(std::move(topic));
}

// The token is the name of the last topic of the page before, which need not be there any more.
absl::StatusOr<TopicPage> BrokerCore::ListTopicsPage(std::string_view next_token) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const bool is_fifo = next_token.ends_with(".fifo");
  if (!next_token.empty() && !ValidateTopicName(next_token, is_fifo, env_->limits).ok()) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: NextToken Reason: it is not from a list of topics");
  }
  TopicPage page;
  MutexLock lock(&mu_);
  const Names<TopicCore>& names = registry_.topics;
  auto at = next_token.empty() ? names.begin() : names.upper_bound(next_token);
  for (; at != names.end(); ++at) {
    if (page.topics.size() == kTopicPage) {
      page.next_token = page.topics.back().name();
      break;
    }
    page.topics.emplace_back(at->second);
  }
  return page;
}

absl::StatusOr<Topic> BrokerCore::FindTopic(std::string_view name) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  std::shared_ptr<TopicCore> core = Find(&Registry::topics, name);
  if (core == nullptr) return NoTopic();
  return Topic(std::move(core));
}

std::vector<Topic> BrokerCore::ListTopics(std::string_view prefix) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  return AsHandles<Topic>(List(&Registry::topics, prefix));
}

absl::Status BrokerCore::DeleteTopic(std::string_view name) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const std::shared_ptr<TopicCore> found = Find(&Registry::topics, name);
  if (found != nullptr && found->options().archive_retention > absl::ZeroDuration()) {
    return Error(
        AwsError::kTopicInvalidState,
        "Invalid state: a topic with an ArchivePolicy cannot be deleted; remove the policy "
        "first");
  }
  const std::shared_ptr<TopicCore> core = TakeOut(&Registry::topics, name);
  if (core != nullptr) core->Close(CloseKind::kDeleted);
  return absl::OkStatus();
}

}  // namespace banyan::inline v0_1::internal
