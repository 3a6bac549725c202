// SPDX-License-Identifier: Apache-2.0
//
// Topic: what is published here reaches every subscription whose filter lets it pass. SNS's
// standard and FIFO topics.
//
//   Topic orders = broker.CreateTopic("orders").value();
//   orders.Subscribe(billing, {.filter_policy = R"({"tenant": ["acme"]})", .raw = true}).value();
//   orders.Publish({.body = text, .attributes = {{"tenant", "acme"}}}).value();
//
// When Publish returns, the matching queues have the message. Success says nothing of functions
// and of targets that refused; their retries run on the Runtime.
//
// Subscriptions deliver to queues, functions, streams (as SNS to Firehose: a record is the envelope, or
// the body if raw, never the attributes; its partition key is the event's id) and, through the broker's
// HttpTransport, to servers; what is for e-mail addresses, telephones and devices is captured for
// assertions.
//
// A FIFO topic delivers to queues, FIFO and standard ones. A message whose deduplication id it
// accepted within the last five minutes is answered like the first and reaches nobody, whatever
// kind of queue listens. FIFO queues get the message's group, and its deduplication id or, without
// one, the SHA-256 of its body in hex, so they need no content-based deduplication of their own;
// standard queues get neither. All queues get the messages of a group in one order, and a message
// that a FIFO queue refuses for a while holds back what follows it in its group until it is
// delivered or given up.
//
// Threads   Every method may be called from any thread at any time.
// Lifetime  A handle; may outlive the topic and its Broker (kNotFound, kUnavailable).
// Order     Publishes of one thread reach one queue in their order, unless one had to be retried.
//           FIFO: those of a group in the order of their sequence numbers, whoever published.
// Source    docs.aws.amazon.com/sns/latest/api/API_Publish.html
#ifndef BANYAN_TOPIC_H_
#define BANYAN_TOPIC_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/arn.h"
#include "banyan/attributes.h"
#include "banyan/export.h"
#include "banyan/forecast.h"
#include "banyan/id.h"
#include "banyan/metrics.h"
#include "banyan/pattern.h"
#include "banyan/payload.h"
#include "banyan/target.h"

namespace banyan::inline v0_1 {

namespace internal {
class SubscriptionCore;
}  // namespace internal

// What a deduplication id of a FIFO topic is unique in, for five minutes.
enum class FifoThroughputScope { kTopic, kMessageGroup };

struct TopicOptions {
  std::string display_name = {};  // kept as metadata; up to 100 characters

  // Fixed when the topic is created. A FIFO topic's name ends in ".fifo", no other's does.
  bool fifo = false;
  // FIFO: a message without a deduplication id is known by the SHA-256 of its body.
  bool content_based_deduplication = false;
  FifoThroughputScope fifo_throughput_scope = FifoThroughputScope::kTopic;

  // FIFO: what is published is kept for so long, to be replayed to subscriptions (ReplayPolicy):
  // whole days, 1 to 365. Zero: there is no archive. A topic with an archive cannot be deleted.
  absl::Duration archive_retention = absl::ZeroDuration();
  // Bodies and attributes in the archive, at most; about 100 bytes for each message come on top.
  // When there is no room for another message, those that came first go. 1 B to 4 EiB. Banyan's
  // own bound.
  int64_t archive_bytes_max = int64_t{1} << 30;

  // SNS's JSON: how HTTP subscriptions are served that do not say it themselves.
  //   {"http": {"defaultHealthyRetryPolicy": {"numRetries": 5},
  //             "defaultRequestPolicy": {"headerContentType": "application/json"},
  //             "disableSubscriptionOverrides": false}}
  std::string delivery_policy = {};

  // Of envelopes, where the broker has a notification_signer: 1 is SHA1withRSA, 2 SHA256withRSA.
  int signature_version = 1;

  // Kept, shown, and without effect here: the access policy, JSON of at most 30 KB (empty: SNS's
  // default one); a KMS key; "Active" or "PassThrough" (trace headers always go along); how
  // deliveries are logged, by attribute, as "SQSSuccessFeedbackRoleArn".
  std::string policy = {};
  std::string kms_master_key_id = {};
  std::string tracing_config = {};
  std::map<std::string, std::string> delivery_status_logging = {};

  friend bool operator==(const TopicOptions&, const TopicOptions&) = default;
};

struct PublishRequest {
  Payload body = {};         // UTF-8, and not empty
  std::string subject = {};  // optional; under 100 characters, no control characters
  Attributes attributes = {};
  // X-Ray's trace header, or a W3C traceparent; at most 500 bytes of printable ASCII.
  std::string trace_header = {};

  // 1 to 128 letters, digits and punctuation. FIFO: required; messages of a group keep their order.
  // Standard: goes along to standard queues, which are fair to tenants by it.
  std::string message_group_id = {};
  // FIFO topics only, and required there unless content_based_deduplication is set. As above.
  std::string message_deduplication_id = {};

  // True: the body is a JSON object with a text for each protocol ("sqs", "lambda", "firehose",
  // "http", "https", "email", "email-json", "sms", "application") and one for all others, "default",
  // which must be there. What else it holds is ignored. Filter policies on bodies see the text that
  // is delivered. A text may be empty; but a queue with raw delivery refuses that for good, since its
  // own messages never are. SNS's MessageStructure.
  bool json_structure = false;
};

struct PublishResult {
  Id message_id;  // every subscription sees this one; each queue adds an id of its own
  // FIFO: rises with each message; queues number theirs anew. Else 0.
  uint64_t sequence_number = 0;
};

enum class FilterPolicyScope { kMessageAttributes, kMessageBody };

// FIFO topics with an archive: what was published before comes to the subscription again, or for the
// first time, in the order it was published; the filter policy decides as always. A replayed
// message keeps its ids and Timestamp and has one message attribute more, "Replayed" ("true"),
// unless that would be an eleventh. Deduplication of a FIFO queue knows it by its old id.
//
// Until the replay has caught up nothing else comes: what is published meanwhile stands behind it in
// the archive, and if it has to leave that for want of room, it is given up like a message whose
// retries are used up. Then, without an end, the subscription is live. With an end it gets nothing
// published after it until the policy is removed, as on AWS.
struct ReplayPolicy {
  absl::Time starting_point;
  std::optional<absl::Time> ending_point = std::nullopt;  // included

  friend bool operator==(const ReplayPolicy&, const ReplayPolicy&) = default;
};

enum class SubscriptionReplayStatus {
  kPending,
  kInProgress,
  kCompleted,
  kFailed,  // the topic's archive was turned off; the subscription is live
};
// AWS's word: "In progress".
BANYAN_EXPORT std::string_view SubscriptionReplayStatusName(SubscriptionReplayStatus status);

struct SubscriptionReplay {
  ReplayPolicy policy;
  SubscriptionReplayStatus status = SubscriptionReplayStatus::kPending;
  int64_t replayed = 0;  // messages in the window that were looked at, filtered ones too
};

struct SubscriptionOptions {
  // JSON; empty: everything passes.
  std::string filter_policy = {};
  FilterPolicyScope filter_policy_scope = FilterPolicyScope::kMessageAttributes;

  // True: a queue gets the body and attributes as published; a message with more attributes than
  // a queue can carry (10) is a permanent fault. A server gets the body, and no attributes. False:
  // they get SNS's envelope, a JSON text around them, rendered when it is read; its Signature and
  // SigningCertURL are empty without BrokerOptions::notification_signer, its UnsubscribeURL without
  // BrokerOptions::endpoint_url. Functions always get the message itself; e-mail, text messages and
  // push know no raw delivery.
  bool raw = false;

  // HTTP: SNS's JSON; what it leaves out is the topic's, then SNS's: three retries, 20 s apart.
  //   {"healthyRetryPolicy": {"numRetries": 10, "minDelayTarget": 1, "maxDelayTarget": 60,
  //                           "numNoDelayRetries": 1, "numMinDelayRetries": 0,
  //                           "numMaxDelayRetries": 2, "backoffFunction": "exponential"},
  //    "requestPolicy": {"headerContentType": "application/json"}}
  // Times are seconds; all waits together at most 3,600. backoffFunction: linear, arithmetic,
  // geometric or exponential; each wait of that phase is random between minDelayTarget and what the
  // function gives, as SNS "applies jittering". {"throttlePolicy": {"maxReceivesPerSecond": 5}} is taken and has no
  // effect: at most 100 requests of a subscription are under way at once.
  std::string delivery_policy = {};

  // Functions: called by Publish itself, on the publisher's thread, before it returns; else on the
  // Runtime, soon. The price: the publisher waits for the handler, and whatever the handler does
  // takes its stack; FunctionOptions::concurrency and pending_max do not count. A call that fails
  // is tried again as any other, on the Runtime. A handler may publish, also to this topic; that it
  // does not do so for ever is up to him. If it stops the broker, it gives it no time to drain:
  // Stop() would wait for the Publish beneath it until that is over. Banyan's own.
  bool call_inline = false;

  // Begins with a replay. FIFO topics that have an archive.
  std::optional<ReplayPolicy> replay_policy = std::nullopt;

  friend bool operator==(const SubscriptionOptions&, const SubscriptionOptions&) = default;
};

struct SubscriptionStats {
  // Published while subscribed, and stopped by the filter policy. Messages that are published while
  // the policy changes may count here.
  int64_t filtered = 0;
  // HTTP: attempts put off to a retry because 100 requests were under way and 10,000 waited.
  int64_t throttled = 0;
  DeliveryStats delivery;
};

// One target of one topic, with its filter. A handle.
class BANYAN_EXPORT Subscription {
 public:
  Subscription() = default;

  // Nothing published from now on is delivered through it; retries under way go on. OK also if
  // it was gone. A server that had confirmed is told: it gets an UnsubscribeConfirmation, and undoes
  // it by confirming with the token in it (the subscription then has another ARN).
  absl::Status Unsubscribe() const;

  // It gets nothing until it is confirmed, see Topic::ConfirmSubscription(). (What AWS shows in
  // place of such a subscription's ARN, "pending confirmation", is for its wire.)
  bool pending_confirmation() const;

  absl::Status SetFilterPolicy(std::string_view json, FilterPolicyScope scope) const;
  // HTTP: messages whose attempt fails from now on go by it. Empty: by the topic's.
  absl::Status SetDeliveryPolicy(std::string_view json) const;

  // Queues, streams and servers: raw or not. What was published before stays as it is.
  absl::Status SetRaw(bool raw) const;
  // What is given up from now on goes there; none: it is dropped.
  absl::Status SetDeadLetter(const std::optional<Queue>& dead_letter) const;

  // Begins a replay, in place of one under way; or ends it (nullopt). What was published since the
  // one before began, and that one had not shown yet, is shown all the same.
  // Errors  kInvalidArgument: the topic has no archive; a start in the future, an end that is not
  //         after the start. kResourceExhausted (ReplayLimitExceeded): as many replays as the limits
  //         allow; (Throttled): called within a delivery of another FIFO topic, while this one
  //         delivers, too. kNotFound.
  absl::Status SetReplayPolicy(const std::optional<ReplayPolicy>& policy) const;
  // Nothing: there is no replay policy. Errors: kNotFound.
  absl::StatusOr<std::optional<SubscriptionReplay>> Replay() const;

  SubscriptionStats Stats() const;
  const Arn& arn() const;

  // The subscription as it stands, under SNS's names and as SNS's strings: Protocol, Endpoint,
  // FilterPolicy, FilterPolicyScope (with a policy only), RawMessageDelivery, RedrivePolicy,
  // DeliveryPolicy, ReplayPolicy, SubscriptionRoleArn (streams; kept, without effect) and what else
  // can be read. One of those can be set; "" unsets a policy.
  // Errors  kInvalidArgument: another name ("Invalid parameter: AttributeName"), a bad value; a
  //         dead-letter queue that is not there. kNotFound.
  // Source  docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html
  absl::StatusOr<std::map<std::string, std::string>> GetAttributes() const;
  absl::Status SetAttribute(std::string_view name, std::string_view value) const;

  // For the library's own rooms.
  explicit Subscription(std::shared_ptr<internal::SubscriptionCore> core);

 private:
  std::shared_ptr<internal::SubscriptionCore> core_;
};

struct TopicStats {
  int64_t published = 0;
  int64_t duplicates = 0;     // FIFO: answered like an earlier message, and not among `published`
  int64_t subscriptions = 0;  // those that wait for confirmation among them
  int64_t pending_confirmation = 0;  // of these
  // Messages whose body a filter policy on bodies could not look at: no JSON object, or one beyond
  // limits.pattern. They matched none of those policies. With a text for each protocol: that of
  // queues.
  int64_t unreadable = 0;
};

// Why a subscription would or would not get a message.
struct SubscriptionExplanation {
  std::string subscription_arn;
  Explanation verdict;  // its filter policy's
  Forecast forecast;    // the endpoint's, asked if the filter lets it pass
};

// For people: "reaches 3 of 7 subscriptions", then a line for each with the reason.
BANYAN_EXPORT std::string ToString(absl::Span<const SubscriptionExplanation> explanations);

struct SubscriptionPage {
  std::vector<Subscription> subscriptions = {};
  std::string next_token = {};  // empty: there is no more
};

class BANYAN_EXPORT Topic {
 public:
  Topic() = default;

  // Errors  kInvalidArgument: a body that is empty or not UTF-8, a bad subject, body and attributes
  //         over the limit, ids missing or out of place, no JSON structure (InvalidParameter); a bad
  //         attribute (ParameterValueInvalid). kResourceExhausted: a FIFO topic that remembers 100
  //         million deduplication ids (Throttled).
  //         In each case nobody gets anything.
  absl::StatusOr<PublishResult> Publish(PublishRequest request) const;

  // 1 to 10 requests, of 262,144 bytes together; one answer each, in order, and in order they are
  // published. What makes the call wrong as a whole, as SNS has it, refuses all of them: their
  // number, their size together, bad attributes, FIFO ids that are missing, a JSON structure
  // without "default". A bad subject, id or body refuses its own entry.
  // Errors  kInvalidArgument (EmptyBatchRequest, TooManyEntriesInBatchRequest,
  //         BatchRequestTooLong), and as Publish.
  // Source  docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
  absl::StatusOr<std::vector<absl::StatusOr<PublishResult>>> PublishBatch(
      std::vector<PublishRequest> requests) const;

  // Idempotent on the target: the same options answer the same subscription, and what is left at
  // its default counts as left out; anything else is kInvalidArgument ("Subscription already
  // exists with different attributes"). The target belongs to the same broker.
  //
  // Target::DeadLetter() is the subscription's redrive policy: a message given up rests there just
  // as the queue would have received it, without error attributes; a function's as the envelope.
  //
  // A FIFO topic takes queues only; the dead-letter queue of a FIFO queue there is one, too. A
  // standard topic takes no FIFO queue.
  //
  // The subscription of a server or an e-mail address is pending at first: a SubscriptionConfirmation
  // with a token goes there (a captured one, to an e-mail address). Subscribing again while it is
  // pending sends it again.
  //
  // Errors  kInvalidArgument: a bad filter or delivery policy, with position or member and reason;
  //         a target that topics do not deliver to, or not this kind of topic; an address that is
  //         none; a URL, and the broker has no http_transport. kResourceExhausted: too many filter
  //         policies, or subscriptions.
  // Source  docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
  absl::StatusOr<Subscription> Subscribe(Target target, SubscriptionOptions options = {}) const;

  // What the server does that got the confirmation's token, or visits its SubscribeURL. A token is
  // valid for two days, also after it was used: confirming twice is confirming once. A subscription
  // whose token ran out stays pending; subscribing again sends a new one.
  // Errors  kInvalidArgument: "Invalid token", which is none; "Invalid parameter: Token", which is
  //         none of this topic's, or not any more.
  // Source  docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
  absl::StatusOr<Subscription> ConfirmSubscription(std::string_view token) const;

  absl::StatusOr<std::vector<Subscription>> ListSubscriptions() const;
  // The same, a hundred at a time. `next_token` is that of the page before; empty begins.
  // Errors  kInvalidArgument: a token that is none of this topic's.
  absl::StatusOr<SubscriptionPage> ListSubscriptionsPage(std::string_view next_token = {}) const;

  // Says of each subscription what a Publish of `request` would do: the first field that stops it,
  // or what the endpoint would answer. Delivers nothing, and counts nothing. What a FIFO topic knows
  // already would reach nobody (kDuplicate). ToString() prints it. Banyan's own verb.
  // Errors  as Publish.
  absl::StatusOr<std::vector<SubscriptionExplanation>> Explain(const PublishRequest& request) const;

  TopicStats Stats() const;
  absl::StatusOr<TopicOptions> Options() const;
  // Replaces them all: begin with Options() and change a field. All of it is taken or, on an error,
  // nothing. Whether it is a FIFO topic cannot change, and a throughput scope not back to kTopic.
  // Source  docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
  absl::Status SetOptions(const TopicOptions& options) const;
  // All there is to know of the topic, under SNS's names and as SNS's strings; and one of them that
  // can be changed. "" unsets what can be unset.
  // Errors  kInvalidArgument: another name, FifoTopic ("Invalid parameter: AttributeName"); a bad
  //         value. kNotFound.
  // Source  docs.aws.amazon.com/sns/latest/api/API_GetTopicAttributes.html
  absl::StatusOr<std::map<std::string, std::string>> GetAttributes() const;
  absl::Status SetAttribute(std::string_view name, std::string_view value) const;

  // Adds a statement to the access policy, and takes it out (OK also if there is none). Banyan keeps
  // the policy, shows it and lets everybody in.
  // Errors  kInvalidArgument: a label that is there, an account that is not twelve digits, an action
  //         that is none of a topic's.
  // Source  docs.aws.amazon.com/sns/latest/api/API_AddPermission.html
  absl::Status AddPermission(std::string_view label, absl::Span<const std::string> accounts,
                             absl::Span<const std::string> actions) const;
  absl::Status RemovePermission(std::string_view label) const;

  // Names and values for people and tools; the topic does nothing with them. At most 50
  // (kResourceExhausted, TagLimitExceeded).
  // Source  docs.aws.amazon.com/sns/latest/api/API_TagResource.html
  absl::StatusOr<std::map<std::string, std::string>> Tags() const;
  absl::Status SetTags(const std::map<std::string, std::string>& tags) const;
  absl::Status RemoveTags(absl::Span<const std::string> keys) const;

  // What the topic has done, under CloudWatch's names; see banyan/metrics.h.
  absl::StatusOr<TopicMetrics> Metrics() const;

  // What the archive can replay begins here: when the oldest message in it was published. Nothing:
  // it is empty, or there is none. AWS: BeginningArchiveTime.
  absl::StatusOr<std::optional<absl::Time>> BeginningArchiveTime() const;
  const Arn& arn() const;
  std::string_view name() const;

  friend bool operator==(const Topic&, const Topic&) = default;

  // For the library's own rooms.
  explicit Topic(std::shared_ptr<internal::TopicCore> core);
  const std::shared_ptr<internal::TopicCore>& core() const { return core_; }

 private:
  std::shared_ptr<internal::TopicCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_TOPIC_H_
