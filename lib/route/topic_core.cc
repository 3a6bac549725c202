// SPDX-License-Identifier: Apache-2.0
#include "route/topic_core.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "deliver/function_core.h"
#include "deliver/retry.h"
#include "message/errors.h"
#include "pattern/event_fields.h"
#include "pattern/explain.h"
#include "queue/core.h"
#include "route/rule_target.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kOnSubscribe = "Invalid parameter: Attributes Reason: ";
constexpr std::string_view kOnChange = "Invalid parameter: ";

// How the index knows a subscription. Points to its argument.
std::string_view SerialId(const uint64_t& serial) {
  return {reinterpret_cast<const char*>(&serial), sizeof(serial)};
}

// What the subscription delivers to, or why there is no such subscription.
absl::StatusOr<std::shared_ptr<Sink>> ResolveEndpoint(const Target& target) {
  std::shared_ptr<Sink> endpoint;
  if (const Queue* queue = std::get_if<Queue>(&target.to())) {
    endpoint = queue->core();
  } else if (const Function* function = std::get_if<Function>(&target.to())) {
    endpoint = function->core();
  } else {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Amazon SNS does not support this protocol string: ",
                 std::holds_alternative<Stream>(target.to())                       ? "stream"
                 : std::holds_alternative<std::shared_ptr<TopicCore>>(target.to()) ? "topic"
                                                                                   : "bus");
  }
  if (endpoint == nullptr) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Endpoint Reason: the handle names no queue or function");
  }
  return endpoint;
}

absl::Status ValidateKindOfTarget(const Target& target, bool topic_is_fifo) {
  const bool to_fifo_queue = IsFifoQueue(target);
  if (to_fifo_queue && !topic_is_fifo) {
    return Error(
        AwsError::kTopicInvalidParameter,
        "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be "
        "subscribed to standard SNS topics");
  }
  if (topic_is_fifo && !std::holds_alternative<Queue>(target.to())) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Invalid parameter: Endpoint Reason: only queues can be "
                 "subscribed to FIFO topics");
  }
  if (!target.dead_letter().has_value()) return absl::OkStatus();
  const std::shared_ptr<QueueCore>& dead_letter = target.dead_letter()->core();
  if (dead_letter == nullptr) {
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe,
                 "RedrivePolicy: deadLetterTargetArn is an invalid arn");
  }
  if (dead_letter->fifo() == to_fifo_queue) return absl::OkStatus();
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: RedrivePolicy: ",
               to_fifo_queue
                   ? "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
                   : "must use a standard queue as DLQ for a subscription that is not FIFO.");
}

absl::Status ValidateSubscriptionTarget(const Target& target, bool topic_is_fifo,
                                        const Environment& env) {
  if (!IsAtHome(target, env)) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Endpoint Reason: the endpoint, or its dead-letter queue, "
                 "belongs to another broker");
  }
  if (const std::string_view field = FieldForRulesOnly(target); !field.empty()) {
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe, field,
                 " is for the targets of rules only");
  }
  BANYAN_RETURN_IF_ERROR(ValidateKindOfTarget(target, topic_is_fifo));
  if (!target.retry().has_value()) return absl::OkStatus();
  return ValidateRetryPolicy(*target.retry(), TopicRetryLimits(), AwsError::kTopicInvalidParameter);
}

using Form = SubscriptionCore::Form;
using Presentations = std::array<std::shared_ptr<const Presentation>, SubscriptionCore::kForms>;

Presentations MakePresentations(const std::string& topic_arn, bool fifo) {
  const auto of = fifo ? Notification::Of::kFifoTopic : Notification::Of::kStandardTopic;
  Presentations made;
  const auto set = [&made](Form form, std::shared_ptr<const Presentation> presentation) {
    made[static_cast<size_t>(form)] = std::move(presentation);
  };
  set(Form::kEnveloped, std::make_shared<const Notification>(topic_arn, of));
  if (!fifo) return made;
  set(Form::kRawWithoutGroup, std::make_shared<const Regrouped>(""));
  set(Form::kEnvelopedWithoutGroup,
      std::make_shared<const Notification>(topic_arn, of, Notification::Group::kLeftOut));
  return made;
}

// Of what a target gets that is a queue or a function.
Form FormFor(const Target& target, bool raw, bool topic_is_fifo) {
  const bool without_group = topic_is_fifo && !IsFifoQueue(target);
  if (raw) return without_group ? Form::kRawWithoutGroup : Form::kRaw;
  return without_group ? Form::kEnvelopedWithoutGroup : Form::kEnveloped;
}

}  // namespace

SubscriptionCore::SubscriptionCore(Plan plan)
    : topic_(std::move(plan.topic)),
      serial_(plan.serial),
      arn_(std::move(plan.arn)),
      arn_text_(arn_.ToString()),
      target_(std::move(plan.target)),
      raw_(plan.raw),
      called_inline_(plan.called_inline),
      protocol_(plan.protocol),
      form_(plan.form),
      courier_(std::move(plan.courier)),
      published_before_(plan.published_before) {}

SubscriptionStats SubscriptionCore::Stats() const {
  SubscriptionStats stats;
  // In this order, so that what was delivered was published.
  stats.delivery = courier_->Stats();
  int64_t published = published_until_.load(std::memory_order_relaxed);
  if (published < 0) {
    const std::shared_ptr<TopicCore> topic = topic_.lock();
    published = topic == nullptr ? published_before_ : topic->published();
  }
  stats.filtered = std::max<int64_t>(0, published - published_before_ - stats.delivery.matched);
  return stats;
}

TopicCore::TopicCore(std::shared_ptr<Environment> env, std::string name, TopicOptions options)
    : env_(std::move(env)),
      name_(std::move(name)),
      fifo_(options.fifo),
      arn_(env_->MakeArn("sns", name_)),
      arn_text_(arn_.ToString()),
      presentations_(MakePresentations(arn_text_, fifo_)),
      line_(fifo_ ? std::make_unique<PublishLine>(
                        env_->runtime, options.fifo_throughput_scope,
                        SipKey{env_->NextIncarnation(), env_->NextIncarnation()})
                  : nullptr),
      content_based_deduplication_(options.content_based_deduplication),
      active_(env_->limits),
      options_(std::move(options)) {}

std::shared_ptr<TopicCore> TopicCore::Create(std::shared_ptr<Environment> env, std::string name,
                                             TopicOptions options) {
  const ArchiveShelf::Bounds archive = {options.archive_retention, options.archive_bytes_max};
  std::shared_ptr<TopicCore> made(
      new TopicCore(std::move(env), std::move(name), std::move(options)));
  if (made->fifo_) {
    made->archive_ = TopicArchive::Create(made->env_, made->arn_text_, made);
    made->archive_->SetBounds(archive);
  }
  return made;
}

absl::Status TopicCore::Gone() const {
  if (close_kind_.load(std::memory_order_acquire) == CloseKind::kStopped) return env_->Refusal();
  return Error(AwsError::kTopicNotFound, "Topic does not exist");
}

absl::Status TopicCore::Check(const PublishRequest& request) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (RuleIndex::Moment(active_).closed()) return Gone();
  return ValidatePublish(request, kind(), env_->limits);
}

absl::StatusOr<PublishResult> TopicCore::Publish(PublishRequest request) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (line_ != nullptr) {
    BANYAN_ASSIGN_OR_RETURN(const PublishResult result, Enter(std::move(request)));
    Serve(result.sequence_number);
    return result;
  }
  RuleIndex::Moment subscriptions(active_);
  if (subscriptions.closed()) return Gone();
  BANYAN_RETURN_IF_ERROR(ValidatePublish(request, kind(), env_->limits));
  const Id id = env_->ids.Next();
  const Instant now = env_->runtime.Read();
  published_.fetch_add(1, std::memory_order_relaxed);
  if (IsTakenOver(request, id, now)) return PublishResult{id};
  FanOut(MakePublication(std::move(request), id, now, 0), &subscriptions);
  return PublishResult{id};
}

absl::StatusOr<std::vector<absl::StatusOr<PublishResult>>> TopicCore::PublishBatch(
    std::vector<PublishRequest> requests) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (RuleIndex::Moment(active_).closed()) return Gone();
  BANYAN_RETURN_IF_ERROR(ValidateBatchPublish(requests, kind(), env_->limits));
  std::vector<absl::StatusOr<PublishResult>> answers;
  answers.reserve(requests.size());
  uint64_t last = 0;
  for (PublishRequest& request : requests) {
    answers.push_back(line_ == nullptr ? Publish(std::move(request)) : Enter(std::move(request)));
    if (answers.back().ok()) last = std::max(last, answers.back()->sequence_number);
  }
  if (line_ != nullptr) Serve(last);
  return answers;
}

absl::StatusOr<PublishResult> TopicCore::Enter(PublishRequest request) {
  if (RuleIndex::Moment(active_).closed()) return Gone();
  BANYAN_RETURN_IF_ERROR(ValidatePublish(request, kind(), env_->limits));
  if (request.message_deduplication_id.empty()) {
    request.message_deduplication_id = Sha256Hex(request.body.view());
  }
  const DedupKey key = line_->KeyOf(request.message_group_id, request.message_deduplication_id);
  const Id id = env_->ids.Next();
  const Instant now = env_->runtime.Read();
  if (env_->tap != nullptr) {
    // What reaches nobody must not be mirrored. Two equal publishes at the same moment may both
    // pass; the other side has a deduplication of its own.
    if (const auto duplicate = line_->FindDuplicate(key, now.uptime_ns)) return *duplicate;
    if (IsTakenOver(request, id, now)) {
      published_.fetch_add(1, std::memory_order_relaxed);
      return PublishResult{id};
    }
  }
  BANYAN_ASSIGN_OR_RETURN(const PublishLine::Entered entered,
                          line_->Enter(key, id, now.uptime_ns, [&](uint64_t sequence_number) {
                            return MakePublication(std::move(request), id, now, sequence_number);
                          }));
  if (!entered.is_duplicate) published_.fetch_add(1, std::memory_order_relaxed);
  return entered.result;
}

void TopicCore::Serve(uint64_t sequence_number) {
  line_->Serve(sequence_number, [this](const Publication& publication) { ServeOne(publication); });
}

// In the line.
void TopicCore::ServeOne(const Publication& publication) {
  RuleIndex::Moment subscriptions(active_);
  if (subscriptions.closed()) return;
  if (archive_->is_on()) archive_->Keep(publication.For(Protocol::kQueue));
  FanOut(publication, &subscriptions);
}

bool TopicCore::IsTakenOver(const PublishRequest& request, const Id& id, const Instant& now) {
  if (env_->tap == nullptr) return false;
  const uint64_t sequence = tap_sequence_.fetch_add(1, std::memory_order_relaxed) + 1;
  return env_->tap->Accepted({.resource_arn = arn_text_,
                              .sequence = sequence,
                              .event_id = id,
                              .trace_header = request.trace_header,
                              .accepted = now,
                              .body = request.body,
                              .attributes = &request.attributes,
                              .key = {}}) == TapVerdict::kTakeOver;
}

Publication TopicCore::MakePublication(PublishRequest request, const Id& id, const Instant& now,
                                       uint64_t sequence_number) const {
  MessageParts parts = {.id = id,
                        .event_id = id,
                        .accepted = now,
                        .trace_header = std::move(request.trace_header),
                        .subject = std::move(request.subject),
                        .group_id = std::move(request.message_group_id),
                        .deduplication_id = std::move(request.message_deduplication_id),
                        .sequence_number = sequence_number,
                        .attributes = std::move(request.attributes),
                        .body = std::move(request.body)};
  if (!request.json_structure) return {.message = MakeMessage(std::move(parts))};

  MessageStructure structure = *ReadMessageStructure(parts.body.view());  // validated
  Publication publication;
  for (const Protocol protocol : kProtocols) {
    const size_t i = static_cast<size_t>(protocol);
    if (!structure.of_protocol[i].has_value()) continue;
    MessageParts own = parts;
    own.body = Payload(*std::move(structure.of_protocol[i]));
    publication.of_protocol[i] = MakeMessage(std::move(own));
  }
  parts.body = Payload(std::move(structure.others));
  publication.message = MakeMessage(std::move(parts));
  return publication;
}

std::optional<absl::Status> TopicCore::Accept(const Delivery& delivery, LaterFn) {
  if (line_ != nullptr) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: The MessageGroupId parameter is required for FIFO topics");
  }
  RuleIndex::Moment subscriptions(active_);
  if (subscriptions.closed()) return Gone();
  Payload body = delivery.Body();
  BANYAN_RETURN_IF_ERROR(ValidateBodySize(static_cast<int64_t>(body.size()), env_->limits));
  // A block of its own, because the topic gives the message another id; the body is shared.
  const MessageRef message = MakeMessage({.id = env_->ids.Next(),
                                          .event_id = delivery.message->event_id,
                                          .accepted = env_->runtime.Read(),
                                          .trace_header = delivery.message->trace_header(),
                                          .body = std::move(body)});
  published_.fetch_add(1, std::memory_order_relaxed);
  FanOut({.message = message}, &subscriptions);
  return absl::OkStatus();
}

void TopicCore::FanOut(const Publication& publication, RuleIndex::Moment* subscriptions) {
  // Those without a body of their own share one; each other body has its audience of one.
  Audience others = {};
  for (const Protocol protocol : kProtocols) {
    const size_t i = static_cast<size_t>(protocol);
    others[i] = !publication.of_protocol[i];
    if (others[i]) continue;
    Audience own = {};
    own[i] = true;
    FanOut(publication.of_protocol[i], own, subscriptions);
  }
  FanOut(publication.message, others, subscriptions);
}

void TopicCore::FanOut(const MessageRef& message, const Audience& audience,
                       RuleIndex::Moment* subscriptions) {
  // One for each form that is met: a publisher shows it to all who get it so.
  std::array<std::optional<Delivery>, SubscriptionCore::kForms> deliveries;
  const std::string_view body = message->body.view();
  const bool some_replay = archive_ != nullptr && archive_->has_replays();
  RuleIndex::Refusal refused = RuleIndex::Refusal::kNone;
  subscriptions->Match(
      {.json = &body, .attributes = &message->attributes},
      [&](const PackedRule& found) {
        const auto& subscription = *static_cast<const SubscriptionCore*>(found.payload());
        if (!audience[static_cast<size_t>(subscription.protocol())]) return;
        if (some_replay && !archive_->Admits(subscription.serial(), *message)) return;
        const size_t form = static_cast<size_t>(subscription.form());
        if (!deliveries[form].has_value()) {
          deliveries[form] = Delivery{
              .message = message, .presentation = presentations_[form], .now = message->accepted};
        }
        subscription.courier().Deliver(*deliveries[form]);
      },
      &refused);
  if (refused != RuleIndex::Refusal::kNone) unreadable_.fetch_add(1, std::memory_order_relaxed);
}

absl::StatusOr<std::shared_ptr<const TopicCore::Filter>> TopicCore::MakeFilter(
    std::string_view json, FilterPolicyScope scope, std::string_view prefix) const {
  std::shared_ptr<const Filter> none;
  std::string compact;
  if (json.empty() || (CompactJson(json, &compact) && compact == "{}")) return none;
  CompileResult compiled = CompilePattern(json,
                                          scope == FilterPolicyScope::kMessageBody
                                              ? PatternLanguage::kSnsMessageBody
                                              : PatternLanguage::kSnsMessageAttributes,
                                          env_->limits);
  if (const PatternError* error = std::get_if<PatternError>(&compiled)) {
    return Error(AwsError::kTopicInvalidParameter, prefix, FilterPolicyText(*error, json));
  }
  return std::make_shared<const Filter>(
      Filter{std::string(json), scope,
             std::get<std::shared_ptr<const CompiledPattern>>(std::move(compiled))});
}

absl::Status TopicCore::CountFilters(bool had, bool has) {
  if (had == has) return absl::OkStatus();
  const Limits::Topic& limits = env_->limits.topic;
  std::atomic<int64_t>& all = env_->filter_policies;
  if (had) {
    --filters_;
    all.fetch_sub(1, std::memory_order_relaxed);
    return absl::OkStatus();
  }
  if (filters_ >= limits.filter_policies_max) {
    return Error(AwsError::kTopicFilterPolicyLimitExceeded,
                 "Filter policy limit exceeded: at most ", limits.filter_policies_max,
                 " per topic");
  }
  // Counted first, so that two topics cannot both take the last.
  if (all.fetch_add(1, std::memory_order_relaxed) >= limits.all_filter_policies_max) {
    all.fetch_sub(1, std::memory_order_relaxed);
    return Error(AwsError::kTopicFilterPolicyLimitExceeded,
                 "Filter policy limit exceeded: at most ", limits.all_filter_policies_max,
                 " in all topics");
  }
  ++filters_;
  return absl::OkStatus();
}

void TopicCore::Activate(const Entry& entry) {
  const uint64_t serial = entry.subscription->serial();
  RuleInput input = RuleInput::kNothing;
  if (entry.filter != nullptr) {
    input = entry.filter->scope == FilterPolicyScope::kMessageBody ? RuleInput::kJson
                                                                   : RuleInput::kAttributes;
  }
  const bool has_room =
      active_.Put({.input = input,
                   .pattern = entry.filter == nullptr ? nullptr : entry.filter->pattern,
                   .id = SerialId(serial),
                   .payload = entry.subscription});
  BANYAN_CHECK(has_room, "Subscribe() keeps the number below what the index takes");
}

std::shared_ptr<SubscriptionCore> TopicCore::MakeSubscription(Target target,
                                                              const SubscriptionOptions& options) {
  // The subscription's ARN is the topic's and a UUID.
  Arn arn = arn_;
  arn.resource = StrCat(name_, ":", env_->ids.Next().ToString());

  // A dead-letter queue gets what the endpoint would have received. But a function's gets the
  // envelope, as from SNS; and so does that of a raw subscription whose message has more attributes
  // than the readers of a queue expect, which is why it came here.
  const bool to_function = std::holds_alternative<Function>(target.to());
  CourierPlan plan;
  plan.destination = *ResolveEndpoint(target);
  if (options.call_inline) {
    plan.destination = std::make_shared<InlineFunction>(std::get<Function>(target.to()).core());
  }
  plan.retry = target.retry().value_or(DefaultTopicRetry());
  plan.source_arn = arn.ToString();
  plan.in_order = IsFifoQueue(target);
  if (target.dead_letter().has_value()) {
    plan.dead_letter = target.dead_letter()->core();
    plan.dead_letter_form =
        [to_function, envelope = presentations_[static_cast<size_t>(FormFor(target, false, fifo_))],
         most = static_cast<size_t>(env_->limits.queue.attributes_max)](const Delivery& delivery,
                                                                        const GivenUp&) {
          if (to_function || delivery.message->attributes.size() > most) {
            return Delivery{.message = delivery.message, .presentation = envelope};
          }
          return delivery;
        };
  }
  return std::make_shared<SubscriptionCore>(
      SubscriptionCore::Plan{.topic = weak_from_this(),
                             .serial = next_serial_++,
                             .arn = std::move(arn),
                             .target = target,
                             .raw = options.raw || to_function,
                             .called_inline = options.call_inline,
                             .protocol = to_function ? Protocol::kFunction : Protocol::kQueue,
                             .form = FormFor(target, options.raw || to_function, fifo_),
                             .courier = Courier::Create(env_, std::move(plan)),
                             .published_before = published()});
}

absl::StatusOr<Subscription> TopicCore::Subscribe(Target target, SubscriptionOptions options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_ASSIGN_OR_RETURN(const std::shared_ptr<Sink> endpoint, ResolveEndpoint(target));
  BANYAN_RETURN_IF_ERROR(ValidateSubscriptionTarget(target, fifo_, *env_));
  BANYAN_ASSIGN_OR_RETURN(
      std::shared_ptr<const Filter> filter,
      MakeFilter(options.filter_policy, options.filter_policy_scope, kOnSubscribe));

  if (options.call_inline && !std::holds_alternative<Function>(target.to())) {
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe, "call_inline is for functions");
  }
  if (options.replay_policy.has_value()) {
    BANYAN_RETURN_IF_ERROR(CheckReplay(*options.replay_policy));
  }
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  if (const auto known = by_endpoint_.find(endpoint.get()); known != by_endpoint_.end()) {
    const Entry& entry = subscriptions_.at(known->second);
    const SubscriptionCore& there = *entry.subscription;
    // What is left at its default counts as left out, and left out is never a difference.
    const bool same =
        (filter == nullptr || (entry.filter != nullptr && filter->text == entry.filter->text &&
                               filter->scope == entry.filter->scope)) &&
        (!options.raw || there.raw()) && (!options.call_inline || there.called_inline()) &&
        (!target.retry().has_value() || target.retry() == there.target().retry()) &&
        (!target.dead_letter().has_value() ||
         target.dead_letter() == there.target().dead_letter()) &&
        (!options.replay_policy.has_value() || IsReplayedBy(there, *options.replay_policy));
    if (same) return Subscription(entry.subscription);
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe,
                 "Subscription already exists with different attributes");
  }
  const int64_t most =
      std::min(env_->limits.topic.subscriptions_max, env_->limits.pattern.rules_max);
  if (static_cast<int64_t>(subscriptions_.size()) >= most) {
    return Error(AwsError::kTopicSubscriptionLimitExceeded, "Subscription limit exceeded: at most ",
                 most, " per topic");
  }
  BANYAN_RETURN_IF_ERROR(CountFilters(false, filter != nullptr));
  std::shared_ptr<SubscriptionCore> made = MakeSubscription(std::move(target), options);
  if (options.replay_policy.has_value()) {
    // Before the line can meet the subscription: it gets nothing live until it has caught up.
    const absl::Status begun = archive_->Start(made->serial(), *options.replay_policy);
    if (!begun.ok()) {
      CountFilters(filter != nullptr, false).IgnoreError();  // fewer are never refused
      return begun;
    }
  }
  const Entry entry = {made, std::move(filter)};
  subscriptions_.emplace(made->serial(), entry);
  by_endpoint_.emplace(endpoint.get(), made->serial());
  Activate(entry);
  return Subscription(std::move(made));
}

absl::Status TopicCore::Unsubscribe(const SubscriptionCore& subscription) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  const auto entry = subscriptions_.find(subscription.serial());
  if (entry == subscriptions_.end()) return absl::OkStatus();  // gone already, or with its topic
  active_.Remove(SerialId(subscription.serial()));
  entry->second.subscription->EndAt(published());
  CountFilters(entry->second.filter != nullptr, false).IgnoreError();  // fewer are never refused
  Retire(entry->second.subscription->shared_courier());
  by_endpoint_.erase(ResolveEndpoint(subscription.target())->get());
  subscriptions_.erase(entry);
  if (archive_ != nullptr) archive_->Forget(subscription.serial());
  return absl::OkStatus();
}

void TopicCore::Retire(std::shared_ptr<Courier> courier) {
  // A publisher of an earlier moment may give it more, so it is kept even if it is idle now. At
  // later changes those are let go that are idle and that nobody else can reach.
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(),
                                [](const auto& retired) {
                                  return retired->pending() == 0 && retired.use_count() == 1;
                                }),
                 retired_.end());
  retired_.push_back(std::move(courier));
}

absl::Status TopicCore::SetFilterPolicy(const SubscriptionCore& subscription, std::string_view json,
                                        FilterPolicyScope scope) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<const Filter> filter, MakeFilter(json, scope, kOnChange));
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  const auto entry = subscriptions_.find(subscription.serial());
  if (entry == subscriptions_.end()) {
    return Error(AwsError::kTopicNotFound, "Subscription does not exist");
  }
  BANYAN_RETURN_IF_ERROR(CountFilters(entry->second.filter != nullptr, filter != nullptr));
  entry->second.filter = std::move(filter);
  Activate(entry->second);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Subscription>> TopicCore::ListSubscriptions() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  std::vector<Subscription> list;
  for (const auto& [serial, entry] : subscriptions_) list.emplace_back(entry.subscription);
  return list;
}

absl::StatusOr<std::vector<SubscriptionExplanation>> TopicCore::Explain(
    const PublishRequest& request) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidatePublish(request, kind(), env_->limits));
  const EventFields by_attributes = EventFields::FromAttributes(request.attributes);
  std::string body_error;
  const std::optional<EventFields> by_body =
      EventFields::FromJson(request.body.view(), EventLimits(env_->limits), &body_error);

  std::vector<SubscriptionExplanation> list;
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  for (const auto& [serial, entry] : subscriptions_) {
    SubscriptionExplanation& explained = list.emplace_back();
    explained.subscription_arn = entry.subscription->arn_text();
    if (entry.filter == nullptr) {
      explained.verdict = {.matched = true, .sentence = "The subscription has no filter policy."};
    } else if (entry.filter->scope == FilterPolicyScope::kMessageAttributes) {
      explained.verdict = ExplainMatch(*entry.filter->pattern, by_attributes);
    } else if (by_body.has_value()) {
      explained.verdict = ExplainMatch(*entry.filter->pattern, *by_body);
    } else {
      explained.verdict.sentence =
          StrCat("The body is not a JSON object that filter policies can read: ", body_error);
    }
  }
  return list;
}

absl::StatusOr<TopicOptions> TopicCore::Options() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  return options_;
}

TopicStats TopicCore::Stats() const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return {};
  MutexLock lock(&change_mu_);
  if (!is_open_) return {};
  return {.published = published(),
          .duplicates = line_ == nullptr ? 0 : line_->duplicates(),
          .subscriptions = static_cast<int64_t>(subscriptions_.size()),
          .unreadable = unreadable_.load(std::memory_order_relaxed)};
}

int64_t TopicCore::PendingDeliveries() const {
  int64_t pending = archive_ == nullptr ? 0 : archive_->Behind();
  MutexLock lock(&change_mu_);
  for (const auto& [serial, entry] : subscriptions_) {
    pending += entry.subscription->courier().pending();
  }
  for (const std::shared_ptr<Courier>& courier : retired_) pending += courier->pending();
  return pending;
}

void TopicCore::Close(CloseKind kind) {
  std::vector<std::shared_ptr<Courier>> couriers;
  {
    MutexLock lock(&change_mu_);
    if (!is_open_) return;
    close_kind_.store(kind, std::memory_order_release);
    is_open_ = false;
    active_.Close();
    for (const auto& [serial, entry] : subscriptions_) {
      entry.subscription->EndAt(published());
      retired_.push_back(entry.subscription->shared_courier());
    }
    couriers = retired_;
    subscriptions_.clear();
    by_endpoint_.clear();
    env_->filter_policies.fetch_sub(filters_, std::memory_order_relaxed);
    filters_ = 0;
  }
  if (archive_ != nullptr) archive_->Close();
  for (const std::shared_ptr<Courier>& courier : couriers) courier->Close(kind);
}

}  // namespace banyan::inline v0_1::internal
