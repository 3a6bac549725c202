// SPDX-License-Identifier: Apache-2.0
//
// Target: where a rule or a subscription delivers to, and how hard it tries.
//
//   Target(inbox)                                   // a Queue; also Topic, Stream, Function
//   Target(ledger).Retry({.retries_max = 5}).DeadLetter(dead)
//   Target(audit)                                   // an EventBus; see there
//   Target(inbox).InputTransformer({{"id", "$.detail.order.id"}}, R"({"order": <id>})")
//
// Queues, streams, topics and buses of the same broker are served before Publish or Put returns; a
// function runs later on the Runtime, unless it is called inline (SubscriptionOptions). A target that
// refuses or fails is tried again on its own, as its RetryPolicy or its service says, and delays
// neither the publisher nor other targets.
#ifndef BANYAN_TARGET_H_
#define BANYAN_TARGET_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/time/time.h"
#include "banyan/export.h"
#include "banyan/function.h"
#include "banyan/queue.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1 {

class EventBus;
class Topic;

namespace internal {
class EventBusCore;
class TopicCore;
}  // namespace internal

// How long a failed delivery is tried again: with exponential back-off and full jitter. Whichever
// bound is reached first ends it; then the dead-letter queue has the message, or, without one, it
// is dropped, counted and logged. Permanent faults (the target is deleted, or will never take this
// message) are not retried.
//
// The defaults are those of a rule's target. A subscription of a queue, function or stream that is
// given none at all is retried in SNS's four phases: 3 times at once, twice after 1 s, 10 times
// with back-off from 1 s to 20 s (random between 1 s and a bound that grows to 20 s), and 100,000
// times every 20 s, which ends after 23 days. A server has its DeliveryPolicy (topic.h).
struct RetryPolicy {
  // After the first attempt. 0 to 185; to 100,015 for a subscription.
  int64_t retries_max = 185;

  // Since acceptance; the last attempt comes no later. 1 min to 24 h; to 23 d for a subscription.
  absl::Duration age_max = absl::Hours(24);

  // The wait before a retry is random between zero and a bound that starts here and doubles with
  // each retry. 1 ms to 1 h.
  absl::Duration backoff_first = absl::Seconds(1);

  // The bound grows up to this. backoff_first to 1 h.
  absl::Duration backoff_max = absl::Minutes(1);

  // Deliveries that wait for another attempt at the same time, at most. One beyond it is given up
  // at once, as if its retries were used up. 1 to 10,000,000. Banyan's own bound.
  int64_t waiting_max = 100'000;

  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

// Where a topic notifies what is outside the broker. Made by the functions of Target.
struct NotificationEndpoint {
  std::string protocol;  // as SNS calls it: "http", "https", "email", "email-json", "sms", ...
  std::string address;

  friend bool operator==(const NotificationEndpoint&, const NotificationEndpoint&) = default;
};

class BANYAN_EXPORT Target {
 public:
  Target(Queue queue) : to_(std::move(queue)) {}           // NOLINT: implicit, {inbox} reads well
  Target(Stream stream) : to_(std::move(stream)) {}        // NOLINT
  Target(Function function) : to_(std::move(function)) {}  // NOLINT
  Target(const Topic& topic);                              // NOLINT

  // For a rule: another bus. Its rules see the event with source, account, region, time and id as
  // they are. One hop only: what came from another bus is not forwarded to a third, and an event is
  // not forwarded to the bus it is on; both go to the dead-letter queue of the target that would
  // have done so, the former with ERROR_CODE THIRD_ACCOUNT_HOP_DETECTED.
  Target(const EventBus& bus);  // NOLINT

  // For the subscription of a standard topic, and for no rule:
  // a server, http:// or https://, which gets a POST for each message through the broker's
  // HttpTransport, once it has confirmed (Topic::ConfirmSubscription);
  static Target Url(std::string url);
  // people and their devices, who get nothing: what is for them is captured for assertions
  // (captured_notification.h). E-mail has to be confirmed, too; text messages and devices need not.
  static Target Email(std::string address);      // gets the text
  static Target EmailJson(std::string address);  // gets SNS's envelope
  static Target Sms(std::string number);
  static Target Application(std::string endpoint_arn);  // a device, for mobile push

  // Names the target within its rule: 1 to 64 of [.-_A-Za-z0-9]. Default: the target's own name
  // with its kind in front ("queue.billing").
  Target& Id(std::string id) { return id_ = std::move(id), *this; }
  Target& Retry(RetryPolicy policy) { return retry_ = policy, *this; }

  // Where a delivery rests that is given up: a rule's as the event with the reason in attributes
  // (ERROR_CODE, ERROR_MESSAGE, RETRY_ATTEMPTS, ...), a subscription's as it would have arrived. A
  // queue of the same broker, which takes it whatever its size, however full it is, and not as a
  // duplicate: it was accepted once. If the queue was deleted, the delivery is dropped and logged.
  // Queue::Redrive and its move tasks deliver it again.
  Target& DeadLetter(Queue queue) { return dead_letter_ = std::move(queue), *this; }

  // For a rule with a stream as target: a path into the event ("$.detail.order.id") whose text
  // is the partition key. At most 256 characters. Default, and where the path finds nothing: the
  // event's id.
  Target& PartitionKeyPath(std::string path) { return key_path_ = std::move(path), *this; }

  // For a rule with a queue as target: the group of each event, 1 to 100 letters, digits and
  // punctuation. A FIFO queue needs it, and content-based deduplication besides, since no event has
  // a deduplication id: without that each delivery is a permanent fault. In a standard queue it is
  // the tenant; see QueueOptions::fairness.
  Target& MessageGroupId(std::string id) { return group_id_ = std::move(id), *this; }

  // For a rule, and not for a bus as target: what is delivered in place of the event. At most one
  // of the three. A dead-letter queue gets the event itself all the same.
  //
  // A constant, which is JSON; at most 8,192 characters.
  Target& Input(std::string json) { return input_ = std::move(json), *this; }

  // The value at a path into the event ("$.detail", "$.resources[0]", "$.detail['a.b']"; no
  // wildcards), as JSON: a string has its quotes. Where there is none, the empty string "", as in a
  // template (what AWS does then is not documented). At most 256 characters.
  Target& InputPath(std::string path) { return input_path_ = std::move(path), *this; }

  // A template of at most 8,192 characters, with <name> where a value goes: of a path in dot
  // notation (at most 100; a name has 1 to 256 letters, digits, hyphens and underscores and does
  // not begin with "AWS"), or one of
  //   <aws.events.rule-arn>  <aws.events.rule-name>
  //   <aws.events.event.ingestion-time>    when the bus accepted the event
  //   <aws.events.event.json>              the event
  //   <aws.events.event>                   the event without detail; detail-type is detailType
  // A '<' without a name and '>' behind it is text. There are two kinds of templates:
  //
  //   "order <id> of <who>"     One or more strings in quotes, with white space around them, and
  //                             nothing else: delivered so, quotes included. Objects and arrays
  //                             lose their quotes: {id:7,tags:[a,b]}.
  //   {"id": <id>, "by": "user <who>"}      JSON: delivered without white space between tokens.
  //                             Outside quotes a value is inserted as JSON, a string with its
  //                             quotes. Within quotes, strings lose theirs.
  //
  // In both, characters of strings are escaped as JSON needs, and numbers keep their text. What a
  // path does not find is an empty string: nothing between quotes, "" outside of them. 0, false,
  // null, [] and {} are values like others, and are inserted so.
  //
  // If the result of a JSON template is not JSON, as with an object within quotes, or with a
  // template that is neither (<id> done), the event is not delivered and goes to no dead-letter
  // queue, as on AWS. It counts as dropped (DeliveryStats) and is logged.
  Target& InputTransformer(std::map<std::string, std::string> paths, std::string input_template) {
    input_paths_ = std::move(paths);
    input_template_ = std::move(input_template);
    return *this;
  }

  using Destination = std::variant<Queue, Stream, Function, std::shared_ptr<internal::TopicCore>,
                                   std::shared_ptr<internal::EventBusCore>, NotificationEndpoint>;
  const Destination& to() const { return to_; }
  const std::string& id() const { return id_; }
  const std::optional<RetryPolicy>& retry() const { return retry_; }
  const std::optional<Queue>& dead_letter() const { return dead_letter_; }
  const std::string& partition_key_path() const { return key_path_; }
  const std::string& message_group_id() const { return group_id_; }
  const std::optional<std::string>& input() const { return input_; }
  const std::optional<std::string>& input_path() const { return input_path_; }
  const std::map<std::string, std::string>& input_paths() const { return input_paths_; }
  const std::optional<std::string>& input_template() const { return input_template_; }

 private:
  explicit Target(NotificationEndpoint endpoint) : to_(std::move(endpoint)) {}

  Destination to_;
  std::string id_;
  std::optional<RetryPolicy> retry_;
  std::optional<Queue> dead_letter_;
  std::string key_path_;
  std::string group_id_;
  std::optional<std::string> input_;
  std::optional<std::string> input_path_;
  std::map<std::string, std::string> input_paths_;
  std::optional<std::string> input_template_;
};

// What became of the messages that one rule target or subscription was to deliver. The books
// balance at every moment: matched = delivered + dead_lettered + dropped + pending.
struct DeliveryStats {
  int64_t matched = 0;
  int64_t delivered = 0;
  int64_t dead_lettered = 0;
  int64_t dropped = 0;  // given up without a dead-letter queue, or that one is gone; or
                        // the InputTransformer's result was not JSON
  int64_t pending = 0;  // running, or waiting for another attempt

  // Apart from the books.
  int64_t failed_attempts = 0;
  int64_t retries = 0;               // attempts after the first
  int64_t redelivered = 0;           // of `matched`: dead letters that were redriven
  int64_t dead_letters_refused = 0;  // of `dropped`: the dead-letter queue did not take it

  DeliveryStats& operator+=(const DeliveryStats& other) {
    matched += other.matched;
    delivered += other.delivered;
    dead_lettered += other.dead_lettered;
    dropped += other.dropped;
    pending += other.pending;
    failed_attempts += other.failed_attempts;
    retries += other.retries;
    redelivered += other.redelivered;
    dead_letters_refused += other.dead_letters_refused;
    return *this;
  }
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_TARGET_H_
