// SPDX-License-Identifier: Apache-2.0
//
// lib/route/topic_explain.cc -- floor 5: what a publish would do, without doing it.
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "pattern/event_fields.h"
#include "pattern/explain.h"
#include "queue/intake.h"
#include "route/explain_text.h"
#include "route/topic_core.h"

namespace banyan::inline v0_1 {

namespace internal {

namespace {

// A filter policy on bodies sees the text that its subscription would get, read once for all.
class Bodies {
 public:
  explicit Bodies(const Limits& limits) : limits_(limits) {}

  Explanation Explain(const CompiledPattern& pattern, const Message& message) {
    Body& body = known_[&message];
    if (!body.was_read) {
      body.fields = EventFields::FromJson(message.body.view(), EventLimits(limits_), &body.error);
      body.was_read = true;
    }
    if (body.fields.has_value()) return ExplainMatch(pattern, *body.fields);
    Explanation verdict;
    verdict.sentence =
        StrCat("The body is not a JSON object that filter policies can read: ", body.error);
    return verdict;
  }

 private:
  struct Body {
    bool was_read = false;
    std::optional<EventFields> fields;
    std::string error;
  };
  const Limits& limits_;
  std::map<const Message*, Body> known_;
};

}  // namespace

absl::StatusOr<std::vector<SubscriptionExplanation>> TopicCore::Explain(
    const PublishRequest& request) const {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(ValidatePublish(request, kind(), env_->limits));
  PublishRequest published = request;
  const Instant now = env_->runtime.Read();
  bool is_duplicate = false;
  if (line_ != nullptr) {
    if (published.message_deduplication_id.empty()) {
      published.message_deduplication_id = Sha256Hex(published.body.view());
    }
    is_duplicate =
        line_->Knows(line_->KeyOf(published.message_group_id, published.message_deduplication_id),
                     now.uptime_ns);
  }
  const EventFields by_attributes = EventFields::FromAttributes(request.attributes);
  // Its number has as many digits as any.
  const Publication publication =
      MakePublication(std::move(published), Id(), now, line_ == nullptr ? 0 : kFirstSequence);

  // Endpoints are asked under no lock: what time has done to a queue may end in a log sink.
  std::vector<Entry> entries;
  {
    MutexLock lock(&change_mu_);
    if (!is_open_) return Gone();
    for (const auto& [serial, entry] : subscriptions_) entries.push_back(entry);
  }
  Bodies bodies(env_->limits);
  std::vector<SubscriptionExplanation> list;
  for (const Entry& entry : entries) {
    const SubscriptionCore& subscription = *entry.subscription;
    const MessageRef& own = publication.of_protocol[static_cast<size_t>(subscription.protocol())];
    const MessageRef& message = own ? own : publication.message;
    SubscriptionExplanation& explained = list.emplace_back();
    explained.subscription_arn = subscription.arn_text();
    if (subscription.is_pending()) {
      explained.verdict.sentence = "The subscription waits to be confirmed.";
    } else if (entry.filter == nullptr) {
      explained.verdict = {.matched = true, .sentence = "The subscription has no filter policy."};
    } else if (entry.filter->scope == FilterPolicyScope::kMessageAttributes) {
      explained.verdict = ExplainMatch(*entry.filter->pattern, by_attributes);
    } else {
      explained.verdict = bodies.Explain(*entry.filter->pattern, *message);
    }
    Forecast& forecast = explained.forecast;
    forecast.target_arn = subscription.courier().plan().destination->arn_text();
    if (!explained.verdict.matched) {
      forecast.sentence = explained.verdict.sentence;
    } else if (is_duplicate) {
      forecast.outcome = Forecast::Outcome::kDuplicate;
      forecast.sentence =
          "the topic accepted a message of this deduplication id within the last "
          "five minutes, and would deliver none";
    } else if (!TakesLive(subscription, *message, &forecast)) {
      continue;
    } else {
      forecast = subscription.courier().Foresee(
          {.message = message, .presentation = PresentationFor(subscription)});
    }
  }
  return list;
}

// False, and the forecast says why: its replay stands between it and what is new.
bool TopicCore::TakesLive(const SubscriptionCore& subscription, const Message& message,
                          Forecast* forecast) const {
  if (archive_ == nullptr || archive_->Admits(subscription.serial(), message)) return true;
  const std::optional<SubscriptionReplay> replay = archive_->Describe(subscription.serial());
  if (!replay.has_value()) return true;  // it ended just now
  if (replay->status == SubscriptionReplayStatus::kCompleted) {
    forecast->sentence = "its ReplayPolicy has an EndingPoint, which is over";
  } else {
    forecast->outcome = Forecast::Outcome::kWaits;
    forecast->sentence = "its replay has not come to what is new yet";
  }
  return false;
}

std::vector<TopicCore::Subscribed> TopicCore::Describe() const {
  std::vector<Subscribed> list;
  MutexLock lock(&change_mu_);
  for (const auto& [serial, entry] : subscriptions_) {
    Subscribed& one = list.emplace_back();
    one.subscription = entry.subscription;
    one.dead_letter = entry.dead_letter;
    if (entry.filter == nullptr) continue;
    one.filter_policy = entry.filter->text;
    one.scope = entry.filter->scope;
  }
  return list;
}

}  // namespace internal

std::string ToString(absl::Span<const SubscriptionExplanation> explanations) {
  const auto reached = std::count_if(explanations.begin(), explanations.end(),
                                     [](const auto& one) { return one.forecast.reaches(); });
  std::string text =
      internal::StrCat("reaches ", reached, " of ", explanations.size(),
                       explanations.size() == 1 ? " subscription\n" : " subscriptions\n");
  for (const SubscriptionExplanation& one : explanations) {
    internal::AppendForecast(&text, one.forecast);
  }
  return text;
}

}  // namespace banyan::inline v0_1
