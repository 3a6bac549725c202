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
#include "queue/core.h"
#include "route/function_record.h"
#include "route/rule_target.h"
#include "route/subscription_rules.h"

namespace banyan::inline v0_1::internal {

namespace {

// How the index knows a subscription. Points to its argument.
std::string_view SerialId(const uint64_t& serial) {
  return {reinterpret_cast<const char*>(&serial), sizeof(serial)};
}

using Form = SubscriptionCore::Form;
using Presentations = std::array<std::shared_ptr<const Presentation>, SubscriptionCore::kForms>;

Presentations MakePresentations(const std::shared_ptr<Environment>& env,
                                const std::string& topic_arn, bool fifo,
                                const SignatureVersion& version) {
  const Signing signing = MakeSigning(*env, version);
  const auto of = fifo ? Notification::Of::kFifoTopic : Notification::Of::kStandardTopic;
  Presentations made;
  const auto set = [&made](Form form, std::shared_ptr<const Presentation> presentation) {
    made[static_cast<size_t>(form)] = std::move(presentation);
  };
  set(Form::kEnveloped,
      std::make_shared<const Notification>(topic_arn, of, Notification::Group::kKept, signing));
  set(Form::kFunctionRecord, std::make_shared<const FunctionRecord>(env, topic_arn));
  if (!fifo) return made;
  set(Form::kRawWithoutGroup, std::make_shared<const Regrouped>(""));
  set(Form::kEnvelopedWithoutGroup,
      std::make_shared<const Notification>(topic_arn, of, Notification::Group::kLeftOut));
  return made;
}

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
      raw_form_(plan.raw_form),
      own_envelope_(std::move(plan.own_envelope)),
      http_settings_(std::move(plan.http_settings)),
      http_(std::move(plan.http)),
      courier_(std::move(plan.courier)),
      is_pending_(NeedsConfirmation(plan.protocol)) {}

SubscriptionStats SubscriptionCore::Stats() const {
  SubscriptionStats stats;
  // In this order, so that what was delivered was published.
  stats.delivery = courier_->Stats();
  if (http_ != nullptr) stats.throttled = http_->throttled();
  const std::shared_ptr<TopicCore> topic = topic_.lock();
  stats.filtered = Filtered(topic == nullptr ? TopicSeen() : topic->seen(), stats.delivery).total();
  return stats;
}

TopicCore::TopicCore(std::shared_ptr<Environment> env, std::string name, TopicOptions options,
                     FindQueue find_queue)
    : env_(std::move(env)),
      name_(std::move(name)),
      fifo_(options.fifo),
      arn_(env_->MakeArn("sns", name_)),
      arn_text_(arn_.ToString()),
      signature_version_(std::make_shared<std::atomic<int>>(options.signature_version)),
      presentations_(MakePresentations(env_, arn_text_, fifo_, signature_version_)),
      line_(fifo_ ? std::make_unique<PublishLine>(
                        env_->runtime, options.fifo_throughput_scope,
                        SipKey{env_->NextIncarnation(), env_->NextIncarnation()})
                  : nullptr),
      content_based_deduplication_(options.content_based_deduplication),
      find_queue_(std::move(find_queue)),
      active_(env_->limits),
      options_(std::move(options)) {}

std::shared_ptr<TopicCore> TopicCore::Create(std::shared_ptr<Environment> env, std::string name,
                                             TopicOptions options, FindQueue find_queue) {
  const ArchiveShelf::Bounds archive = {options.archive_retention, options.archive_bytes_max};
  std::shared_ptr<TopicCore> made(
      new TopicCore(std::move(env), std::move(name), std::move(options), std::move(find_queue)));
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
  published_sizes_.Add(BytesOf(request));
  if (IsTakenOver(request, id, now)) return PublishResult{id};
  CountShown(!request.attributes.empty());
  const Publication publication = MakePublication(std::move(request), id, now, 0);
  Tell(StoryStep::Kind::kAccepted, *publication.message, now);
  FanOut(publication, &subscriptions);
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
      published_sizes_.Add(BytesOf(request));
      return PublishResult{id};
    }
  }
  const int64_t bytes = BytesOf(request);
  const bool has_attributes = !request.attributes.empty();
  // A message structure is not what is delivered, and its release function runs under no lock.
  const Payload whole = request.json_structure ? request.body : Payload();
  BANYAN_ASSIGN_OR_RETURN(const PublishLine::Entered entered,
                          line_->Enter(key, id, now.uptime_ns, [&](uint64_t sequence_number) {
                            Publication made =
                                MakePublication(std::move(request), id, now, sequence_number);
                            // Here, for from now on another thread may fan it out.
                            Tell(StoryStep::Kind::kAccepted, *made.message, now);
                            return made;
                          }));
  if (!entered.is_duplicate) {
    published_sizes_.Add(bytes);
    CountShown(has_attributes);
  } else if (env_->story != nullptr) {
    env_->story->Tell(entered.result.message_id,
                      {.kind = StoryStep::Kind::kDuplicate, .at = now, .resource = arn_text_});
  }
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
  const TapVerdict verdict = env_->tap->Accepted({.resource_arn = arn_text_,
                                                  .sequence = sequence,
                                                  .event_id = id,
                                                  .trace_header = request.trace_header,
                                                  .accepted = now,
                                                  .body = request.body,
                                                  .attributes = &request.attributes,
                                                  .key = {}});
  if (verdict != TapVerdict::kTakeOver) return false;
  taken_over_.fetch_add(1, std::memory_order_relaxed);
  return true;
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

absl::Status TopicCore::CheckDelivered(const Payload& body) const {
  if (line_ != nullptr) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: The MessageGroupId parameter is required for FIFO topics");
  }
  return ValidateBodySize(static_cast<int64_t>(body.size()), env_->limits);
}

Prospect TopicCore::Foresee(const Delivery& delivery) {
  if (RuleIndex::Moment(active_).closed()) return {Gone()};
  return {CheckDelivered(delivery.Body())};
}

std::optional<absl::Status> TopicCore::Accept(const Delivery& delivery, LaterFn) {
  RuleIndex::Moment subscriptions(active_);
  if (subscriptions.closed()) return Gone();
  Payload body = delivery.Body();
  BANYAN_RETURN_IF_ERROR(CheckDelivered(body));
  // A block of its own, because the topic gives the message another id; the body is shared.
  const MessageRef message = MakeMessage({.id = env_->ids.Next(),
                                          .event_id = delivery.message->event_id,
                                          .accepted = env_->runtime.Read(),
                                          .trace_header = delivery.message->trace_header(),
                                          .body = std::move(body)});
  published_sizes_.Add(static_cast<int64_t>(message->bytes()));
  CountShown(/*has_attributes=*/false);
  Tell(StoryStep::Kind::kArrived, *message, message->accepted);
  FanOut({.message = message}, &subscriptions);
  return absl::OkStatus();
}

void TopicCore::FanOut(const Publication& publication, RuleIndex::Moment* subscriptions) {
  // Those without a body of their own share one; each other body has its audience of one.
  Audience others = {};
  int64_t wanted = 0;
  for (const Protocol protocol : kProtocols) {
    const size_t i = static_cast<size_t>(protocol);
    others[i] = !publication.of_protocol[i];
    if (others[i]) continue;
    Audience own = {};
    own[i] = true;
    wanted += FanOut(publication.of_protocol[i], own, subscriptions);
  }
  wanted += FanOut(publication.message, others, subscriptions);
  if (wanted == 0) {
    Tell(StoryStep::Kind::kUnmatched, *publication.message, publication.message->accepted);
  }
}

void TopicCore::Tell(StoryStep::Kind kind, const Message& message, const Instant& at,
                     std::string_view through, std::string_view destination) const {
  if (env_->story == nullptr) return;
  env_->story->Tell(message.event_id, {.kind = kind,
                                       .at = at,
                                       .resource = arn_text_,
                                       .destination = destination,
                                       .through = through,
                                       .message_id = message.id});
}

int64_t TopicCore::FanOut(const MessageRef& message, const Audience& audience,
                          RuleIndex::Moment* subscriptions) {
  // One for each form that is met: a publisher shows it to all who get it so.
  std::array<std::optional<Delivery>, SubscriptionCore::kForms> deliveries;
  const std::string_view body = message->body.view();
  const bool some_replay = archive_ != nullptr && archive_->has_replays();
  RuleIndex::Refusal refused = RuleIndex::Refusal::kNone;
  int64_t wanted = 0;
  subscriptions->Match(
      {.json = &body, .attributes = &message->attributes},
      [&](const PackedRule& found) {
        const auto& subscription = *static_cast<const SubscriptionCore*>(found.payload());
        if (!audience[static_cast<size_t>(subscription.protocol())]) return;
        if (some_replay && !archive_->Admits(subscription.serial(), *message)) {
          subscription.CountHeld();
          return;
        }
        ++wanted;
        if (env_->story != nullptr) {
          Tell(StoryStep::Kind::kMatched, *message, message->accepted, subscription.arn_text(),
               subscription.courier().plan().destination->arn_text());
        }
        const SubscriptionCore::Look look = subscription.look();
        if (look.own_envelope != nullptr) {
          Delivery own = {
              .message = message, .presentation = *look.own_envelope, .now = message->accepted};
          return subscription.courier().Deliver(own);
        }
        const size_t form = static_cast<size_t>(look.form);
        if (!deliveries[form].has_value()) {
          deliveries[form] = Delivery{
              .message = message, .presentation = presentations_[form], .now = message->accepted};
        }
        subscription.courier().Deliver(*deliveries[form]);
      },
      &refused);
  // Once for each message: by the text that queues get.
  if (refused != RuleIndex::Refusal::kNone && audience[static_cast<size_t>(Protocol::kQueue)]) {
    unreadable_.fetch_add(1, std::memory_order_relaxed);
  }
  return wanted;
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
  if (entry.subscription->is_pending()) return;
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
  std::optional<FilterPolicyScope> scope;
  if (entry.filter != nullptr) scope = entry.filter->scope;
  entry.subscription->BeginFilter(seen(), scope);
}

std::shared_ptr<SubscriptionCore> TopicCore::MakeSubscription(Target target,
                                                              const SubscriptionOptions& options) {
  // The subscription's ARN is the topic's and a UUID.
  Arn arn = arn_;
  arn.resource = StrCat(name_, ":", env_->ids.Next().ToString());

  const Protocol protocol = ProtocolOf(target);
  const bool to_function = protocol == Protocol::kFunction;
  // E-mail, text messages and push show the message's text; e-mail in JSON the envelope.
  const bool shows_text = protocol == Protocol::kEmail || protocol == Protocol::kSms ||
                          protocol == Protocol::kApplication;
  const bool raw = options.raw || to_function || shows_text;
  const Form raw_form = to_function ? Form::kFunctionRecord : FormFor(target, true, fifo_);
  std::shared_ptr<HttpSettings> http_settings;
  std::shared_ptr<HttpEndpoint> http;

  // A dead-letter queue gets what the endpoint would have received. But a function's gets the
  // envelope, as from SNS; and so does that of a raw subscription whose message has more attributes
  // than the readers of a queue expect, which is why it came here.
  const std::shared_ptr<const Presentation> envelope = EnvelopeFor(target, arn);
  CourierPlan plan;
  plan.source_arn = arn.ToString();
  plan.retry = target.retry().value_or(DefaultTopicRetry());
  if (const auto* endpoint = std::get_if<NotificationEndpoint>(&target.to())) {
    if (IsHttp(protocol)) {
      http_settings = std::make_shared<HttpSettings>(Policy(options.delivery_policy));
    }
    PlanEndpoint(*endpoint, arn, http_settings, &plan, &http);
  } else if (options.call_inline) {
    plan.destination = std::make_shared<InlineFunction>(std::get<Function>(target.to()).core());
  } else {
    plan.destination = *ResolveEndpoint(target);
  }
  plan.in_order = IsFifoQueue(target);
  plan.find_later = [topic = weak_from_this(), serial = next_serial_]() {
    const std::shared_ptr<TopicCore> core = topic.lock();
    return core == nullptr ? nullptr : core->CourierOf(serial);
  };
  if (target.dead_letter().has_value()) plan.dead_letter = target.dead_letter()->core();
  plan.dead_letter_form = [to_function, envelope,
                           most = static_cast<size_t>(env_->limits.queue.attributes_max)](
                              const Delivery& delivery, const GivenUp&) {
    if (to_function || delivery.message->attributes.size() > most) {
      return Delivery{.message = delivery.message, .presentation = envelope};
    }
    return delivery;
  };
  return std::make_shared<SubscriptionCore>(
      SubscriptionCore::Plan{.topic = weak_from_this(),
                             .serial = next_serial_++,
                             .arn = std::move(arn),
                             .target = target,
                             .raw = raw,
                             .called_inline = options.call_inline,
                             .protocol = protocol,
                             .form = FormFor(target, false, fifo_),
                             .raw_form = raw_form,
                             .own_envelope = env_->endpoint_url.empty() ? nullptr : envelope,
                             .http_settings = std::move(http_settings),
                             .http = std::move(http),
                             .courier = Courier::Create(env_, std::move(plan))});
}

const std::shared_ptr<const Presentation>& TopicCore::PresentationFor(
    const SubscriptionCore& subscription) const {
  const SubscriptionCore::Look look = subscription.look();
  if (look.own_envelope != nullptr) return *look.own_envelope;
  return presentations_[static_cast<size_t>(look.form)];
}

// The topic's for all, unless each is to name its own way out.
std::shared_ptr<const Presentation> TopicCore::EnvelopeFor(const Target& target,
                                                           const Arn& subscription) const {
  const Form form = FormFor(target, /*raw=*/false, fifo_);
  if (env_->endpoint_url.empty()) return presentations_[static_cast<size_t>(form)];
  return std::make_shared<const Notification>(
      arn_text_, fifo_ ? Notification::Of::kFifoTopic : Notification::Of::kStandardTopic,
      form == Form::kEnvelopedWithoutGroup ? Notification::Group::kLeftOut
                                           : Notification::Group::kKept,
      MakeSigning(*env_, signature_version_), UnsubscribeUrl(*env_, subscription.ToString()));
}

absl::StatusOr<Subscription> TopicCore::Subscribe(Target target, SubscriptionOptions options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ResolveEndpoint(target).status());
  BANYAN_RETURN_IF_ERROR(ValidateSubscriptionTarget(target, fifo_, *env_));
  BANYAN_ASSIGN_OR_RETURN(
      std::shared_ptr<const Filter> filter,
      MakeFilter(options.filter_policy, options.filter_policy_scope, kOnSubscribe));

  BANYAN_RETURN_IF_ERROR(ValidateSubscriptionOptions(options, ProtocolOf(target)));
  if (options.replay_policy.has_value()) {
    BANYAN_RETURN_IF_ERROR(CheckReplay(*options.replay_policy));
  }
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<SubscriptionCore> subscription,
                          FindOrAdd(std::move(target), options, std::move(filter)));
  if (subscription->is_pending()) AskForConfirmation(*subscription);
  return Subscription(std::move(subscription));
}

absl::StatusOr<std::shared_ptr<SubscriptionCore>> TopicCore::FindOrAdd(
    Target target, const SubscriptionOptions& options, std::shared_ptr<const Filter> filter) {
  const EndpointKey key = KeyOf(target);
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  if (const auto known = by_endpoint_.find(key); known != by_endpoint_.end()) {
    const Entry& entry = subscriptions_.at(known->second);
    const SubscriptionCore& there = *entry.subscription;
    // What is left at its default counts as left out, and left out is never a difference.
    const bool same =
        (filter == nullptr || (entry.filter != nullptr && filter->text == entry.filter->text &&
                               filter->scope == entry.filter->scope)) &&
        (!options.raw || there.raw()) && (!options.call_inline || there.called_inline()) &&
        (options.delivery_policy.empty() || options.delivery_policy == entry.delivery_policy) &&
        (!target.retry().has_value() || target.retry() == there.target().retry()) &&
        (!target.dead_letter().has_value() || target.dead_letter() == entry.dead_letter) &&
        (!options.replay_policy.has_value() || IsReplayedBy(there, *options.replay_policy));
    if (same) return entry.subscription;
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
    // Before the line can meet the subscription: it gets nothing live until it has caught up. The
    // replay's first look at it waits for change_mu_.
    const absl::Status begun = archive_->Start(made->serial(), *options.replay_policy);
    if (!begun.ok()) {
      CountFilters(filter != nullptr, false).IgnoreError();  // fewer are never refused
      return begun;
    }
  }
  const Entry entry = {made, std::move(filter), options.delivery_policy,
                       made->target().dead_letter(), options.filter_policy_scope};
  subscriptions_.emplace(made->serial(), entry);
  by_endpoint_.emplace(key, made->serial());
  Activate(entry);
  return made;
}

TopicCore::EndpointKey TopicCore::KeyOf(const Target& target) {
  if (const auto* endpoint = std::get_if<NotificationEndpoint>(&target.to())) {
    return {nullptr, StrCat(endpoint->protocol, "|", endpoint->address)};
  }
  if (const Stream* stream = std::get_if<Stream>(&target.to())) {
    // By the stream itself: one deleted and created again under its name is another.
    return {nullptr, StrCat("stream|", reinterpret_cast<uintptr_t>(stream->core().get()))};
  }
  return {ResolveEndpoint(target)->get(), std::string()};
}

absl::Status TopicCore::Unsubscribe(const SubscriptionCore& subscription) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  const bool is_told = IsHttp(subscription.protocol()) && !subscription.is_pending();
  std::string token;  // to undo it
  {
    MutexLock lock(&change_mu_);
    const auto entry = subscriptions_.find(subscription.serial());
    if (entry == subscriptions_.end()) return absl::OkStatus();  // gone already, or with its topic
    active_.Remove(SerialId(subscription.serial()));
    entry->second.subscription->End(seen());
    filtered_by_removed_ += subscription.Filtered(seen(), subscription.courier().Stats());
    ++removed_;
    CountFilters(entry->second.filter != nullptr, false).IgnoreError();  // fewer: never refused
    Retire(entry->second.subscription->shared_courier());
    by_endpoint_.erase(KeyOf(subscription.target()));
    confirmations_.Forget(subscription.serial());
    if (is_told) {
      token = confirmations_.TokenToRestore(Ended(entry->second), env_->runtime);
    }
    subscriptions_.erase(entry);
    if (archive_ != nullptr) archive_->Forget(subscription.serial());
  }
  if (is_told) SendNotice(subscription, HandshakeNotice::Kind::kUnsubscribe, std::move(token));
  return absl::OkStatus();
}

std::shared_ptr<Courier> TopicCore::CourierOf(uint64_t serial) const {
  MutexLock lock(&change_mu_);
  const auto entry = subscriptions_.find(serial);
  return entry == subscriptions_.end() ? nullptr : entry->second.subscription->shared_courier();
}

void TopicCore::Retire(std::shared_ptr<Courier> courier) {
  // A publisher of an earlier moment may give it more, so it is kept even if it is idle now. At
  // later changes those are let go that are idle and that nobody else can reach; when they have
  // doubled, so that a change costs the same however many are kept.
  if (retired_.size() >= sweep_at_) {
    const auto is_done = [this](const auto& retired) ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mu_) {
      if (retired->pending() > 0 || retired.use_count() > 1) return false;
      of_removed_ += retired->Stats();
      return true;
    };
    retired_.erase(std::remove_if(retired_.begin(), retired_.end(), is_done), retired_.end());
    sweep_at_ = std::max<size_t>(16, 2 * retired_.size());
  }
  retired_.push_back(std::move(courier));
}

absl::Status TopicCore::SetFilterPolicy(const SubscriptionCore& subscription, std::string_view json,
                                        FilterPolicyScope scope) {
  return ChangeFilter(subscription, json, scope);
}

absl::Status TopicCore::ChangeFilter(const SubscriptionCore& subscription,
                                     std::optional<std::string_view> json,
                                     std::optional<FilterPolicyScope> scope) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&change_mu_);
  BANYAN_ASSIGN_OR_RETURN(Entry* const entry, Find(subscription));
  const FilterPolicyScope its_scope = scope.value_or(entry->scope);
  std::string_view there;
  if (entry->filter != nullptr) there = entry->filter->text;
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<const Filter> filter,
                          MakeFilter(json.value_or(there), its_scope, kOnChange));
  BANYAN_RETURN_IF_ERROR(CountFilters(entry->filter != nullptr, filter != nullptr));
  entry->filter = std::move(filter);
  entry->scope = its_scope;
  Activate(*entry);
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
  const int64_t pending =
      std::count_if(subscriptions_.begin(), subscriptions_.end(),
                    [](const auto& entry) { return entry.second.subscription->is_pending(); });
  return {.published = published(),
          .duplicates = line_ == nullptr ? 0 : line_->duplicates(),
          .subscriptions = static_cast<int64_t>(subscriptions_.size()),
          .pending_confirmation = pending,
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
      entry.subscription->End(seen());
      retired_.push_back(entry.subscription->shared_courier());
    }
    couriers = retired_;
    subscriptions_.clear();
    by_endpoint_.clear();
    confirmations_.Clear();
    env_->filter_policies.fetch_sub(filters_, std::memory_order_relaxed);
    filters_ = 0;
  }
  if (archive_ != nullptr) archive_->Close();
  for (const std::shared_ptr<Courier>& courier : couriers) courier->Close(kind);
}

}  // namespace banyan::inline v0_1::internal
