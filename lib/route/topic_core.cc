// SPDX-License-Identifier: Apache-2.0
#include "route/topic_core.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "message/errors.h"
#include "queue/core.h"
#include "route/function_record.h"

namespace banyan::inline v0_1::internal {

namespace {

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
